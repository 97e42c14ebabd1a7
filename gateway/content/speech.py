"""Writes a text to be spoken: sentences with pauses, web addresses cut down to what an ear can keep."""

import re
from collections.abc import Iterable, Iterator

from gateway.content.bidi import without_isolates
from gateway.content.fragments import Form, Fragments, Slot, Words, joined, suited
from gateway.content.languages import script_of
from gateway.content.template import Block, Field, Inline, Link, Paragraph, Text, inlines_of

_FULL_STOPS = {
    "Arab": {"ur": "\u06d4"},
    "Beng": {"": "\u0964"},
    "Deva": {"": "\u0964"},
    "Ethi": {"": "\u1362"},
    "Guru": {"": "\u0964"},
    "Hans": {"": "\u3002"},
    "Hant": {"": "\u3002"},
    "Jpan": {"": "\u3002"},
    "Mymr": {"": "\u104b"},
}
"""What ends a sentence, by script and language, where it is not a full stop."""

_ENDS = frozenset(".!?:;,\u2026\u061f\u061b\u06d4\u0964\u1362\u1367\u3002\uff01\uff1f\u104b")
_WEB_ADDRESS = re.compile(r"https?://(?:www\.)?([^/?#\s]+)\S*", re.IGNORECASE)


def section(blocks: Iterable[Block], language: str) -> Fragments:
    """Write blocks as sentences, one a line, each with an end that makes the voice pause."""
    return joined(
        part for block in blocks for content in inlines_of(block) for part in _sentence(block, content, language)
    )


def line(content: Iterable[Inline], language: str) -> Fragments:
    """Write a subject as a sentence."""
    return joined(_ended(content, language))


def fill(slot: Slot, words: Words) -> str:
    """Write a value; alone in its paragraph it is a sentence."""
    text, _, _ = suited(slot, words)
    spoken = _WEB_ADDRESS.sub(r"\1", without_isolates(text))
    if slot.form is not Form.BLOCK:
        return spoken
    return f"{spoken}{_end_for(spoken, slot.language)}\n" if spoken else ""


def _sentence(block: Block, content: tuple[Inline, ...], language: str) -> Iterator[str | Slot]:
    alone = block.only_field if isinstance(block, Paragraph) else None
    if alone:
        yield Slot(alone.name, language, Form.BLOCK, alone.shown)
    else:
        yield from _ended(content, language)


def _ended(content: Iterable[Inline], language: str) -> Iterator[str | Slot]:
    """Write one sentence or line after the other."""
    parts = joined(
        _with_pauses(part, language) if isinstance(part, str) else part
        for part in joined(part for inline in content for part in _inline(inline, language))
    )
    yield from parts
    last = parts[-1] if parts else ""
    yield f"{_end_for(last, language) if isinstance(last, str) else _full_stop(language)}\n"


def _inline(inline: Inline, language: str) -> Iterator[str | Slot]:
    """Write words; of a link its words, of a bare address the host."""
    if not isinstance(inline, Link):
        yield _part(inline, language)
    elif inline.content == inline.address:
        yield _WEB_ADDRESS.sub(r"\1", "".join(part.text for part in inline.address if isinstance(part, Text)))
    else:
        for part in inline.content:
            yield _part(part, language)


def _part(part: Text | Field, language: str) -> str | Slot:
    if isinstance(part, Field):
        return Slot(part.name, language, Form.INLINE, part.shown)
    return part.text


def _with_pauses(text: str, language: str) -> str:
    """Make a line end a pause that can be heard."""
    lines = [line.rstrip() for line in text.split("\n")]
    ended = [f"{line}{_full_stop(language) if not line else _end_for(line, language)} " for line in lines[:-1]]
    return "".join(ended) + text.rsplit("\n", maxsplit=1)[-1]


def _end_for(text: str, language: str) -> str:
    text = text.rstrip()
    return "" if not text or text[-1] in _ENDS else _full_stop(language)


def _full_stop(language: str) -> str:
    by_language = _FULL_STOPS.get(script_of(language), {})
    return by_language.get(language.split("-", maxsplit=1)[0], by_language.get("", "."))
