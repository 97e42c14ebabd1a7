"""Mails built from prepared bytes are what they should be, as Python's own mail parser reads them."""

import datetime as dt
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import compat32, default
from email.utils import parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.email_mime import Attached, PreparedMail, UnsafeHeaderError, Values, encoded_files
from channels.mail_content import Lines, UndottedLines

NOW = dt.datetime(2026, 6, 15, 15, 30, tzinfo=dt.UTC)
SENDER = ("St Anne's, Leeds", "office@school.example.org")

body_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)
header_text = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=200)


def build(
    *,
    subject: tuple[object, ...] = ("News",),
    plain: tuple[object, ...] = ("Hello",),
    html: tuple[object, ...] | None = ("<p>Hello</p>",),
    values: Values | None = None,
    to_name: str = "Ms Kowalska",
    to_address: str = "k@example.org",
    message_id: str = "<1@example.org>",
    sender: tuple[str, str] = SENDER,
    language: str = "en",
    headers: dict[str, str] | None = None,
    reply_to: str | None = None,
    list_unsubscribe: str | None = None,
) -> bytes:
    """Build a mail; a hole is any value that is not text."""
    prepared = PreparedMail.prepare(
        sender=sender, language=language, subject=subject, plain=plain, html=html, headers=headers
    )
    return prepared.build(
        to_name=to_name,
        to_address=to_address,
        message_id=message_id,
        date=NOW,
        reply_to=reply_to,
        list_unsubscribe=list_unsubscribe,
        values=values or Values(),
    )


def parsed(content: bytes) -> EmailMessage:
    """Read a mail, and check the form every mail has."""
    for line in content.split(b"\r\n"):
        assert b"\n" not in line
        assert b"\r" not in line
        assert len(line) <= 76 or line.startswith((b" <", b"List-Unsubscribe:"))
    message = message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    assert all(not part.defects for part in message.walk())
    return message


def body(message: EmailMessage, subtype: str) -> str:
    """Give one part's text."""
    part = message.get_body((subtype,))
    assert part is not None
    text = part.get_content()
    assert isinstance(text, str)
    return text.replace("\r\n", "\n")


def display_name(header: str) -> str:
    """Decode a mailbox's name as RFC 2047 says: blanks between encoded words do not count."""
    name, _ = parseaddr(header.replace("\r\n", ""))
    return str(make_header(decode_header(name)))


