"""What comes back by mail: reports, complaints, absences and words, whatever program wrote them and however broken."""

import datetime as dt
import re
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.base import Inbound, Receipt, ReceiptStatus, RejectReason
from channels.email_bounces import Arrival, Report, read_answer, read_bounce
from channels.email_html import words_of_html
from channels.email_reading import MOST_PARTS, read_mail, words_of
from tests.channels import returned_mails as mails
from tests.channels.returned_mails import DELIVERY, OURS, REPORTING, about, letter, report

NOW = dt.datetime(2026, 6, 15, 9, 0, tzinfo=dt.UTC)

BOUNCED, DEFERRED, DELIVERED, UNKNOWN = (
    ReceiptStatus.BOUNCED, ReceiptStatus.DEFERRED, ReceiptStatus.DELIVERED, ReceiptStatus.UNKNOWN,
)  # fmt: skip


def arrival(content: bytes, *, sender: str = "", recipient: str = "bounce+x@bounces.example.org") -> Arrival:
    """Make a mail arrive."""
    return Arrival(content=content, delivery=DELIVERY, sender=sender, recipient=recipient, at=NOW)


def bounce(content: bytes, **envelope: str) -> Report:
    """Read a mail at the return path that is a report."""
    found = read_bounce(arrival(content, **envelope))
    assert isinstance(found, Report)
    return found


def answered(content: bytes, sender: str = "parent@example.org") -> Report | Inbound:
    """Read a mail at the address for answers."""
    return read_answer(arrival(content, sender=sender, recipient="reply+x@replies.example.org"))


def words(content: bytes) -> Inbound:
    """Read a person's mail at the address for answers."""
    found = answered(content)
    assert isinstance(found, Inbound)
    return found


MEANINGS = [
    # action       status    diagnostic                              becomes    reason                   dead   code
    ("failed",    "5.1.1",  "smtp; 550 5.1.1 unknown user",        BOUNCED,   RejectReason.INVALID,    True,  "5.1.1"),
    ("failed",    "5.1.2",  "",                                    BOUNCED,   RejectReason.INVALID,    True,  "5.1.2"),
    ("failed",    "5.1.0",  "smtp; 550 5.1.0 rejected",            BOUNCED,   RejectReason.OTHER,      False, "5.1.0"),
    ("failed",    "5.1.90", "smtp; 550 5.1.90 limit of today",     BOUNCED,   RejectReason.OTHER,      False, "5.1.90"),
    ("failed",    "5.4.4",  "smtp; 550 5.4.4 routing",             BOUNCED,   RejectReason.BOUNCED,    False, "5.4.4"),
    ("failed",    "5.3.0",  "smtp; 550 5.3.0 system",              BOUNCED,   RejectReason.BOUNCED,    False, "5.3.0"),
    ("failed",    "5.1.8",  "",                                    BOUNCED,   RejectReason.OTHER,      False, "5.1.8"),
    ("failed",    "5.2.2",  "smtp; 552 5.2.2 over quota",          BOUNCED,   RejectReason.BOUNCED,    False, "5.2.2"),
    ("failed",    "4.2.2",  "smtp; 452 4.2.2 over quota",          BOUNCED,   RejectReason.TIMED_OUT,  False, "4.2.2"),
    ("failed",    "4.4.7",  "",                                    BOUNCED,   RejectReason.TIMED_OUT,  False, "4.4.7"),
    ("failed",    "5.7.1",  "smtp; 554 5.7.1 listed",              BOUNCED,   RejectReason.BLOCKED,    False, "5.7.1"),
    ("failed",    "5.0.0",  "smtp; 550 5.1.1 unknown",             BOUNCED,   RejectReason.INVALID,    True,  "5.1.1"),
    ("failed",    "5.0.0",  "smtp; 550 no",                        BOUNCED,   RejectReason.BOUNCED,    False, "5.0.0"),
    ("failed",    "5.1.1",  "smtp; 550 5.7.1 listed",              BOUNCED,   RejectReason.BLOCKED,    False, "5.7.1"),
    ("failed",    "",       "",                                    BOUNCED,   RejectReason.BOUNCED,    False, None),
    ("Failed (x)", "5.1.1 (bad)", "",                              BOUNCED,   RejectReason.INVALID,    True,  "5.1.1"),
    ("delayed",   "4.4.1",  "",                                     DEFERRED,  RejectReason.TIMED_OUT,  False, "4.4.1"),
    ("delivered", "2.0.0",  "",                                   DELIVERED, None,                    False, "2.0.0"),
    ("relayed",   "2.0.0",  "",                                   DELIVERED, None,                    False, "2.0.0"),
    ("expanded",  "2.0.0",  "",                                   UNKNOWN,   None,                    False, "2.0.0"),
    ("delivered", "5.1.1",  "",                                   UNKNOWN,   None,                    False, "5.1.1"),
    ("failed",    "2.0.0",  "",                                   UNKNOWN,   None,                    False, "2.0.0"),
    ("eaten",     "5.1.1",  "",                                   UNKNOWN,   None,                    False, "5.1.1"),
    ("",          "5.1.1",  "",                                    BOUNCED,   RejectReason.INVALID,    True,  "5.1.1"),
    ("",          "4.1.1",  "",                                     DEFERRED,  RejectReason.TIMED_OUT,  False, "4.1.1"),
    ("",          "",       "",                                   UNKNOWN,   None,                    False, None),
]  # fmt: skip


