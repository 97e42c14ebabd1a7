"""The same text on every channel: nothing lost, nothing injected."""

# ruff: noqa: RUF001 - letters and marks of other scripts are what these tests are about

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content import html, letter, plain, speech, text_message
from gateway.content.fragments import Fill, Form, Fragments, Slot, Words, bind, text_of
from gateway.content.template import Block, Source, Template, parse
from gateway.content.values import Value, words

BODY = """# Trip to ((place))

Dear ((name)),
see [the plan](https://a.example.org/p?id=((id))&x=1) or https://b.example.org/long/path.

((kit))

- a hat
- ((lunch??a lunch))

1. first

^ Call 020 7946 0123

---
((note))"""

VALUES: dict[str, Value] = {
    "place": "<Kew>",
    "name": 'A & "B"',
    "id": "1&2",
    "kit": ("boots", "coat"),
    "lunch": True,
    "note": "",
}


def template(body: str = BODY, language: str = "en") -> Template:
    """Parse a text."""
    return parse(Source(language=language, subject="News", body=body))


def said(values: dict[str, Value], slot: Slot) -> Words:
    """Put a value into words."""
    return words(values[slot.name], slot, "Europe/London")


def written(fragments: Fragments, fill: Fill, values: dict[str, Value]) -> str:
    """Fill a text's holes."""
    return text_of(fragments, lambda slot: fill(slot, said(values, slot)))


