"""What each channel carries of a text, in whose language, and to whom by name."""

# ruff: noqa: RUF001 - letters and marks of other scripts are what these tests are about

from pathlib import Path
from typing import Any

import pytest

from channels.sms_segments import LIMIT
from gateway.content.catalogues import Catalogues
from gateway.content.policy import Look, Policy
from gateway.content.prepared import Prepared, prepare
from gateway.content.reader import Personal, SchoolFacts
from gateway.content.template import Source, Template, parse, read_source
from gateway.content.values import combine, shared

SCHOOL = SchoolFacts(name="St Anne's", zone="Europe/London")
SECRET = "behaviour plan"
LINK = "https://gateway.example.org/d/1"
READER = Personal(
    contact_name="Ms Kowalska",
    student_names=("Ana", "Ben"),
    link=LINK,
    unsubscribe_link="https://gateway.example.org/u/1",
)
URDU = (
    'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    'msgid "parent or carer"\nmsgstr "سرپرست"\n\n'
    'msgid "This is a message from %(school)s."\nmsgstr "یہ %(school)s کی طرف سے پیغام ہے۔"\n\n'
    'msgid "DRILL"\nmsgstr "مشق"\n'
).encode()
CATALOGUES = Catalogues.from_files({"ur": URDU})


def text(short: str | None = None, language: str = "en", body: str = f"The {SECRET} of ((student_names))") -> Template:
    """Parse a text."""
    return parse(Source(language=language, subject=f"About the {SECRET}", body=body, short=short))


def made(template: Template | None = None, reader_language: str = "en", **facts: Any) -> Prepared:
    """Prepare a text of sensitivity 0 unless told otherwise."""
    facts = {"policy": Policy(sensitivity=0), "catalogues": CATALOGUES, "school": SCHOOL, **facts}
    return prepare(template or text(), reader_language=reader_language, **facts)


def mail(prepared: Prepared, reader: Personal = READER) -> tuple[str, str, str]:
    """Write a mail's subject, plain and HTML part out."""
    filled = prepared.fill_email(reader)
    parts = ((prepared.subject, filled.subject), (prepared.plain, filled.plain), (prepared.html or (), filled.html))
    subject, plain, html = (
        "".join(part if isinstance(part, str) else words[part] for part in fragments) for fragments, words in parts
    )
    return subject, plain, html


@pytest.mark.parametrize(
    ("policy", "short", "in_mail", "in_text", "in_call"),
    [
        (Policy(sensitivity=0), None, SECRET, SECRET, SECRET),
        (Policy(sensitivity=0), "Short news", SECRET, "Short news", SECRET),
        (Policy(sensitivity=1), None, SECRET, "you have a new message", "There is a message for you"),
        (Policy(sensitivity=1), "Short news", SECRET, "Short news", "Short news"),
        (Policy(sensitivity=1, in_full=True), None, SECRET, SECRET, SECRET),
        (Policy(sensitivity=1, in_full=True), "Short news", SECRET, "Short news", SECRET),
        (Policy(sensitivity=2), None, "Open it here", "a document is ready", "There is a message for you"),
        (Policy(sensitivity=2), "Short news", "Open it here", "a document is ready", "There is a message for you"),
        (
            Policy(sensitivity=2, in_full=True),
            None,
            "Open it here",
            "a document is ready",
            "There is a message for you",
        ),
    ],
)
def test_lock_screens(policy: Policy, short: str | None, in_mail: str, in_text: str, in_call: str) -> None:
    """Each channel carries what its lock screen may show (R41); letter and secure page always carry the text."""
    prepared = made(text(short), policy=policy)
    subject, plain, html = mail(prepared)
    sms, call = prepared.fill_text(READER), prepared.fill_speech(READER)
    assert in_mail in plain
    assert in_mail in html
    assert in_text in sms
    assert in_call in call
    assert (LINK in sms) is (in_text in {"you have a new message", "a document is ready"})
    for channel, carried in ((plain, in_mail), (html, in_mail), (sms, in_text), (call, in_call)):
        assert (SECRET in channel) is (carried == SECRET)
    assert (SECRET in subject) is (policy.sensitivity < 2)
    letter_subject, blocks = prepared.fill_letter(READER)
    assert SECRET in letter_subject
    assert SECRET in str(blocks)
    assert SECRET in prepared.fill_page(READER)