@pytest.mark.parametrize(("action", "status", "diagnostic", "becomes", "reason", "dead", "code"), MEANINGS)
def test_a_report_means(
    action: str, status: str, diagnostic: str, becomes: ReceiptStatus, reason: Any, dead: Any, code: str | None
) -> None:
    """Action and status of RFC 3464, with the server's own words where the status says nothing."""
    found = bounce(report(REPORTING, about(action, status, diagnostic=diagnostic)))
    receipt = found.receipt
    assert (receipt.status, receipt.reason, receipt.address_dead, receipt.code) == (becomes, reason, dead, code)
    assert (receipt.delivery, receipt.at) == (DELIVERY, NOW)
    assert found.recipients == (OURS,)
    assert found.message_id == f"<{DELIVERY}@school.example.org>"
    assert receipt.explanation
    assert OURS not in receipt.explanation


@pytest.mark.parametrize(
    ("content", "becomes", "code", "dead"),
    [
        pytest.param(mails.GMAIL_FULL, BOUNCED, "5.2.2", False, id="Gmail"),
        pytest.param(mails.EXCHANGE_UNKNOWN, BOUNCED, "5.1.10", True, id="Exchange"),
        pytest.param(mails.POSTFIX_DELAYED, DEFERRED, "4.2.0", False, id="Postfix"),
        pytest.param(mails.QMAIL, BOUNCED, "5.1.1", True, id="qmail"),
        pytest.param(mails.EXCHANGE_OLD, BOUNCED, "5.7.1", False, id="old Exchange"),
    ],
)
def test_reports_of_known_programs(content: bytes, becomes: ReceiptStatus, code: str, dead: Any) -> None:
    """Reports in the forms that come in practice."""
    found = bounce(content)
    assert (found.receipt.status, found.receipt.code, found.receipt.address_dead) == (becomes, code, dead)
    assert OURS in found.recipients


def test_the_gravest_of_several_recipients_counts() -> None:
    """An alias has two mailboxes, and one is gone: whoever reads there may have got nothing."""
    found = bounce(
        report(
            REPORTING,
            about("delivered", "2.0.0", address="one@example.org"),
            about("failed", "5.1.1", address="two@example.org"),
            about("delayed", "4.1.1", address="three@example.org"),
        )
    )
    assert (found.receipt.status, found.receipt.code) == (BOUNCED, "5.1.1")
    assert found.recipients == ("one@example.org", "two@example.org", "three@example.org")
    assert found.gone == ("two@example.org",)


def test_the_mailbox_that_is_gone_is_the_last_on_the_way() -> None:
    """Ours was passed on to another address, and that one is gone."""
    fields = about("failed", "5.1.1", address="further@example.net") + f"\nOriginal-Recipient: rfc822;{OURS}"
    found = bounce(report(REPORTING, fields))
    assert (found.recipients, found.gone) == ((OURS, "further@example.net"), ("further@example.net",))


