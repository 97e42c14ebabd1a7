"""Writes a text without markup: the plain part of an e-mail, and, more tightly set, a text message.

Lines are not broken to a width: the quoted-printable transport needs none, and telephones and screen readers are
better served by lines that flow.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gateway.content.bidi import LEFT_TO_RIGHT, POP, with_isolated_numbers
from gateway.content.fragments import Form, Fragments, Slot, Words, joined, suited
from gateway.content.languages import direction
from gateway.content.template import Block, Field, Inline, Inset, Items, Link, Rule, Text, inlines_of


class Manner(NamedTuple):
    """How loosely the blocks are set."""

    gap: str
    """After every block."""
    rule: str
    inset: str
    """Before an inset."""


MAIL = Manner(gap="\n\n", rule="---", inset="  ")
TEXT_MESSAGE = Manner(gap="\n", rule="", inset="")

_BULLET = "- "


def line(content: Iterable[Inline], language: str) -> Fragments:
    """Write a subject or another single line, without any directional mark."""
    return joined(
        part._replace(form=Form.LINE) if isinstance(part, Slot) and part.form is Form.INLINE else part
        for inline in content
        for part in _inline(inline, language, marks=False)
    )


def sentence(content: Iterable[Inline], language: str) -> Fragments:
    """Write a line that is read among other text, its numbers and addresses kept in order."""
    return joined(part for inline in content for part in _inline(inline, language))


def section(blocks: Iterable[Block], language: str, manner: Manner = MAIL) -> Fragments:
    """Write blocks one below the other."""
    return joined(part for block in blocks for part in _block(block, language, manner))


def fill(slot: Slot, words: Words, manner: Manner = MAIL) -> str:
    """Write a value as it is; alone in its paragraph, a list becomes lines."""
    return written(slot, suited(slot, words), manner)


def written(slot: Slot, fitting: Words, manner: Manner = MAIL) -> str:
    """Write a value that was fitted to its place."""
    text, items, _ = fitting
    if slot.form is Form.BLOCK:
        text = "\n".join(f"{_BULLET}{item}" for item in items) if items else text
        return f"{text}{manner.gap}" if text else ""
    return text


def _block(block: Block, language: str, manner: Manner) -> Iterator[str | Slot]:
    if isinstance(block, Items):
        yield from _items(block, language)
    elif isinstance(block, Rule):
        if manner.rule:
            yield manner.rule
    elif (alone := getattr(block, "only_field", None)) is not None:
        yield Slot(alone.name, language, Form.BLOCK, alone.shown)
        return
    else:
        yield manner.inset if isinstance(block, Inset) else ""
        yield from sentence(block.content, language)
    if not isinstance(block, Rule) or manner.rule:
        yield manner.gap


def _items(block: Items, language: str) -> Iterator[str | Slot]:
    for number, item in enumerate(inlines_of(block), start=1):
        yield "\n" if number > 1 else ""
        yield f"{number}. " if block.numbered else _BULLET
        yield from sentence(item, language)


def _inline(inline: Inline, language: str, *, marks: bool = True) -> Iterator[str | Slot]:
    """Write words and fields; a link as its words, a colon and its address."""
    if not isinstance(inline, Link):
        yield _part(inline, language, marks=marks)
        return
    if inline.content != inline.address:
        for part in inline.content:
            yield _part(part, language, marks=marks)
        yield ": "
    isolate = marks and direction(language) == "rtl"
    yield LEFT_TO_RIGHT if isolate else ""
    for position, part in enumerate(inline.address):
        form = Form.COMPONENT if position else Form.ADDRESS
        yield part.text if isinstance(part, Text) else Slot(part.name, language, form, part.shown)
    yield POP if isolate else ""


def _part(part: Text | Field, language: str, *, marks: bool) -> str | Slot:
    if isinstance(part, Field):
        return Slot(part.name, language, Form.INLINE, part.shown)
    return with_isolated_numbers(part.text) if marks and direction(language) == "rtl" else part.text