def with_one_line_end(text: str) -> str:
    """Bring line ends to one kind."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def test_a_mail() -> None:
    """All headers are there, and both parts."""
    message = parsed(
        build(
            language="pl",
            reply_to="r1@reply.example.org",
            list_unsubscribe="https://gateway.example.org/u/1",
            headers={"Feedback-ID": "newsletter"},
        )
    )
    assert {name: str(value) for name, value in message.items()} == {
        "To": "Ms Kowalska <k@example.org>",
        "Subject": "News",
        "Date": "Mon, 15 Jun 2026 15:30:00 +0000",
        "Message-ID": "<1@example.org>",
        "Reply-To": "r1@reply.example.org",
        "List-Unsubscribe": "<https://gateway.example.org/u/1>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "From": '"St Anne\'s, Leeds" <office@school.example.org>',
        "MIME-Version": "1.0",
        "Auto-Submitted": "auto-generated",
        "Content-Language": "pl",
        "Feedback-ID": "newsletter",
        "Content-Type": 'multipart/alternative; boundary="=_next_part"',
    }
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_text_only() -> None:
    """Without HTML the mail is one part of plain text."""
    message = parsed(build(plain=("a ", 1), html=None, values=Values(plain={1: "b"})))
    assert message.get_content_type() == "text/plain"
    assert body(message, "plain") == "a b\n"


@given(body_text, body_text, body_text, body_text)
@example("x" * 75, "y" * 76, "=" * 25, "\n")
@example("a \n.\n", "--=_next_part--\n", "\r\n.\r\n", "From x ")
@example("", "", "😀" * 20, "ж" * 13)
@example("x" * 75 + " \n", "y" * 75 + "\t\n", "z" * 74 + "  \n", " \n")
@example("x" * 70 + "ж", "y" * 70 + "ж", "", "z" * 73 + "=")
def test_bodies_come_through(before: str, value: str, after: str, other: str) -> None:
    """Any text and any value arrive exactly, line ends aside, however they meet."""
    content = build(
        plain=(before, 1, after, 1, 2),
        html=(2, before, after, 1),
        values=Values(plain={1: value, 2: other}, html={1: other, 2: value}),
    )
    message = parsed(content)
    # A carriage return and a line feed from two different pieces are two line ends; from one piece, one.
    one = with_one_line_end
    assert body(message, "plain") == one(before) + one(value) + one(after) + one(value) + one(other)
    assert body(message, "html") == one(value) + one(before) + one(after) + one(other)


dotted_text = st.text(st.sampled_from("a.= \n\té" + "\r"), max_size=100)


@given(dotted_text, dotted_text, dotted_text, st.booleans())
@example(".", "a", "", False)
@example("a", ".b", "c", False)
@example("x" * 75 + ".", "x" * 150 + ".", "a", True)
def test_what_a_mail_promises_about_its_bytes(before: str, value: str, after: str, html: bool) -> None:  # noqa: FBT001  # a drawn value
    """Every mail keeps the promise about its line ends, and makes that about dots when it can keep it."""
    parts = (before, 1, after, 2, 1)
    values = {1: value, 2: after}
    content = build(plain=parts, html=parts[::-1] if html else None, values=Values(plain=values, html=values))
    assert isinstance(content, Lines)
    assert isinstance(content, UndottedLines) == (b"\r\n." not in content)
    assert content.endswith(b"\r\n")
    assert content.count(b"\r\n") == content.count(b"\r") == content.count(b"\n")


def test_dates_of_equal_instants() -> None:
    """The same instant in two zones is written as each zone has it, although what is written is remembered."""
    prepared = PreparedMail.prepare(sender=SENDER, language="en", subject=("News",), plain=("Hello",))
    in_summer = NOW.astimezone(dt.timezone(dt.timedelta(hours=1)))
    written = [
        prepared.build(to_name="", to_address="k@example.org", message_id="<1@example.org>", date=date)
        for date in (NOW, in_summer, NOW)
    ]
    assert [message_from_bytes(content)["Date"] for content in written] == [
        "Mon, 15 Jun 2026 15:30:00 +0000",
        "Mon, 15 Jun 2026 16:30:00 +0100",
        "Mon, 15 Jun 2026 15:30:00 +0000",
    ]


@given(header_text, header_text, header_text)
@example('Kowalska, "Ana" \\', "=?utf-8?b?eA==?=", "x" * 200)
@example("أمل  الكردي", "😀" * 50, "ά" * 40)
@example(" a", "b ", "c\u00a0")
def test_headers_come_through(to_name: str, before: str, value: str) -> None:
    """Any name and any subject without control characters arrive exactly, folded and encoded where needed."""
    content = build(
        to_name=to_name, sender=(value, "office@example.org"), subject=(before, 1), values=Values({1: value})
    )
    message = parsed(content)
    assert str(message["Subject"]).strip() == (before + value).strip()
    assert [address.addr_spec for address in message["To"].addresses] == ["k@example.org"]
    assert [address.addr_spec for address in message["From"].addresses] == ["office@example.org"]
    raw = message_from_bytes(content, policy=compat32)
    assert display_name(raw["To"]).strip() == to_name.strip()
    assert display_name(raw["From"]).strip() == value.strip()


@pytest.mark.parametrize(
    "name",
    [
        "Ana",
        "Dr. A. O'Neil",
        'Ana (Mum), "A" \\ B',
        "Zażółć Gęślą-Jaźń",
        "أمل عبد الرحمن الكردي",
        "王小明",
        "👩‍👧",
        "=?x?=",
    ],
)
def test_names_as_the_modern_parser_reads_them(name: str) -> None:
    """Names of usual length need one encoded word; Python 3.11 would put blanks between several."""
    assert parsed(build(to_name=name))["To"].addresses[0].display_name == name


@pytest.mark.parametrize("character", ["\r", "\n", "\x00", "\x0b", "\x85", "\u2028", "\u2029", "\x7f", "\ud800"])
@pytest.mark.parametrize("field", ["to_name", "subject", "value", "sender"])
def test_no_line_end_reaches_a_header(character: str, field: str) -> None:
    """A line end or control character in a name or subject is refused, naming the header and not the value."""
    bad = f"Eve{character}Bcc: x@example.org"
    fields: dict[str, dict[str, object]] = {
        "to_name": {"to_name": bad},
        "subject": {"subject": (bad,)},
        "value": {"subject": ("x", 1), "values": Values({1: bad})},
        "sender": {"sender": (bad, "office@example.org")},
    }
    with pytest.raises(UnsafeHeaderError) as refused:
        build(**fields[field])  # type: ignore[arg-type] - one of the mail's parts
    assert "Eve" not in str(refused.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"to_address": "k@example.org\r\nBcc: x@example.org"},
        {"to_address": "k@example.org, x@example.org"},
        {"to_address": "k@example.org> <x@example.org"},
        {"to_address": "k"},
        {"to_address": ""},
        {"to_address": "kä@example.org"},
        {"message_id": "1@example.org"},
        {"message_id": "<1@example.org>\r\nX: y"},
        {"reply_to": "r@example.org\n"},
        {"list_unsubscribe": "https://a.example.org/> x"},
        {"list_unsubscribe": "mailto:a@example.org"},
        {"list_unsubscribe": "https://a.example.org/" + "x" * 1000},
        {"language": "en\r\nX: y"},
        {"headers": {"X-A": "a\nb"}},
        {"headers": {"X A": "a"}},
        {"headers": {"X-A": "ä"}},
    ],
)
def test_forms_are_checked(fields: dict[str, object]) -> None:
    """Addresses, identifiers and fixed headers have a form, and nothing else is let through."""
    with pytest.raises(UnsafeHeaderError):
        build(**fields)  # type: ignore[arg-type] - one of the mail's parts


def test_a_forgotten_value_is_noticed() -> None:
    """A hole without a value is an error, never an empty place."""
    for fields in ({"plain": ("a", 1)}, {"html": (1,)}, {"subject": (1,)}):
        with pytest.raises(KeyError):
            build(**fields)  # type: ignore[arg-type] - one of the mail's parts


_ANY_SCRIPT = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters='/\\:*?"<>|'), min_size=1, max_size=90
)


@given(name=_ANY_SCRIPT, content=st.binary(max_size=300), text=st.text(max_size=200))
@example(name="\u7f8e\u9e97" * 40, content=b".\r\n.\r\n", text=".\n")
@example(name="a b; filename=x", content=b"--=_next_file--", text="\u0645")
def test_files_come_through(name: str, content: bytes, text: str) -> None:
    """Names in any script, content as it is, texts in the characters they were written in, whatever else is inside."""
    name = f"{' '.join(name.split())}.pdf".strip()
    files = [
        Attached(name, "application/pdf", content),
        Attached("list.txt", "text/plain", text.encode()),
        Attached("\u00e9.ics", "text/calendar", text.encode()),
    ]
    mail = PreparedMail.prepare(
        sender=("School", "office@school.example.org"),
        language="en",
        subject=("News",),
        plain=("See the file.",),
        html=("<p>See the file.</p>",),
        files=encoded_files(files),
    )
    written = mail.build(
        to_name="Ana",
        to_address="ana@example.org",
        message_id="<1@example.org>",
        date=dt.datetime(2026, 6, 15, tzinfo=dt.UTC),
    )
    assert isinstance(written, UndottedLines)
    assert written.replace(b"\r\n", b"").translate(None, b"\r\n") == written.replace(b"\r\n", b"")
    assert max(map(len, written.split(b"\r\n"))) <= 78
    message: EmailMessage = message_from_bytes(written, policy=default)
    pdf, plain, calendar = message.iter_attachments()
    assert (pdf.get_filename(), pdf.get_content()) == (name, content)
    assert (plain.get_content_type(), plain.get_content()) == ("text/plain", text)
    assert (calendar.get_filename(), calendar.get_content()) == ("\u00e9.ics", text)
    assert "See the file." in body(message, "plain")
    assert "See the file." in body(message, "html")