@pytest.mark.parametrize("other", [{"kind": "global-delivery-status"}, {"original": "message/global"}])
def test_reports_about_addresses_in_other_scripts(other: dict[str, str]) -> None:
    """RFC 6533 has names of its own for the same parts."""
    fields = "Final-Recipient: utf-8; łucja@example.org\nAction: failed\nStatus: 5.1.1"
    found = bounce(report(REPORTING, fields, **other))
    assert (found.receipt.status, found.recipients) == (BOUNCED, ("łucja@example.org",))
    assert found.message_id is not None


@pytest.mark.parametrize("kind", ["abuse", "fraud", "Other", "opt-out"])
def test_a_complaint_is_one(kind: str) -> None:
    """RFC 5965: the recipient pressed the button."""
    found = bounce(mails.ARF.replace(b"Feedback-Type: abuse", f"Feedback-Type: {kind}".encode()), sender="fbl@x.org")
    assert (found.receipt.status, found.receipt.reason) == (ReceiptStatus.COMPLAINED, RejectReason.SPAM)
    assert found.recipients == (OURS,)
    assert found.message_id == f"<{DELIVERY}@school.example.org>"


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure", "dmarc", ""])
def test_other_feedback_is_none(kind: str) -> None:
    """Who takes a complaint back must not be cut off."""
    found = bounce(mails.ARF.replace(b"Feedback-Type: abuse", f"Feedback-Type: {kind}".encode()))
    assert found.receipt.status is UNKNOWN


@pytest.mark.parametrize("name", mails.AWAY)
def test_absences_are_no_answers(name: str) -> None:
    """Whatever language the program speaks, and at whichever address it arrives."""
    content = mails.AWAY[name]
    at_bounce = bounce(content, sender="parent@example.org")
    at_reply = answered(content)
    assert isinstance(at_reply, Report)
    assert {at_bounce.receipt.status, at_reply.receipt.status} == {ReceiptStatus.AUTORESPONDED}


@pytest.mark.parametrize(
    ("body", "subject", "becomes", "code"),
    [
        ("I could not deliver it: 550-5.1.1 no such user", "failure notice", BOUNCED, "5.1.1"),
        ("Sorry, no mailbox here by that name. (#5.1.1)", "failure notice", BOUNCED, "5.1.1"),
        ("Remote host said: 550 unknown user", "failure notice", BOUNCED, "5.0.0"),
        ("I tried for 5 days: 451 4.4.1 no answer", "failure notice", BOUNCED, "4.4.1"),
        ("Still trying: 451 4.4.1 no answer. No action is required.", "Delivery warning", DEFERRED, "4.4.1"),
        ("Exim 4.96.2 at 5.1.1.25 wishes you a good day", "hello", UNKNOWN, None),
        ("", "", UNKNOWN, None),
    ],
)
def test_reports_for_people_only(body: str, subject: str, becomes: ReceiptStatus, code: str | None) -> None:
    """A status code is believed where one stands; numbers that only look like one are not."""
    found = bounce(letter(body, subject=subject, author="MAILER-DAEMON@mx.example.net"))
    assert (found.receipt.status, found.receipt.code) == (becomes, code)


@pytest.mark.parametrize(
    ("body", "becomes"),
    [
        ("I shall reply when I am back; until then ask in room 512.", UNKNOWN),
        ("Away until June. Sent with Mail 5.1.1", UNKNOWN),
        ("Your mail to parent@example.org was refused: 550 5.1.1 no such user", BOUNCED),
    ],
)
def test_an_unmarked_absence_is_no_bounce(body: str, becomes: ReceiptStatus) -> None:
    """Some programs answer for who is away from the empty sender and say nowhere that they are machines."""
    assert bounce(letter(body, subject="Gone fishing"), sender="").receipt.status is becomes


def test_our_own_words_are_no_status() -> None:
    """What stands in the copy of our mail says nothing about its delivery."""
    copy = "It did not work.\n\n--- Original message follows\nReceived: x\nSubject: Room 5.1.1, said: 550 pupils"
    assert bounce(letter(copy, author="postmaster@mx.example.net")).receipt.status is UNKNOWN


def test_a_person_who_writes_to_the_return_path_is_heard() -> None:
    """Some mail programs answer there."""
    found = read_bounce(arrival(letter("She is ill."), sender="parent@example.org"))
    assert isinstance(found, Inbound)
    assert found.body == "She is ill."