class Reader(HTMLParser):
    """Reads HTML the way a mail program would: elements, attributes and text."""

    def __init__(self, text: str) -> None:
        """Read a whole text."""
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element with the names of its attributes."""
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data


def test_html() -> None:
    """HTML has the structure of the text; values are text in it."""
    page = written(html.section(template().blocks, "en"), html.fill, VALUES)
    reader = Reader(page)
    assert [tag for tag, _ in reader.elements] == (
        [
            "div",
            "h1",
            "p",
            "br",
            "a",
            "a",
            "ul",
            "li",
            "li",
            "ul",
            "li",
            "li",
            "ol",
            "li",
            "div",
            "hr",
        ]  # the empty note leaves nothing
    )
    assert reader.links == ["https://a.example.org/p?id=1%262&x=1", "https://b.example.org/long/path"]
    assert "Trip to <Kew>" in reader.text
    assert 'Dear A & "B",' in reader.text


def test_a_value_that_is_a_web_address_becomes_a_link() -> None:
    """Readers can follow an address that comes as a value; other schemes stay text."""
    blocks = template("Open ((link)) or ((other))").blocks
    page = written(html.section(blocks, "en"), html.fill, {"link": "https://a.example.org/1", "other": "javascript:x"})
    assert Reader(page).links == ["https://a.example.org/1"]
    page = written(html.section(blocks, "en"), html.fill, {"link": "https://a.example.org and more", "other": "x"})
    assert Reader(page).links == []


def test_links_are_never_nested() -> None:
    """An address among the words of a link stays words."""
    blocks = template("[see ((link))](https://b.example.org)").blocks
    page = written(html.section(blocks, "en"), html.fill, {"link": "https://a.example.org/1"})
    assert Reader(page).links == ["https://b.example.org"]


@given(st.text(), st.booleans(), st.sampled_from(["en", "ur"]))
def test_no_value_injects_markup(value: str, as_list: bool, language: str) -> None:  # noqa: FBT001 - hypothesis
    """Whatever a value holds, the document keeps its elements, and only safe addresses become links."""
    body = "# ((a))\n\nx ((a)) y\n\n((a))\n\n[((a))](((a)))\n\nhttps://a.example.org/((a))\n\n^ ((a))"
    title = html.subject(parse(Source(language=language, subject="((a))", body="x")).subject, language)
    section = html.section(template(body, language).blocks, language)
    document = html.document(title, section, language, 12)
    page = written(document, html.fill, {"a": (value, value) if as_list else value})
    allowed = {"html", "head", "meta", "title", "body", "div", "h1", "p", "a", "ul", "li", "br"}
    attributes = {"lang", "dir", "charset", "name", "content", "style", "role", "href"}
    reader = Reader(page)
    assert {tag for tag, _ in reader.elements} <= allowed
    assert {name for _, names in reader.elements for name in names} <= attributes
    assert all(re.match(r"(https?://|mailto:|tel:|$)", link, re.IGNORECASE) for link in reader.links)
    assert page.count("<html") == page.count("<title>") == page.count("</html>") == 1


@pytest.mark.parametrize(("language", "way"), [("en", "ltr"), ("ur", "rtl"), ("pa-Arab", "rtl")])
def test_a_document_says_its_language_and_direction(language: str, way: str) -> None:
    """Screen readers and mail programs need both."""
    page = written(html.document(("Title",), html.section((), language), language, 16), html.fill, {})
    assert f'<html lang="{language}" dir="{way}">' in page
    assert "font-size:16pt" in page
    assert "<title>Title</title>" in page


def test_contrast() -> None:
    """Every text colour has at least 4.5:1 on white (WCAG 2.2, 1.4.3)."""
    page = written(
        html.document((), (*html.section(template().blocks, "en"), *html.footer((), "en")), "en", 12), html.fill, VALUES
    )
    colours = set(re.findall(r"[;\"]color:#(\w{6})", page))
    assert len(colours) == 3
    for colour in colours:
        channels = [int(colour[start : start + 2], 16) / 255 for start in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert 1.05 / (luminance + 0.05) >= 4.5, colour


def test_plain() -> None:
    """The plain part keeps every word and address."""
    assert written(plain.section(template().blocks, "en"), plain.fill, VALUES) == (
        'Trip to <Kew>\n\nDear A & "B",\nsee the plan: https://a.example.org/p?id=1%262&x=1 or '
        "https://b.example.org/long/path.\n\n- boots\n- coat\n\n- a hat\n- a lunch\n\n1. first\n\n"
        "  Call 020 7946 0123\n\n---\n\n"
    )


def test_text_message() -> None:
    """A text message is the same, set tightly."""
    text = written(text_message.section(template().blocks, "en"), text_message.fill, VALUES)
    assert text_message.finished(text) == (
        'Trip to <Kew>\nDear A & "B",\nsee the plan: https://a.example.org/p?id=1%262&x=1 or '
        "https://b.example.org/long/path.\n- boots\n- coat\n- a hat\n- a lunch\n1. first\nCall 020 7946 0123"
    )


def test_text_message_without_marks() -> None:
    """An Arabic name costs no directional marks in an English text message, but is kept in order in an Urdu one."""
    english, urdu = (
        written(text_message.section(template("((a)) x", language).blocks, language), text_message.fill, {"a": name})
        for language, name in (("en", "أمل"), ("ur", "Ana"))
    )
    assert english == "أمل x\n"
    assert urdu == "\u2068Ana\u2069 x\n"


def test_numbers_in_a_short_text_stay_in_order() -> None:
    """A telephone number in an Urdu text message is not turned round."""
    short = parse(Source(language="ur", subject="x", body="x", short="فون 020 7946 0123")).short or ()
    assert written(text_message.line(short, "ur"), text_message.fill, {}) == "فون \u2066020 7946 0123\u2069"


def test_subject_without_marks() -> None:
    """A subject is one line without directional marks in any language."""
    subject = plain.line(parse(Source(language="ur", subject="((a)) 020 7946 0123", body="x")).subject, "ur")
    assert written(subject, plain.fill, {"a": "Ana\r\nBcc: x@example.org"}) == "Ana Bcc: x@example.org 020 7946 0123"


def test_speech() -> None:
    """Spoken text has sentences that end, and no address is read out letter by letter."""
    assert written(speech.section(template().blocks, "en"), speech.fill, VALUES) == (
        'Trip to <Kew>.\nDear A & "B", see the plan or b.example.org.\nboots and coat.\n'
        "a hat.\na lunch.\nfirst.\nCall 020 7946 0123.\n"
    )


@pytest.mark.parametrize(
    ("language", "body", "spoken"),
    [
        ("ur", "((a))", "x۔\n"),
        ("hi", "क", "क।\n"),
        ("zh-Hans", "好\n好!", "好。 好!\n"),
        ("ar", "نعم؟", "نعم؟\n"),
        ("en", "Yours\nMrs ((a))", "Yours. Mrs x.\n"),
    ],
)
def test_sentences_end_the_languages_way(language: str, body: str, spoken: str) -> None:
    """The voice pauses at the stop its language uses."""
    assert written(speech.section(template(body, language).blocks, language), speech.fill, {"a": "x"}) == spoken


def letter_blocks(source: tuple[Block, ...], language: str, values: dict[str, Value]) -> list[dict[str, object]]:
    """Write a letter in English."""
    return letter.blocks(source, language, lambda slot: said(values, slot), "en")


def test_letter() -> None:
    """A letter's blocks are data: values stand in runs, addresses beside their words."""
    assert letter_blocks(template().blocks, "en", VALUES) == [
        {"kind": "heading", "level": 1, "text": [{"text": "Trip to <Kew>", "link": None}]},
        {
            "kind": "paragraph",
            "text": [
                {"text": 'Dear A & "B",\nsee ', "link": None},
                {"text": "the plan", "link": "https://a.example.org/p?id=1%262&x=1"},
                {"text": " or ", "link": None},
                {"text": "https://b.example.org/long/path", "link": "https://b.example.org/long/path"},
                {"text": ".", "link": None},
            ],
        },
        {"kind": "bullets", "items": [[{"text": "boots", "link": None}], [{"text": "coat", "link": None}]]},
        {"kind": "bullets", "items": [[{"text": "a hat", "link": None}], [{"text": "a lunch", "link": None}]]},
        {"kind": "numbers", "items": [[{"text": "first", "link": None}]]},
        {"kind": "inset", "text": [{"text": "Call 020 7946 0123", "link": None}]},
        {"kind": "rule"},
    ]


def test_a_letters_foreign_parts_are_marked() -> None:
    """A part in another language says so, with its direction."""
    (block,) = letter_blocks(template("((a))", "ur").blocks, "ur", {"a": "Ana"})
    assert block == {
        "kind": "paragraph",
        "text": [{"text": "\u2068Ana\u2069", "link": None}],
        "language": "ur",
        "right_to_left": True,
    }


@given(st.text())
def test_binding_early_or_late_is_the_same(value: str) -> None:
    """A value that all readers share may be filled in once: the text is the same."""
    values: dict[str, Value] = {**VALUES, "name": value}
    fragments = html.section(template().blocks, "en")
    shared = bind(fragments, lambda slot: said(values, slot) if slot.name != "place" else None, html.fill)
    assert {part.name for part in shared if isinstance(part, Slot)} == {"place"}
    assert Slot("place", "en", Form.INLINE) in shared
    assert written(shared, html.fill, values) == written(fragments, html.fill, values)
