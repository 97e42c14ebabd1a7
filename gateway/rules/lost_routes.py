"""Why a contact gets nothing on a channel that a category uses: P8 told channel by channel, for reports to staff."""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.directory.indexing import IndexedPoint
from gateway.directory.model import ANY, ChannelName
from gateway.rules.households import Households
from gateway.rules.occasion import Pair
from gateway.rules.routes import SILENT_FORMATS, channel_order, is_channel_denied, is_usable, may_use_for_family
from gateway.rules.stages import is_barred_by_care, is_barred_by_order


class Loss(msgspec.Struct, frozen=True):
    """The rule that leaves a channel without a route, and the sentence for staff; it names nobody."""

    rule: str
    sentence: str


NOT_RECORDED = Loss("R24", "No contact point of this kind is recorded for the contact.")
UNUSABLE = Loss("R22", "What is recorded is closed, doubtful or cannot be reached in this way.")
AT_WORK = Loss("R27", "What is recorded is at work, and the contact has not chosen it for this.")
DENIED = Loss("R01", "A restriction bars this way.")
BARRED = Loss("R30", "Somebody who may not be told of the student shares the address.")
UNDISCLOSED = Loss("R36", "The contact keeps an address confidential, and others share this one.")
CONTESTED = Loss("R29", "Somebody of another household shares the address.")
ORDERED_OTHERWISE = Loss("R06", "An order to send names other ways.")
SILENT = Loss("P8", "The contact has asked for formats that a call cannot give.")
BY_OFFICE = Loss("R42", "A professional is written to by e-mail or letter only.")


def lost_routes(pair: Pair, households: Households) -> Mapping[ChannelName, Loss]:
    """Name the channels of the category on which the contact gets nothing, each with the first thing in the way.

    The contact is one to whom P2 to P7 let the message through; all other channels are those that P8 gives.
    """
    channels = pair.occasion.row.channels
    offered = channel_order(pair.occasion, pair.contact, professional=pair.professional)
    own = pair.occasion.index.points.get(pair.contact.id, ())
    losses: dict[ChannelName, Loss] = {}
    for channel in channels:
        points = [point for point in own if point.channel is channel]
        loss = _loss(pair, households, points) if channel in offered else BY_OFFICE
        if loss is not None:
            losses[channel] = loss
    left = [channel for channel in channels if channel not in losses]
    ordered = {channel for order in pair.orders.must_send if ANY not in order.channels for channel in order.channels}
    if not ordered.isdisjoint(left):
        losses |= {channel: ORDERED_OTHERWISE for channel in left if channel not in ordered}
        left = [channel for channel in left if channel in ordered]
    if not SILENT_FORMATS.isdisjoint(pair.contact.formats) and ChannelName.VOICE in left and len(left) > 1:
        losses[ChannelName.VOICE] = SILENT
    return losses


def _loss(pair: Pair, households: Households, points: Sequence[IndexedPoint]) -> Loss | None:
    """Say what stands in the way of one channel's points, by the best of them; None when one can be used."""
    obstacles = [_obstacle(pair, households, point) for point in points]
    if None in obstacles:
        return None
    return obstacles[0] if obstacles else NOT_RECORDED


def _obstacle(pair: Pair, households: Households, point: IndexedPoint) -> Loss | None:
    """Give the first reason of P8 for which a point is dropped."""
    occasion = pair.occasion
    if not is_usable(point, life_safety=occasion.life_safety):
        return UNUSABLE
    if not pair.professional and not may_use_for_family(point, pair.contact, occasion.row.sensitivity):
        return AT_WORK
    if is_channel_denied(pair.orders, point.channel):
        return DENIED
    if any(_is_barred(pair, sharer, point.channel) for sharer in point.sharers):
        return BARRED
    joint = all(households.are_joint(pair.contact.id, sharer) for sharer in point.sharers)
    return None if joint else _shared(pair, point)


def _shared(pair: Pair, point: IndexedPoint) -> Loss | None:
    """Say what it means that somebody of another household shares the address."""
    occasion = pair.occasion
    if point.channel is ChannelName.LETTER:
        discreet = any(other.confidential for other in occasion.index.points[pair.contact.id])
        return UNDISCLOSED if discreet and not point.confidential else None
    return CONTESTED if occasion.row.sensitivity >= 1 and not occasion.life_safety else None


def _is_barred(pair: Pair, sharer: str, channel: ChannelName) -> bool:
    return is_barred_by_order(pair.pupil, sharer, channel) or is_barred_by_care(pair.pupil, sharer)
