"""A rendered text with holes: whatever is the same for all readers is finished, the rest is filled per reader."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import quote

from gateway.content.bidi import without_isolates
from gateway.content.template import is_safe_address


class Form(StrEnum):
    """Where a value stands, and so how it is written."""

    INLINE = "inline"
    """Among words."""
    BLOCK = "block"
    """Alone in its paragraph: a list becomes bullets."""
    ADDRESS = "address"
    """A link's whole address."""
    COMPONENT = "component"
    """Part of an address: percent-encoded."""
    LINE = "line"
    """In a subject, a title, the words of a link: one line that holds no link and no directional marks."""


ADDRESS_FORMS = frozenset({Form.ADDRESS, Form.COMPONENT})
"""Where a value is no word but part of an address."""


class Slot(NamedTuple):
    """A hole for a value: which one, in the language of the words around it, and where it stands."""

    name: str
    """Normalised."""
    language: str
    form: Form = Form.INLINE
    shown: str | None = None
    """For `((name??text))`: the text, shown when the value says yes."""


class Words(NamedTuple):
    """A value in the words of one language, not yet escaped for any channel.

    In `text` and `items` bidirectional isolates already stand where they help; `bidi.without_isolates` takes them out.
    """

    text: str
    items: tuple[str, ...] | None = None
    """The same as a list, when the value is one."""
    says_yes: bool = False


Fragments = tuple[str | Slot, ...]
"""Finished text and holes in turn."""

Fill = Callable[[Slot, Words], str]
"""Writes a value for one channel, escaped."""


def suited(slot: Slot, words: Words) -> Words:
    """Fit a value to its place, the same for every channel; an unsafe address and a denied text leave nothing."""
    if slot.shown is not None:
        words = Words(slot.shown if words.says_yes else "")
    form = slot.form
    if form is Form.INLINE or form is Form.BLOCK:
        return words
    if form is Form.LINE:
        return Words(" ".join(without_isolates(words.text).split()))
    if form is Form.COMPONENT:
        return Words(quote(words.text, safe=""))
    return words if is_safe_address(words.text) else Words("")


def joined(parts: Iterable[str | Slot]) -> Fragments:
    """Put neighbouring finished texts together."""
    result: list[str | Slot] = []
    for part in parts:
        if isinstance(part, str) and result and isinstance(result[-1], str):
            result[-1] += part
        elif part:
            result.append(part)
    return tuple(result)


def bind(fragments: Fragments, known: Callable[[Slot], Words | None], fill: Fill) -> Fragments:
    """Fill the holes whose value is the same for all readers."""
    return joined(_bound(part, known, fill) for part in fragments)


def slots(fragments: Fragments) -> frozenset[Slot]:
    """List the holes."""
    return frozenset(part for part in fragments if isinstance(part, Slot))


def text_of(fragments: Fragments, filled: Callable[[Slot], str]) -> str:
    """Put the whole text together."""
    return "".join(part if isinstance(part, str) else filled(part) for part in fragments)


def _bound(part: str | Slot, known: Callable[[Slot], Words | None], fill: Fill) -> str | Slot:
    if isinstance(part, str):
        return part
    words = known(part)
    return part if words is None else fill(part, words)