def test_the_document_notice() -> None:
    """A sensitive mail is a notice: greeting, about whom, the link, a warning, and why it came."""
    subject, plain, _ = mail(made(policy=Policy(sensitivity=2)))
    assert subject == "A document from St Anne's is ready for you"
    assert plain == (
        "Dear Ms Kowalska,\n\nSt Anne's has a document for you about Ana and Ben.\n\n"
        f"Open it here: {LINK}\n\n"
        "You will be asked to confirm who you are. This link is for you alone: please do not pass it on.\n\n---\n\n"
        "You receive this message because St Anne's has you on record as a contact of Ana and Ben.\n\n"
    )


def test_a_long_text_message_gives_way() -> None:
    """Over 918 characters a text message is the subject and a link; a personal one not even the subject."""
    long = text(body="word " * 200)
    assert made(long).fill_text(READER) == f"About the {SECRET} {LINK}"
    in_full = Policy(sensitivity=1, in_full=True)
    assert made(long, policy=in_full).fill_text(READER) == f"About the {SECRET} {LINK}"
    personal = made(text(short="word " * 200), policy=Policy(sensitivity=1)).fill_text(READER)
    assert personal == f"St Anne's: you have a new message. {LINK}"


def test_the_limit_counts_after_filling() -> None:
    """A text is measured with its values in place."""
    prepared = made(text(body="((note))"))
    fitting = LIMIT - len(f"About the {SECRET}\n")
    for length, whole in ((fitting, True), (fitting + 1, False)):
        reader = Personal(contact_name="A", student_names=("B",), link=LINK, values={"note": "x" * length})
        assert (LINK not in prepared.fill_text(reader)) is whole


def test_neutral_messages_name_nobody() -> None:
    """Where others may read along neither contact nor student is named (R29)."""
    prepared = made(text(body="Dear ((contact_name)), about ((student_names)).\n\n((student_names))"), neutral=True)
    channels = (*mail(prepared), prepared.fill_text(READER), prepared.fill_speech(READER))
    for channel in (*channels, prepared.fill_page(READER), str(prepared.fill_letter(READER))):
        assert not {name for name in ("Kowalska", "Ana", "Ben") if name in channel}
    assert "Dear parent or carer, about your children." in channels[1]
    assert "has this address on record" in channels[1]
    assert prepared.fill_email(READER).to_name == ""


def test_unsubscribing_is_for_what_may_be_refused() -> None:
    """Only categories that may be refused carry the way out."""
    for offered in (True, False):
        _, plain, html = mail(made(policy=Policy(sensitivity=0, unsubscribe=offered)))
        assert (READER.unsubscribe_link in plain) is offered
        assert (f'href="{READER.unsubscribe_link}"' in html) is offered


def test_a_drill_says_so_everywhere() -> None:
    """No channel lets an exercise be taken for an emergency."""
    prepared = made(policy=Policy(sensitivity=1, in_full=True, drill=True))
    subject, plain, html = mail(prepared)
    for opening in (subject, plain, prepared.fill_text(READER), prepared.fill_speech(READER)):
        assert opening.startswith("DRILL")
    assert "<h1" in html.split("DRILL", 2)[1]
    letter_subject, blocks = prepared.fill_letter(READER)
    assert letter_subject == f"DRILL: About the {SECRET}"
    assert blocks[0]["text"] == [{"text": "DRILL", "link": None}]


def test_a_text_in_another_language() -> None:
    """The frame is in the reader's language, the text keeps its own, and a note says which."""
    prepared = made(reader_language="ur", policy=Policy(sensitivity=1, in_full=True, drill=True))
    _, plain, html = mail(prepared)
    assert plain.startswith("مشق\n\nThis message is written in انگریزی.")  # the test catalogue lacks the note
    assert '<html lang="ur" dir="rtl">' in html
    assert f'<div lang="en" dir="ltr">\n<p style="margin:0 0 1em">The {SECRET} of Ana and Ben</p>' in html
    assert prepared.speech_language == "en"
    assert prepared.fill_speech(READER).startswith("DRILL.\nThis is a message from St Anne's.")
    _, blocks = prepared.fill_letter(READER)
    assert [block.get("language") for block in blocks] == ["ur", "ur", None, "ur"]


def test_no_note_for_readers_of_the_language() -> None:
    """Who asked for the language of the text needs no note, even where the frame falls back to English."""
    _, plain, _ = mail(made(text(language="so", body="Salaan"), reader_language="so"))
    assert "written in" not in plain
    _, plain, _ = mail(made(reader_language="en-US"))
    assert "written in" not in plain


