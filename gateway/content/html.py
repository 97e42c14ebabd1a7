"""Writes a text as HTML: the body of the secure page, and the complete document of an e-mail.

Everything is styled inline, because mail programs drop style sheets. Colours keep at least 7:1 against white
(WCAG 2.2 AA asks for 4.5:1); sizes are relative to the document's, so that large print is one number.
"""

from collections.abc import Iterable, Iterator
from html import escape

from gateway.content.bidi import LEFT_TO_RIGHT, POP, with_isolated_numbers, without_isolates
from gateway.content.fragments import Form, Fragments, Slot, Words, joined, suited
from gateway.content.languages import direction
from gateway.content.template import (
    Block,
    Field,
    Heading,
    Inline,
    Inset,
    Items,
    Link,
    Paragraph,
    Text,
    is_safe_address,
)

_FONTS = "'Noto Sans',Arial,'Noto Naskh Arabic','Noto Sans Arabic',sans-serif"
_URDU_FONTS = "'Noto Nastaliq Urdu','Jameel Noori Nastaleeq','Noto Sans',Arial,sans-serif"
"""Urdu readers expect Nastaliq, readers of Arabic, Persian or Pashto do not."""
_SPACE = "margin:0 0 1em"
_PARAGRAPH = f'<p style="{_SPACE}">'
_LINK = '" style="color:#0b4f9e;text-decoration:underline">'
_START = {"ltr": "left", "rtl": "right"}


def subject(content: Iterable[Inline], language: str) -> Fragments:
    """Write a subject as the document's title."""
    parts = (part for inline in content for part in (inline.content if isinstance(inline, Link) else (inline,)))
    return joined(_words(parts, language, Form.LINE))


def section(blocks: Iterable[Block], language: str) -> Fragments:
    """Write blocks in their own language and direction."""
    opening = f'<div lang="{escape(language)}" dir="{direction(language)}">\n'
    return joined((opening, *(part for block in blocks for part in _block(block, language)), "</div>\n"))


def footer(blocks: Iterable[Block], language: str) -> Fragments:
    """Write what stands below the text: a shade lighter, never smaller than the rest."""
    style = "border-top:1px solid #767676;padding-top:1em;color:#454545"
    return joined((f'<div style="{style}">\n', *section(blocks, language), "</div>\n"))


def document(title: Fragments, body: Iterable[str | Slot], language: str, points: int) -> Fragments:
    """Put an e-mail's HTML part together; `points` is the size of its text."""
    opening = (
        f'<!DOCTYPE html>\n<html lang="{escape(language)}" dir="{direction(language)}">\n<head>\n'
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>'
    )
    fonts = _URDU_FONTS if language == "ur" else _FONTS
    text = (
        '</title>\n</head>\n<body style="margin:0;padding:0;background-color:#ffffff;color:#1a1a1a">\n'
        f'<div role="main" style="max-width:38em;margin:0 auto;padding:1em;font-family:{fonts};'
        f'font-size:{points}pt;line-height:1.5;color:#1a1a1a;overflow-wrap:anywhere">\n'
    )
    return joined((opening, *title, text, *body, "</div>\n</body>\n</html>\n"))


def fill(slot: Slot, words: Words) -> str:
    """Write a value; nothing in it can become markup."""
    return written(slot, suited(slot, words))


def written(slot: Slot, fitting: Words) -> str:
    """Write a value that was fitted to its place."""
    text, items, _ = fitting
    if slot.form is Form.INLINE:
        return _value(text)
    if slot.form is Form.BLOCK:
        paragraph = f"{_PARAGRAPH}{_value(text)}</p>\n" if text else ""
        return _list([_value(item) for item in items]) if items else paragraph
    return escape(text)


def _value(text: str) -> str:
    """Escape a value, keep its lines, and make a web address a link."""
    bare = without_isolates(text)
    if bare.startswith(("http://", "https://")) and is_safe_address(bare):
        shown = escape(text)
        return f'<a href="{shown if bare == text else escape(bare)}{_LINK}{shown}</a>'
    return escape(text).replace("\n", "<br>\n")


def _list(items: list[str]) -> str:
    lines = "".join(f"<li>{item}</li>\n" for item in items)
    return f'<ul style="{_SPACE};padding:0 1.5em">\n{lines}</ul>\n'


def _block(block: Block, language: str) -> Iterator[str | Slot]:
    if isinstance(block, Paragraph):
        yield from _paragraph(block, language)
    elif isinstance(block, Heading):
        size = {1: "1.5em", 2: "1.2em"}[block.level]
        yield f'<h{block.level} style="margin:0 0 0.6em;font-size:{size};line-height:1.3">'
        yield from _inlines(block.content, language)
        yield f"</h{block.level}>\n"
    elif isinstance(block, Inset):
        side = _START[direction(language)]
        yield f'<div style="{_SPACE};padding:0.5em 1em;border-{side}:6px solid #6b6b6b">'
        yield from _inlines(block.content, language)
        yield "</div>\n"
    elif isinstance(block, Items):
        tag = "ol" if block.numbered else "ul"
        yield f'<{tag} style="{_SPACE};padding:0 1.5em">\n'
        for item in block.items:
            yield "<li>"
            yield from _inlines(item, language)
            yield "</li>\n"
        yield f"</{tag}>\n"
    else:
        yield '<hr style="margin:1.5em 0;border:0;border-top:1px solid #767676">\n'


def _paragraph(paragraph: Paragraph, language: str) -> Iterator[str | Slot]:
    if alone := paragraph.only_field:
        yield Slot(alone.name, language, Form.BLOCK, alone.shown)
    else:
        yield _PARAGRAPH
        yield from _inlines(paragraph.content, language)
        yield "</p>\n"


def _inlines(content: Iterable[Inline], language: str) -> Iterator[str | Slot]:
    for inline in content:
        if isinstance(inline, Link):
            yield '<a href="'
            yield from _address(inline.address, language)
            yield _LINK
            if inline.content == inline.address:
                yield from _shown_address(inline.address, language)
            else:
                yield from _words(inline.content, language, Form.LINE)
            yield "</a>"
        else:
            yield from _words((inline,), language)


def _words(content: Iterable[Text | Field], language: str, form: Form = Form.INLINE) -> Iterator[str | Slot]:
    for part in content:
        if isinstance(part, Field):
            yield Slot(part.name, language, form, part.shown)
        else:
            text = with_isolated_numbers(part.text) if direction(language) == "rtl" else part.text
            yield escape(text).replace("\n", "<br>\n")


def _shown_address(address: tuple[Text | Field, ...], language: str) -> Iterator[str | Slot]:
    """Write an address that is its own text, from left to right everywhere."""
    right_to_left = direction(language) == "rtl"
    yield LEFT_TO_RIGHT if right_to_left else ""
    yield from _address(address, language)
    yield POP if right_to_left else ""


def _address(address: tuple[Text | Field, ...], language: str) -> Iterator[str | Slot]:
    for position, part in enumerate(address):
        if isinstance(part, Text):
            yield escape(part.text)
        else:
            yield Slot(part.name, language, Form.COMPONENT if position else Form.ADDRESS, part.shown)
