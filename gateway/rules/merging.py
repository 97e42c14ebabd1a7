"""P9: a delivery that another contact's delivery at the same place carries along (merging; R25, R26)."""

from collections.abc import Iterable, Iterator

import msgspec

from gateway.directory.indexing import IndexedPoint
from gateway.directory.model import ChannelName
from gateway.rules.answer import Mode, PlannedDelivery, PlannedMessage
from gateway.rules.households import Households


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A message whose deliveries are still to be compared with others."""

    message: PlannedMessage
    points: tuple[IndexedPoint, ...]


def merged(drafts: Iterable[Draft], households: Households) -> Iterator[PlannedMessage]:
    """Mark each delivery that the first earlier unmerged one of another contact carries; `drafts` in answer order."""
    carriers: dict[tuple[object, ...], list[IndexedPoint]] = {}
    for draft in drafts:
        carried = dict(_carried(draft, carriers, households))
        if carried:
            deliveries = tuple(_delivery(point, carried) for point in draft.points)
            yield msgspec.structs.replace(draft.message, deliveries=deliveries)
        else:
            yield draft.message


def _carried(
    draft: Draft, carriers: dict[tuple[object, ...], list[IndexedPoint]], households: Households
) -> Iterator[tuple[str, str]]:
    """Give each merged point with its carrier's, and remember the others as carriers for later messages."""
    for point in _mergeable(draft):
        candidates = carriers.setdefault(_likeness(draft.message, point), [])
        carrier = next((other for other in candidates if _may_carry(other, point, households)), None)
        if carrier is None:
            candidates.append(point)
        else:
            yield point.id, carrier.id


def _mergeable(draft: Draft) -> Iterable[IndexedPoint]:
    """Fallback: first deliveries only; ladder: never; a confidential point stays alone, as does an unshared one."""
    if draft.message.mode is Mode.LADDER:
        return ()
    points = draft.points[:1] if draft.message.mode is Mode.FALLBACK else draft.points
    return (point for point in points if point.sharers and not point.confidential)


def _likeness(message: PlannedMessage, point: IndexedPoint) -> tuple[object, ...]:
    """Gather what must be equal for one delivery to carry another."""
    return point.channel, point.key, message.students, message.language, message.formats, message.not_before


def _may_carry(carrier: IndexedPoint, point: IndexedPoint, households: Households) -> bool:
    """Another contact's; letters only between joint contacts (R25, R26)."""
    if carrier.contact == point.contact:
        return False
    return point.channel is not ChannelName.LETTER or households.are_joint(carrier.contact, point.contact)


def _delivery(point: IndexedPoint, carried: dict[str, str]) -> PlannedDelivery:
    return PlannedDelivery(channel=point.channel, point=point.id, merged_into=carried.get(point.id))