def test_values_stand_in_the_language_of_their_text() -> None:
    """A date in an Urdu text is Urdu, isolated; the same value all readers share is filled only once."""
    template = text(language="ur", body="تاریخ ((day))، ((room))")
    values, of_students = {"day": "2026-06-15", "room": "Hall"}, {"1": {"room": "A"}, "2": {"room": "B"}}
    prepared = made(template, reader_language="ur", values=shared(values, of_students))
    reader = Personal(
        contact_name="K",
        student_names=("Ana", "Ben"),
        values=combine([("1", "Ana"), ("2", "Ben")], values, of_students),
    )
    _, plain, _ = mail(prepared, reader)
    assert "تاریخ \u206815 جون، 2026\u2069، \u2068Ana\u2069: \u2068A\u2069؛ \u2068Ben\u2069: \u2068B\u2069" in plain
    assert {part.name for part in prepared.page if not isinstance(part, str)} == {"room"}


def test_requests_cannot_overrule_the_gateway() -> None:
    """A value named like one of the gateway's own never takes its place."""
    prepared = made(
        text(body="((contact_name)): ((link))"), values={"contactname": "Eve", "link": "https://evil.example.org"}
    )
    reader = Personal(contact_name="Ana", student_names=(), link=LINK, values={"link": "https://evil.example.org"})
    assert mail(prepared, reader)[1].startswith(f"Ana: {LINK}\n")


@pytest.mark.parametrize(
    ("formats", "look"),
    [
        ((), Look()),
        (("large_print_16",), Look(points=16, letter_points=16)),
        (("large_print_16", "large_print_20"), Look(points=20, letter_points=20)),
        (("large_print",), Look(points=16, letter_points=16)),
        (("text_only", "braille"), Look(html=False)),
    ],
)
def test_looks(formats: tuple[str, ...], look: Look) -> None:
    """Format needs become sizes and parts."""
    assert Look.of(formats) == look


def test_text_only_mails_have_no_html() -> None:
    """Readers who asked for text only get no HTML part."""
    prepared = made(look=Look(html=False))
    assert prepared.html is None
    assert prepared.fill_email(READER).html == {}


def test_the_library_is_sound() -> None:
    """Every template of the library can be prepared in its language and names the same values as the English one."""
    library = Path(__file__).parents[3] / "gateway/content/library"
    for english in sorted(library.glob("*/en.md")):
        wanted = parse(read_source("en", english.read_text(encoding="utf-8"))).placeholders
        for path in sorted(english.parent.glob("*.md")):
            template = parse(read_source(path.stem, path.read_text(encoding="utf-8")))
            assert template.placeholders == wanted, path
            assert made(template, reader_language=path.stem).fill_text(READER)


@pytest.mark.parametrize(
    ("policy", "body", "links"),
    [
        (Policy(sensitivity=0), "Hello", set()),
        (Policy(sensitivity=0, unsubscribe=True), "Hello", {"unsubscribelink"}),
        (Policy(sensitivity=0), "[Read more](((link)))", {"link"}),
        (Policy(sensitivity=0, answerable=True), "Hello", {"link"}),
        (Policy(sensitivity=2), "Hello", {"link"}),
    ],
)
def test_the_links_a_mail_waits_for(policy: Policy, body: str, links: set[str]) -> None:
    """Only they need to be signed, which costs as much as to fill the rest."""
    names = made(text(body=body), policy=policy).mail_holes.names
    assert names & {"link", "unsubscribelink"} == links


@pytest.mark.parametrize(
    ("contact", "student", "written"),
    [
        ("Ms O'Brien", "Ana", "About it\nDear Ms O'Brien - Ana isn't here..."),
        ("Ms O’Brien", "Ana", "About it\nDear Ms O’Brien – Ana isn’t here…"),
        ("Ms Kowalska", "Anne–Marie", "About it\nDear Ms Kowalska – Anne–Marie isn’t here…"),
        ("Mx Zoë", "Ñoño", "About it\nDear Mx Zoë – Ñoño isn’t here…"),
    ],
)
def test_a_text_message_leaves_names_as_people_write_them(contact: str, student: str, written: str) -> None:
    """Quotes, dashes and dots become cheap where that saves something, never inside of somebody's name."""
    source = Source(language="en", subject="About it", body="Dear ((contact_name)) – ((student_names)) isn’t here…")
    reader = Personal(contact_name=contact, student_names=(student,), link=LINK)
    assert made(parse(source)).fill_text(reader) == written