@pytest.mark.parametrize("content", [report(REPORTING, about("failed", "5.1.1")), mails.ARF, mails.QMAIL])
def test_an_address_for_answers_takes_no_reports(content: bytes) -> None:
    """Whoever reads a mail knows it: nothing that comes there fails a delivery or opts anybody out."""
    found = answered(content, sender="")
    assert isinstance(found, Report)
    assert found.receipt.status is ReceiptStatus.AUTORESPONDED
    assert not found.receipt.address_dead


# --- a person's words ------------------------------------------------------------------------------------------


def mixed() -> EmailMessage:
    """Write a mail with text, HTML and a photograph."""
    mail = EmailMessage()
    mail["From"], mail["Subject"], mail["Message-ID"] = "Żaneta <parent@example.org>", "Re: Invented", "<2@example.org>"
    mail.set_content("Proszę, oto zdjęcie.")
    mail.add_alternative("<p>Proszę, <b>oto</b> zdjęcie.</p>", subtype="html")
    mail.add_attachment(b"\xff\xd8picture", maintype="image", subtype="jpeg", filename="zdjęcie ../1.jpg")
    return mail


def test_the_plain_text_and_the_files() -> None:
    """The plain part once, and what came with it under a harmless name."""
    found = words(mixed().as_bytes())
    assert (found.sender, found.body, found.cut) == ("parent@example.org", "Proszę, oto zdjęcie.", False)
    (picture,) = found.enclosures
    assert (picture.content, picture.content_type) == (b"\xff\xd8picture", "image/jpeg")
    assert picture.name == "zdjęcie .._1.jpg"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>One</p><p>Two &amp; three</p>", "One\n\nTwo & three"),
        ("One<br>Two<br><br>Three", "One\nTwo\n\nThree"),
        ("<div>One</div><div> </div><div>Two</div>", "One\nTwo"),
        ("Yes<blockquote>Ill?<blockquote>deeper</blockquote></blockquote>Bye", "Yes\n> Ill?\n> > deeper\nBye"),
        ("<style>p{}</style><script>evil('</p>')</script>Words<!-- not <b> these -->", "Words"),
        ("<head><title>x</title></head><body>a<td>b</td><td>c</td></body>", "ab | c"),
        ("never <!-- ended <p>words", "never ended\nwords"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<ul><li>one<li>two</ul>", "one\ntwo"),
        ("<script>never ended, still here", "never ended, still here"),
        ("One&#" + "9" * 5_000 + ";two", "One\ufffdtwo"),
    ],
)  # fmt: skip
def test_words_of_html(source: str, text: str) -> None:
    """Lines, quotes and lists stay; what nobody sees goes; what is broken stays as words."""
    assert words_of_html(source) == (text, True)


def test_html_alone_is_read() -> None:
    """Some phones send nothing else."""
    mail = EmailMessage()
    mail["From"] = "parent@example.org"
    mail.set_content("<p>Tak, <i>będzie</i>.</p>", subtype="html")
    assert words(mail.as_bytes()).body == "Tak, będzie."


@pytest.mark.parametrize(
    ("subject", "body", "kept"),
    [
        ("Re: Invented", "Yes.", "Yes."),
        ("AW: Invented", "Ja.", "Ja."),
        ("She is ill", "Sorry.", "She is ill\n\nSorry."),
        ("Yes, he may go", "", "Yes, he may go"),
        ("Re: Yes, he may go", "", "Re: Yes, he may go"),
    ],
)
def test_words_in_the_subject_are_words(subject: str, body: str, kept: str) -> None:
    """Some people write nothing else; an answer's own subject is ours and adds nothing."""
    assert words(letter(body, subject=subject)).body == kept


@pytest.mark.parametrize("mark", [{"X_Auto_Response_Suppress": "OOF, AutoReply"}, {"Precedence": "bulk"}])
def test_what_companies_put_on_all_their_mail_silences_nobody(mark: dict[str, str]) -> None:
    """Some mark every mail so, to be spared absences: what is an answer by its subject is a person's."""
    assert words(letter("She is ill.", subject="Re: Invented", **mark)).body == "She is ill."


