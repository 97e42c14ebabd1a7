"""Fills the holes of a mail for one reader after the other; which holes there are is found out once for all."""

from collections.abc import Callable, Hashable, Iterable, Mapping

import msgspec

from gateway.content import html, plain
from gateway.content.fragments import Fragments, Slot, Words, suited


class MailWords(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The values of one mail, by hole, escaped for each of its parts."""

    to_name: str
    """Empty where the address is shared (R29)."""
    subject: Mapping[Hashable, str]
    plain: Mapping[Hashable, str]
    html: Mapping[Hashable, str]


class MailHoles:
    """The different holes in the parts of a mail."""

    __slots__ = ("_all", "_html", "_plain", "_subject", "names")

    def __init__(self, *, subject: Fragments, plain: Fragments, html: Fragments) -> None:
        self._subject, self._plain, self._html = _different(subject), _different(plain), _different(html)
        self._all = _different((*subject, *plain, *html))
        self.names = frozenset(slot.name for slot in self._all)
        """The values that some hole waits for."""

    def filled(self, to_name: str, say: Callable[[Slot], Words]) -> MailWords:
        """Write every value once for each part of the mail, however often it stands there."""
        fitting = {slot: suited(slot, say(slot)) for slot in self._all}
        return MailWords(
            to_name=to_name,
            subject={slot: plain.written(slot, fitting[slot]) for slot in self._subject},
            plain={slot: plain.written(slot, fitting[slot]) for slot in self._plain},
            html={slot: html.written(slot, fitting[slot]) for slot in self._html},
        )


def _different(fragments: Iterable[str | Slot]) -> tuple[Slot, ...]:
    return tuple(dict.fromkeys(part for part in fragments if isinstance(part, Slot)))
