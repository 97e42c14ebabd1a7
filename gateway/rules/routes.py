"""P8: the points a message to one contact about one student may use (R22, R27, R01, R30, R36, R29)."""

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from gateway.directory.indexing import IndexedPoint
from gateway.directory.model import ANY, ChannelName, Contact
from gateway.rules.answer import Mode
from gateway.rules.households import Households
from gateway.rules.occasion import Occasion, Pair, Pupil
from gateway.rules.restrictions import NO_ORDERS, Orders
from gateway.rules.stages import is_barred_by_care, is_barred_by_order

SILENT_FORMATS = frozenset({"text_only", "bsl_video", "asl_video"})

Points = tuple[IndexedPoint, ...]


class Routing(msgspec.Struct, frozen=True, gc=False):
    """The points of one message in order, and why some were lost."""

    points: Points = ()
    lost_to_barred: bool = False
    """R30 dropped a point."""
    lost_to_contest: bool = False
    """R29 dropped a point."""


class Offer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a contact's points come to for any student, after R22 and R27."""

    points: Points
    """In order."""
    watched: bool
    """A restriction names somebody who shares a point, so that R30 needs a look for each student."""
    usual: Routing
    """The routing for a student about whom nobody is barred."""


class Router:
    """Finds the routes of one evaluation and remembers what is the same for every student of a contact."""

    def __init__(self, occasion: Occasion, households: Households) -> None:
        self._occasion = occasion
        self._households = households
        self._contest_counts = occasion.row.sensitivity >= 1 and not occasion.life_safety
        self._offers: dict[tuple[str, bool], Offer] = {}
        self._barred: dict[tuple[str, str, ChannelName], bool] = {}

    def route(self, pair: Pair) -> Routing:
        """P8: give the usable points in order, none when nothing is left."""
        offer = self._offer(pair.contact, professional=pair.professional)
        if not offer.watched and not pair.pupil.in_care_stage and pair.orders is NO_ORDERS:
            return offer.usual
        return self._routing(pair.contact, offer.points, pair)

    def _routing(self, contact: Contact, points: Points, pair: Pair | None) -> Routing:
        """Drop points one by one for the first reason that applies; without a pair nobody is barred."""
        barred = contested = False
        kept: list[IndexedPoint] = []
        for point in points:
            if pair is not None and is_channel_denied(pair.orders, point.channel):  # R01 by channel
                continue
            if pair is not None and self._is_barred(pair.pupil, point):  # R30
                barred = True
            elif not point.sharers or not self._is_apart(point):
                kept.append(point)
            elif point.channel is ChannelName.LETTER:
                if not self._is_undisclosed(contact, point):  # R36 at routing
                    kept.append(point)
            elif self._contest_counts:  # R29
                contested = True
            else:
                kept.append(point)
        ordered = frozenset[str]() if pair is None else _ordered_channels(pair.orders)
        return Routing(_narrow(kept, self._occasion, contact, ordered), barred, contested)

    def neutral(self, points: Iterable[IndexedPoint]) -> Iterable[str]:
        """Give the ids of contested points that are used all the same at sensitivity 0 (R29)."""
        if self._occasion.row.sensitivity > 0:
            return ()
        return (point.id for point in points if point.channel is not ChannelName.LETTER and self._is_apart(point))

    def _offer(self, contact: Contact, *, professional: bool) -> Offer:
        offer = self._offers.get((contact.id, professional))
        if offer is None:
            offer = self._offers[contact.id, professional] = self._make_offer(contact, professional=professional)
        return offer

    def _make_offer(self, contact: Contact, *, professional: bool) -> Offer:
        occasion = self._occasion
        own = occasion.index.points.get(contact.id, ())
        points = tuple(
            [
                point
                for channel in channel_order(occasion, contact, professional=professional)
                for point in own
                if point.channel is channel
                and is_usable(point, life_safety=occasion.life_safety)  # R22
                and (professional or may_use_for_family(point, contact, occasion.row.sensitivity))  # R27
            ]
        )
        sharers = chain.from_iterable([point.sharers for point in points])
        return Offer(
            points=points,
            watched=any(map(occasion.index.restrictions_naming.__contains__, sharers)),
            usual=self._routing(contact, points, None),
        )

    def _is_barred(self, pupil: Pupil, point: IndexedPoint) -> bool:
        """R30: the address is shared with somebody who may not hear of this student on this channel."""
        return any(self._is_sharer_barred(pupil, sharer, point.channel) for sharer in point.sharers)

    def _is_sharer_barred(self, pupil: Pupil, sharer: str, channel: ChannelName) -> bool:
        question = (pupil.student.id, sharer, channel)
        known = self._barred.get(question)
        if known is None:
            known = is_barred_by_order(pupil, sharer, channel) or is_barred_by_care(pupil, sharer)
            self._barred[question] = known
        return known

    def _is_undisclosed(self, contact: Contact, letter: IndexedPoint) -> bool:
        """R36: who keeps any point confidential gets no letter at an open address shared with someone not joint."""
        return not letter.confidential and any(own.confidential for own in self._occasion.index.points[contact.id])

    def _is_apart(self, point: IndexedPoint) -> bool:
        """Tell whether somebody who is not joint shares the address."""
        return not all(self._households.are_joint(point.contact, sharer) for sharer in point.sharers)


