"""Which attempt of a delivery an event is about: only that one may be judged by it. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from channels.base import Receipt


class Try(NamedTuple):
    """One attempt as far as it is on record."""

    provider: str | None
    """None when its worker died before it could say."""
    provider_id: str | None
    """None as long as no answer is on record."""
    missed: bool = False
    """Whether it is known to have reached nobody, so that another one was planned."""


def tries_of(row: Any, recorded: Mapping[int, Try] | None) -> dict[int, Try]:
    """List the attempts of a delivery by number, the present one included although its answer may not be on record.

    `recorded` are the rows of its attempts; None when they were not looked up because it has only one, which its own
    row tells of. The row of a delivery with more than one still holds the provider's id of the attempt before.
    """
    tries = dict(recorded or {})
    if row.attempts > 0:
        known = tries.get(row.attempts)
        its_id = row.provider_id if row.attempts == 1 else None
        if known is None:
            tries[row.attempts] = Try(row.provider, its_id)
        elif known.provider is None:
            tries[row.attempts] = known._replace(provider=row.provider, provider_id=known.provider_id or its_id)
    return tries


def number_named(receipt: Receipt, tries: Mapping[int, Try]) -> int | None:
    """Find the attempt that has the event's provider and provider's id; the latest, where a provider repeats its id."""
    if receipt.provider_id is None:
        return None
    named = [
        number
        for number, each in tries.items()
        if (each.provider, each.provider_id) == (receipt.provider, receipt.provider_id)
    ]
    return max(named, default=None)


def number_possible(receipt: Receipt, tries: Mapping[int, Try]) -> int | None:
    """Find the latest attempt that an event may be about which names the delivery alone, or an id not on record yet.

    None when the delivery was never handed to its provider, or every attempt there has another id.
    """
    possible = [
        number
        for number, each in tries.items()
        if each.provider in {receipt.provider, None} and (receipt.provider_id is None or each.provider_id is None)
    ]
    return max(possible, default=None)