@pytest.mark.parametrize(
    ("author", "sender"),
    [
        ("mum@example.org", "mum@example.org"),
        ("Mum <MUM@Example.org>", "mum@example.org"),
        ('"dad@example.org" <mum@example.org>', "mum@example.org"),
        ('"<dad@example.org>" <mum@example.org>', "mum@example.org"),
        ("nobody at all", "envelope@example.org"),
    ],
)
def test_the_author_is_who_the_header_names(author: str, sender: str) -> None:
    """Not what stands in the name; and the envelope's where the header names nobody."""
    content = f"From: {author}\r\nSubject: Re: x\r\n\r\nYes.".encode()
    found = answered(content, sender="envelope@example.org")
    assert isinstance(found, Inbound)
    assert found.sender == sender


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        (b"utf-8", "Zażółć gęślą jaźń"),
        (b"iso-8859-2", "Zażółć gęślą jaźń"),
        (b"windows-1251", "Дякую"),
        (b"gb18030", "谢谢"),
        (b"no-such-charset", "Zażółć"),
        (b'utf-8; x="', "Zażółć"),
        (b"punycode", "abc-"),
        (b"us-ascii", "Zażółć"),
    ],
)  # fmt: skip
def test_character_sets(charset: bytes, text: str) -> None:
    """Known ones are read, others guessed; nothing is lost or fails."""
    content = text.encode(charset.decode() if charset[:3] in {b"iso", b"win", b"gb1"} else "utf-8")
    mail = b"From: a@example.org\r\nContent-Type: text/plain; charset=" + charset + b"\r\n\r\n" + content
    assert words(mail).body == text


@pytest.mark.parametrize("charset", ["utf-7", "utf-16-le", "utf-32-be"])
def test_halves_of_characters_become_marks(charset: str) -> None:
    """UTF-7 can write what no other encoding and no database takes."""
    half = {"utf-7": b"+2AA-", "utf-16-le": b"\x00\xd8x\x00", "utf-32-be": b"\0\0\xd8\0"}[charset]
    mail = f"From: a@example.org\r\nContent-Type: text/plain; charset={charset}\r\n\r\n".encode() + half
    assert words(mail).body[0] == "\ufffd"


@pytest.mark.parametrize(
    ("encoding", "raw", "text"),
    [
        (b"base64", b"SGVsbG8=", "Hello"),
        (b"base64", b"SGVs\r\nbG8", "Hello"),
        (b"base64", b"SGVsbG8 !!!! =", "Hello"),
        (b"base64", b"SGVsbG8h!Q", "Hello!"),
        (b"quoted-printable", b"H=C3=A9llo=\r\n there", "Héllo there"),
        (b"quoted-printable", b"=C3", "\ufffd"),
        (b"x-unheard-of", b"Hello", "Hello"),
    ],
)
def test_broken_encodings(encoding: bytes, raw: bytes, text: str) -> None:
    """As much is decoded as can be."""
    mail = b"From: a@example.org\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + raw
    assert words(mail).body == text


# --- told twice ------------------------------------------------------------------------------------------------


def event(content: bytes, **envelope: str) -> str:
    """Give the id of what a mail tells."""
    found = read_bounce(arrival(content, **envelope))
    return found.receipt.event_id if isinstance(found, Report) else found.event_id


def test_the_same_mail_is_the_same_event() -> None:
    """Whatever way it took the second time; other news in a mail of the same name are other news."""
    first = report(REPORTING, about("delayed", "4.4.1"))
    by_detour = b"Received: from elsewhere\r\n" + first
    final = report(REPORTING, about("failed", "4.4.1"))
    assert event(first) == event(by_detour)
    assert event(first) != event(final)
    unnamed = re.sub(rb"Message-ID: <1@[^\r]*\r\n", b"", first)
    assert event(unnamed) == event(b"Received: from elsewhere\r\n" + unnamed)
    assert event(letter("One"), sender="a@b.org") == event(b"X-Scanned: yes\r\n" + letter("One"), sender="a@b.org")
    assert event(letter("One"), sender="a@b.org") != event(letter("Two"), sender="a@b.org")


# --- hostile mails ---------------------------------------------------------------------------------------------


def read_both_ways(content: bytes, sender: str = "") -> list[Receipt | Inbound]:
    """Read a mail at both kinds of address."""
    found = [read_bounce(arrival(content, sender=sender)), answered(content, sender=sender)]
    return [each.receipt if isinstance(each, Report) else each for each in found]


