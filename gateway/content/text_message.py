"""Writes a text as a text message: short, bare, and only with characters that are worth their price."""

from collections.abc import Iterable

from channels.sms_segments import smart
from gateway.content import plain
from gateway.content.bidi import without_isolates
from gateway.content.fragments import Fragments, Slot, Words
from gateway.content.languages import direction
from gateway.content.template import Block, Inline


def section(blocks: Iterable[Block], language: str) -> Fragments:
    """Write blocks, each on its own lines."""
    return plain.section(blocks, language, plain.TEXT_MESSAGE)


def line(content: Iterable[Inline], language: str) -> Fragments:
    """Write a single line."""
    return plain.sentence(content, language)


def fill(slot: Slot, words: Words) -> str:
    """Write a value; directional marks only where the words around it run to the left (each costs a character)."""
    text = plain.fill(slot, words, plain.TEXT_MESSAGE)
    return text if direction(slot.language) == "rtl" else without_isolates(text)


def finished(text: str, names: Iterable[str] = ()) -> str:
    """Replace typographic characters that would make the message dearer, outside of people's names, and trim it."""
    return smart(text, names).strip()
