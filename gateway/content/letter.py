"""Writes a text as the blocks of a letter: plain data, so that no value is ever typesetter's code.

A block is {"kind": "heading" | "paragraph" | "inset" | "bullets" | "numbers" | "rule"}; a heading also has "level",
all but lists and rules have "text", lists have "items". A text is a list of runs {"text": str, "link": str | None},
an item is a text. A block in another language than its letter has "language" and "right_to_left", too.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gateway.content.bidi import LEFT_TO_RIGHT, POP, with_isolated_numbers
from gateway.content.fragments import Form, Slot, Words, suited
from gateway.content.languages import direction
from gateway.content.template import Block, Field, Heading, Inline, Inset, Items, Link, Paragraph, Rule, Text

Run = dict[str, str | None]
Say = Callable[[Slot], Words]
"""Gives a slot's value in words."""


def blocks(
    source: Iterable[Block], language: str, say: Say, letter_language: str | None = None
) -> list[dict[str, Any]]:
    """Write blocks with every value in place; mark them if the letter around them is in another language."""
    written = [block for part in source if (block := _block(part, language, say)) is not None]
    if letter_language is not None and letter_language != language:
        for block in written:
            block |= {"language": language, "right_to_left": direction(language) == "rtl"}
    return written


def _block(block: Block, language: str, say: Say) -> dict[str, Any] | None:
    match block:
        case Rule():
            return {"kind": "rule"}
        case Items():
            items = [_runs(item, language, say) for item in block.items]
            return {"kind": "numbers" if block.numbered else "bullets", "items": items}
        case Heading():
            return {"kind": "heading", "level": block.level, "text": _runs(block.content, language, say)}
        case Inset():
            return {"kind": "inset", "text": _runs(block.content, language, say)}
        case _:
            return _paragraph(block, language, say)


def _paragraph(paragraph: Paragraph, language: str, say: Say) -> dict[str, Any] | None:
    """Write a paragraph; one that is but a list of values becomes bullets, an empty one nothing."""
    if alone := paragraph.only_field:
        slot = Slot(alone.name, language, Form.BLOCK, alone.shown)
        text, items, _ = suited(slot, say(slot))
        if items:
            return {"kind": "bullets", "items": [[_run(item)] for item in items]}
        return {"kind": "paragraph", "text": [_run(text)]} if text else None
    return {"kind": "paragraph", "text": _runs(paragraph.content, language, say)}


def _runs(content: Iterable[Inline], language: str, say: Say) -> list[Run]:
    """Write inlines as runs; neighbours without a link become one."""
    runs: list[Run] = []
    for run in _all_runs(content, language, say):
        if runs and runs[-1]["link"] is None and run["link"] is None:
            runs[-1]["text"] = f"{runs[-1]['text']}{run['text']}"
        elif run["text"]:
            runs.append(run)
    return runs


def _all_runs(content: Iterable[Inline], language: str, say: Say) -> Iterator[Run]:
    right_to_left = direction(language) == "rtl"
    for inline in content:
        if not isinstance(inline, Link):
            yield _run(_words(inline, language, say, Form.INLINE))
            continue
        address = "".join(
            _words(part, language, say, Form.COMPONENT if position else Form.ADDRESS, literal=True)
            for position, part in enumerate(inline.address)
        )
        if inline.content == inline.address:
            yield _run(f"{LEFT_TO_RIGHT}{address}{POP}" if right_to_left else address, address or None)
        else:
            yield _run("".join(_words(part, language, say, Form.LINE) for part in inline.content), address or None)


def _words(part: Text | Field, language: str, say: Say, form: Form, *, literal: bool = False) -> str:
    if isinstance(part, Field):
        slot = Slot(part.name, language, form, part.shown)
        return suited(slot, say(slot)).text
    return with_isolated_numbers(part.text) if direction(language) == "rtl" and not literal else part.text


def _run(text: str, link: str | None = None) -> Run:
    return {"text": text, "link": link}
