"""Authors' texts are read as meant, or refused with a sentence that helps."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.template import (
    Field,
    Heading,
    Inset,
    Items,
    Link,
    Paragraph,
    Rule,
    Source,
    TemplateError,
    Text,
    is_safe_address,
    parse,
    read_source,
)


def body(text: str) -> tuple[object, ...]:
    """Parse a body and give its blocks."""
    return parse(Source(language="en", subject="News", body=text)).blocks


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("# Trip", [Heading(1, (Text("Trip"),))]),
        ("## Trip ##", [Heading(2, (Text("Trip"),))]),
        ("#### Deep", [Heading(2, (Text("Deep"),))]),
        ("#hashtag", [Paragraph((Text("#hashtag"),))]),
        ("Yours,\nMrs Smith", [Paragraph((Text("Yours,"), Text("\n"), Text("Mrs Smith")))]),
        ("one\r\n\r\ntwo", [Paragraph((Text("one"),)), Paragraph((Text("two"),))]),
        ("* a\n- b\n• c", [Items(False, ((Text("a"),), (Text("b"),), (Text("c"),)))]),
        ("- a\n  more\n\n- b", [Items(False, ((Text("a more"),), (Text("b"),)))]),
        ("1. a\n2) b", [Items(True, ((Text("a"),), (Text("b"),)))]),
        ("1. a\n\n12. März ist frei", [Items(True, ((Text("a"),),)), Paragraph((Text("12. März ist frei"),))]),
        ("12. März ist frei", [Paragraph((Text("12. März ist frei"),))]),
        ("^ Stop\n^ now\nthen", [Inset((Text("Stop"), Text("\n"), Text("now"))), Paragraph((Text("then"),))]),
        ("a\n---\nb", [Paragraph((Text("a"),)), Rule(), Paragraph((Text("b"),))]),
        ("((dates))", [Paragraph((Field("dates"),))]),
        ("((Kit_list?? Bring a hat))", [Paragraph((Field("kitlist", "Bring a hat"),))]),
    ],
)
def test_blocks(text: str, blocks: list[object]) -> None:
    """Every kind of block is recognised, and dates are not taken for numbered lists."""
    assert body(text) == tuple(blocks)


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("[Pay](https://pay.example.org/a?b=c)", [("Pay", "https://pay.example.org/a?b=c")]),
        ("see https://a.example.org/x.", [("https://a.example.org/x", "https://a.example.org/x")]),
        ("请看https://a.example.org/x。谢谢", [("https://a.example.org/x", "https://a.example.org/x")]),
        ("[Mail us](mailto:office@example.org)", [("Mail us", "mailto:office@example.org")]),
        ("[Call](tel:+442079460123)", [("Call", "tel:+442079460123")]),
        ("[see](p. 3)", []),
        ("[x] done", []),
    ],
)
def test_links(text: str, links: list[tuple[str, str]]) -> None:
    """Links are found without the punctuation that follows them."""
    paragraph = body(text)[0]
    assert isinstance(paragraph, Paragraph)
    found = [part for part in paragraph.content if isinstance(part, Link)]
    assert [
        ("".join(part.text for part in link.content), "".join(part.text for part in link.address)) for link in found
    ] == links


def test_a_link_may_hold_placeholders() -> None:
    """A link's words, its whole address or a part of it may come from values."""
    template = parse(
        Source(language="en", subject="Hi", body="[Slot for ((name))](((booking link))) https://x.example.org/((id))/y")
    )
    assert template.placeholders == {"name", "bookinglink", "id"}
    assert template.addresses == {"bookinglink"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a\n((name", "Line 2: '((name' opens a placeholder that is never closed by '))' or holds a bracket."),
        ("((?? text))", "Line 1: '((?? text))' has no name between its brackets."),
        ("[x](javascript:alert)", "Line 1: a link must start with http:, https:, mailto: or tel:, not "),
        ("[x](/relative)", "Line 1: a link must start with http:, https:, mailto: or tel:, not '/relative'."),
        ("[x](((link))/y)", "Line 1: a link that starts with a placeholder must be that placeholder alone."),
        ("* ok\n* ((a(b)))", "Line 2: "),
        (" \n", "The body is empty: give the message a text."),
    ],
)
def test_refusals_name_the_line(text: str, sentence: str) -> None:
    """An author learns in one sentence what to change, and where."""
    with pytest.raises(TemplateError) as refused:
        body(text)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(("subject", "language"), [("  ", "en"), ("News", "no such language")])
def test_refusals_of_the_rest(subject: str, language: str) -> None:
    """A subject and a language are needed."""
    with pytest.raises(TemplateError):
        parse(Source(language=language, subject=subject, body="x"))


def test_names_are_normalised() -> None:
    """Case, blanks, underscores and hyphens in names do not count."""
    template = parse(Source(language="en", subject="((First Name))", body="((first_name)) ((FIRST-NAME))"))
    assert template.placeholders == {"firstname"}


def test_the_short_text_counts() -> None:
    """Placeholders of the short text are needed, too."""
    template = parse(Source(language="pt_BR", subject="a", body="b", short="((when))\nnow"))
    assert template.placeholders == {"when"}
    assert template.short == (Field("when"), Text(" now"))
    assert template.language == "pt-BR"


def test_a_library_file() -> None:
    """A library file has headers, a blank line and a body."""
    source = read_source("cy", "subject: Newyddion: ((issue))\r\nshort: Newyddion\r\n\r\n# Helo\r\n\r\nTestun\n")
    assert source == Source(language="cy", subject="Newyddion: ((issue))", short="Newyddion", body="# Helo\n\nTestun")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("short: x\n\nbody", "Line 1: a template starts with 'subject: …'"),
        ("subject: x", "Line 1: a template starts with 'subject: …'"),
        ("subject: x\ntitle: y\n\nbody", "Line 2: expected 'subject: …' or 'short: …'"),
        ("subject: x\nsubject: y\n\nbody", "Line 2: 'subject' is given twice."),
    ],
)
def test_bad_library_files(text: str, sentence: str) -> None:
    """A library file that is not in the format is refused."""
    with pytest.raises(TemplateError) as refused:
        read_source("en", text)
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://a.example.org", True),
        ("HTTP://a.example.org", True),
        ("mailto:a@example.org", True),
        ("tel:+442079460123", True),
        ("https:a.example.org", False),
        ("https://", False),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://a.example.org/ b", False),
        ("https://a.example.org/\n", False),
        ("", False),
    ],
)
def test_safe_addresses(address: str, *, safe: bool) -> None:
    """Only pages, mailboxes and telephones may be linked to."""
    assert is_safe_address(address) is safe


@given(st.text(alphabet=st.sampled_from("ab1.-*#^_[]()? \n:/h"), max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the parser fail in any other way than by a sentence for its author."""
    with suppress(TemplateError):
        assert body(text)


def test_reading_stays_fast() -> None:
    """Texts made to slow the parser down are read in about linear time."""
    for hostile in ("((a))[" * 2000, "# " + " " * 20000 + "x", "[((a))" * 2000, "https://" + "." * 20000, "- " * 20000):
        body(hostile)