def channel_order(occasion: Occasion, contact: Contact, *, professional: bool) -> tuple[ChannelName, ...]:
    """Order the category's channels for one contact: in fallback mode the contact's own wishes first."""
    channels: Sequence[ChannelName] = occasion.row.channels
    if professional and not occasion.life_safety:
        channels = [channel for channel in channels if channel in (ChannelName.EMAIL, ChannelName.LETTER)]
    wished = contact.preferences.channels
    if not wished or occasion.row.mode is not Mode.FALLBACK or not occasion.row.own_channels:
        return tuple(channels)
    own = wished[occasion.category] if occasion.category in wished else wished.get(ANY, ())
    return tuple(dict.fromkeys([*(channel for channel in own if channel in channels), *channels]))


def is_usable(point: IndexedPoint, *, life_safety: bool) -> bool:
    """R22: not closed, an address the channel can reach at all, and not doubtful except for life-safety."""
    return point.reachable and not point.closed and (life_safety or not point.doubtful)


def may_use_for_family(point: IndexedPoint, contact: Contact, sensitivity: int) -> bool:
    """R27: without the contact's wish a work point is closed to staff always, to others at sensitivity 2."""
    if not point.work or contact.preferences.work_points:
        return True
    return not contact.staff and sensitivity < 2


def is_channel_denied(orders: Orders, channel: ChannelName) -> bool:
    """R01 by channel: a live channel-limited deny covers the channel."""
    return any(channel in deny.channels for deny in orders.limited)


def _ordered_channels(orders: Orders) -> frozenset[str]:
    """Collect the channels that live orders to send name; empty when they name none."""
    return frozenset(channel for order in orders.must_send if ANY not in order.channels for channel in order.channels)


def _narrow(points: Sequence[IndexedPoint], occasion: Occasion, contact: Contact, ordered: frozenset[str]) -> Points:
    """Keep one letter, each address once, what an order names, and no voice for who cannot hear it."""
    chosen: list[IndexedPoint] = []
    seen: set[tuple[ChannelName, str]] = set()
    for point in points:
        one_only = occasion.row.first_of_each or point.channel is ChannelName.LETTER
        place = (point.channel, "" if one_only else point.key)
        if place not in seen:
            seen.add(place)
            chosen.append(point)
    if ordered:
        chosen = [point for point in chosen if point.channel in ordered] or chosen
    if contact.formats and not SILENT_FORMATS.isdisjoint(contact.formats):
        chosen = [point for point in chosen if point.channel is not ChannelName.VOICE] or chosen
    return tuple(chosen)