@settings(max_examples=300)
@given(st.binary(max_size=2_000), st.sampled_from(["", "parent@example.org"]))
@example(b"", "a@example.org")
@example(b"\r\n", "")
@example(b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n", "a@example.org")
@example(b'Content-Type: multipart/report; boundary="a\r\n\r\n--a\r\nContent-Type: message/delivery-status\r\n\r\n', "")
def test_no_bytes_are_too_strange(content: bytes, sender: str) -> None:
    """Anything is read, and is about the delivery of its address alone."""
    for found in read_both_ways(content, sender):
        assert found.delivery == DELIVERY


@settings(max_examples=300)
@given(
    st.sampled_from([mails.GMAIL_FULL, mails.ARF, mails.QMAIL, mixed().as_bytes(), *mails.AWAY.values()]),
    st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 40), st.binary(max_size=20)), max_size=6),
)
def test_no_mutilation_is_too_strange(content: bytes, wounds: list[tuple[int, int, bytes]]) -> None:
    """Cut, overwritten and truncated mails are read."""
    for place, length, instead in wounds:
        content = content[:place] + instead + content[place + length :]
    for found in read_both_ways(content, "parent@example.org"):
        assert found.delivery == DELIVERY


def nested(depth: int) -> bytes:
    """Put a mail into a mail into a mail."""
    head = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(depth)
    )
    return b"From: a@example.org\r\n" + head + b"\r\nThe words.\r\n"


def parts_with(header: bytes) -> bytes:
    """Write a mail of many parts that have the same header."""
    parts = (b"--b\r\n" + header + b"\r\n" + header.replace(b"Type", b"Disposition") + b"\r\n\r\nx\r\n") * MOST_PARTS
    return b"From: a@b.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + parts


HOSTILE = {
    "nested": nested(2_000),
    "parts": b"From: a@b.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 200_000,
    "a long header": b"From: a@example.org\r\nX-Long: " + b"y" * 2_000_000 + b"\r\n\r\nThe words.",
    "many headers": b"From: a@example.org\r\n" + b"X: y\r\n" * 300_000 + b"\r\nThe words.",
    "folded": b"From: a@example.org\r\n" + b" y\r\n" * 300_000 + b"\r\nThe words.",
    "addresses": b"From: " + b"(<a@" * 500_000 + b"\r\n\r\nThe words.",
    "comments": b"From: a@example.org\r\nContent-Type: text/html\r\n\r\n" + b"<!-- <script> " * 100_000,
    "tags": b"From: a@example.org\r\nContent-Type: text/html\r\n\r\n" + b"<div> <b " * 200_000,
    "encoded words": b"From: a@example.org\r\nSubject: " + b"=?utf-8?q?=?= " * 100_000 + b"\r\n\r\nThe words.",
    "parameters": b"From: a@example.org\r\nContent-Type: text/plain; " + b'a="\\";' * 100_000 + b"\r\n\r\nThe words.",
    "semicolons": parts_with(b'Content-Type: text/plain; a="' + b";" * 3_900),
    "base64": b"From: a@b.org\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"AAAA\r\n" * 1_600_000,
    "long recipients": report(*[f"Final-Recipient: {'a' * 3_900}\nStatus: 5.1.1"] * 60),
    "statuses": b"From: MAILER-DAEMON@x\r\n\r\n" + b"said 5.1.1.1 error " * 100_000,
    "blank lines": report("\n\n" * 100_000),
    "fields": report(*[f"Final-Recipient: x\nStatus: 5.{number}" for number in range(20_000)]),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_limits_hold(name: str) -> None:
    """Mails made to cost much cost little: each is read within a second, also on a slow machine."""
    began = dt.datetime.now(dt.UTC)
    assert all(found.delivery == DELIVERY for found in read_both_ways(HOSTILE[name], "a@example.org"))
    assert dt.datetime.now(dt.UTC) - began < dt.timedelta(seconds=10)


def test_what_lies_beyond_a_limit_is_said_to_be_missing() -> None:
    """Nobody should believe that they have read all of it."""
    assert not words_of(read_mail(HOSTILE["parts"])).whole
    assert len(read_mail(HOSTILE["parts"]).parts) == MOST_PARTS
    assert words(HOSTILE["nested"]).cut
    assert "The words." in words(HOSTILE["nested"]).body
    assert "The words." in words(HOSTILE["many headers"]).body
