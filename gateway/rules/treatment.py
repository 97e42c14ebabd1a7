"""How two parents of one student were treated, where that differs, and why (R12)."""

import datetime as dt
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from gateway.directory.model import Category, ChannelName
from gateway.rules.answer import Outcome
from gateway.rules.households import Households
from gateway.rules.lost_routes import (
    AT_WORK,
    BARRED,
    BY_OFFICE,
    CONTESTED,
    DENIED,
    NOT_RECORDED,
    ORDERED_OTHERWISE,
    SILENT,
    UNDISCLOSED,
    UNUSABLE,
    Loss,
    lost_routes,
)
from gateway.rules.occasion import Pair


class Aspect(StrEnum):
    """In what parents may be treated differently."""

    OUTCOME = "outcome"
    RULE = "rule"
    CHANNELS = "channels"
    LANGUAGE = "language"
    """Whether the text exists in the parent's own language."""
    WAIT = "wait"
    STEP = "step"
    ARRIVAL = "arrival"
    """What became of it in fact."""


class Cause(StrEnum):
    """What a difference rests on."""

    RESTRICTION = "restriction"
    OWN_WISH = "own_wish"
    OWN_FLAG = "own_flag"
    CARE_STATUS = "care_status"
    AGE = "age"
    """The student is of age, or of an age to object."""
    STANDING = "standing"
    """Who pays, or whose relationship was not current."""
    CONTACT_POINTS = "contact_points"
    """Missing, unusable or shared."""
    QUIET_HOURS = "quiet_hours"
    LADDER = "ladder"
    DELIVERY = "delivery"
    """What happened on the way."""
    UNEXPLAINED_FLAG = "unexplained_flag"
    """A flag of the school without the parent's own request (R10b)."""
    NO_TRANSLATION = "no_translation"
    """The school has the text in the other parent's language only."""


UNEXPLAINED = frozenset({Cause.UNEXPLAINED_FLAG, Cause.NO_TRANSLATION})
"""Neither law nor the parent's own doing: somebody at the school has to act."""


class Arrival(StrEnum):
    """What became of a message, over all its deliveries."""

    REACHED = "reached"
    """A provider took it, or reports its arrival."""
    WAITING = "waiting"
    UNKNOWN = "unknown"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery as it stands: its state in the words of the state table, and the sentence that came with it."""

    channel: ChannelName
    state: str
    detail: str | None = None


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why one parent is treated otherwise in one aspect."""

    aspect: Aspect
    cause: Cause
    rule: str
    sentence: str
    channel: ChannelName | None = None


class Treatment(msgspec.Struct, frozen=True, kw_only=True):
    """What one parent gets, or got."""

    contact: str
    outcome: Outcome
    rule: str
    reason: str
    channels: tuple[ChannelName, ...] = ()
    language: str | None = None
    in_own_language: bool = True
    step: int | None = None
    not_before: dt.datetime | None = None
    traces: tuple[Trace, ...] = ()
    """In fact only."""
    reasons: tuple[Reason, ...] = ()
    """Why it differs from what another parent gets."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The parents of one student who are not treated alike in one category."""

    student: str
    category: Category
    aspects: tuple[Aspect, ...]
    explained: bool
    """Law, a recorded restriction, the parents' own wishes or contact points account for all of it."""
    parents: tuple[Treatment, ...]


_WAYS = {
    "sent": Arrival.REACHED,
    "delivered": Arrival.REACHED,
    "held": Arrival.WAITING,
    "queued": Arrival.WAITING,
    "sending": Arrival.WAITING,
    "retrying": Arrival.WAITING,
    "unknown": Arrival.UNKNOWN,
    "failed": Arrival.FAILED,
    "expired": Arrival.FAILED,
}


def arrival_of(traces: Iterable[Trace]) -> Arrival | None:
    """Sum a message up: the best of its deliveries counts; None without any."""
    ways = {_WAYS.get(trace.state, Arrival.WITHDRAWN) for trace in traces}
    return next((arrival for arrival in Arrival if arrival in ways), None)


class Side(msgspec.Struct, frozen=True):
    """One parent: who they are to the student and how they are treated."""

    pair: Pair
    treatment: Treatment

    @property
    def told(self) -> bool:
        """The message is for this parent."""
        return self.treatment.outcome is Outcome.SEND


def difference(sides: Sequence[Side], households: Households) -> Difference | None:
    """Compare the parents of one student in one category; None when they are treated alike.

    Which of two parents comes first on a ladder by nothing but the order of their ids is no difference.
    """
    told = [side for side in sides if side.told]
    aspects = [aspect for aspect, (only_told, look) in _LOOKS.items() if _differ(told if only_told else sides, look)]
    if not aspects:
        return None
    if Aspect.OUTCOME in aspects and Aspect.RULE in aspects:
        aspects.remove(Aspect.RULE)
    parents = []
    for side in sides:
        reasons = tuple(_reasons(side, told, aspects, households))
        parents.append(msgspec.structs.replace(side.treatment, reasons=reasons))
    given = [reason for parent in parents for reason in parent.reasons]
    unexplained = {reason.aspect for reason in given if reason.cause in UNEXPLAINED}
    pair = sides[0].pair
    return Difference(
        student=pair.pupil.student.id,
        category=pair.occasion.category,
        aspects=tuple(aspects),
        explained={reason.aspect for reason in given} - unexplained == set(aspects),
        parents=tuple(parents),
    )


def _differ(sides: Iterable[Side], look: Callable[[Side], Hashable]) -> bool:
    return len({look(side) for side in sides}) > 1


def _place(side: Side) -> Hashable:
    """Give what the ladder goes by among parents (R31); nothing outside a ladder."""
    row = side.pair.row
    return None if side.treatment.step is None else (row.lives_with, row.priority)


def _arrival(side: Side) -> Hashable:
    traces = side.treatment.traces
    return arrival_of(traces), tuple(trace.channel for trace in traces if _has_failed(trace))


def _has_failed(trace: Trace) -> bool:
    return _WAYS.get(trace.state) is Arrival.FAILED


_LOOKS: Mapping[Aspect, tuple[bool, Callable[[Side], Hashable]]] = {
    Aspect.OUTCOME: (False, lambda side: side.treatment.outcome),
    Aspect.RULE: (False, lambda side: side.treatment.rule),
    Aspect.CHANNELS: (True, lambda side: side.treatment.channels),
    Aspect.LANGUAGE: (True, lambda side: side.treatment.in_own_language),
    Aspect.WAIT: (True, lambda side: side.treatment.not_before),
    Aspect.STEP: (True, _place),
    Aspect.ARRIVAL: (True, _arrival),
}
"""What is compared in each aspect: among those only who are told, or among all parents."""

_PLAIN = (Outcome.SEND, "R07")
"""What every parent gets when nothing stands in the way."""

_CAUSES: Mapping[str, Cause] = {
    **dict.fromkeys(("R01", "R02", "R05", "R06", "R06a"), Cause.RESTRICTION),
    "R10a": Cause.OWN_FLAG,
    "R10b": Cause.UNEXPLAINED_FLAG,
    **dict.fromkeys(("R15", "R16"), Cause.AGE),
    **dict.fromkeys(("R17", "R18", "R19", "R20"), Cause.CARE_STATUS),
    "R21": Cause.OWN_WISH,
    **dict.fromkeys(("R24", "R29", "R30"), Cause.CONTACT_POINTS),
}
"""By the rule that decided; all others are a matter of standing."""

_LOSSES: Mapping[Loss, Cause] = {
    **dict.fromkeys((NOT_RECORDED, UNUSABLE, BARRED, CONTESTED), Cause.CONTACT_POINTS),
    **dict.fromkeys((AT_WORK, UNDISCLOSED, SILENT), Cause.OWN_WISH),
    **dict.fromkeys((DENIED, ORDERED_OTHERWISE), Cause.RESTRICTION),
    BY_OFFICE: Cause.STANDING,
}


def _reasons(side: Side, told: Sequence[Side], aspects: Collection[Aspect], households: Households) -> Iterator[Reason]:
    """Say what keeps one parent from the treatment that every parent gets, in the aspects that differ."""
    own = side.treatment
    decided = next((aspect for aspect in (Aspect.OUTCOME, Aspect.RULE) if aspect in aspects), None)
    if decided and (own.outcome, own.rule) != _PLAIN:
        cause = _CAUSES.get(own.rule, Cause.STANDING)
        yield Reason(aspect=decided, cause=cause, rule=own.rule, sentence=own.reason)
    if not side.told:
        return
    if Aspect.CHANNELS in aspects:
        yield from _channel_reasons(side, told, households)
    if Aspect.LANGUAGE in aspects and not own.in_own_language:
        sentence = "The text does not exist in the parent's own language."
        yield Reason(aspect=Aspect.LANGUAGE, cause=Cause.NO_TRANSLATION, rule="R12", sentence=sentence)
    if Aspect.WAIT in aspects and own.not_before is not None:
        yield _quiet_hours(Aspect.WAIT)
    if Aspect.STEP in aspects and own.step != min(other.treatment.step or 0 for other in told):
        yield _ladder(Aspect.STEP)
    if Aspect.ARRIVAL in aspects:
        yield from _arrival_reasons(own)


def _channel_reasons(side: Side, told: Sequence[Side], households: Households) -> Iterator[Reason]:
    """Give the reason for each channel that another parent has, and for an order of one's own."""
    own = side.treatment.channels
    losses = lost_routes(side.pair, households)
    category = side.pair.occasion.row.channels
    for channel in category:
        others = any(channel in other.treatment.channels for other in told)
        if others and channel not in own and channel in losses:
            loss = losses[channel]
            yield Reason(
                aspect=Aspect.CHANNELS,
                cause=_LOSSES[loss],
                rule=loss.rule,
                sentence=loss.sentence,
                channel=channel,
            )
    if own != tuple(channel for channel in category if channel in own):
        sentence = "The contact has chosen this order of channels."
        yield Reason(aspect=Aspect.CHANNELS, cause=Cause.OWN_WISH, rule="R21", sentence=sentence)


def _arrival_reasons(own: Treatment) -> Iterator[Reason]:
    """Say what happened on the way, in the provider's or the rule's own sentence."""
    arrival = arrival_of(own.traces)
    if arrival is Arrival.WAITING and own.not_before is not None:
        yield _quiet_hours(Aspect.ARRIVAL)
    elif arrival is Arrival.WAITING and own.step is not None and own.step > 1:
        yield _ladder(Aspect.ARRIVAL)
    for trace in own.traces:
        failed = _has_failed(trace)
        if failed or _WAYS.get(trace.state) is not Arrival.REACHED:
            yield Reason(
                aspect=Aspect.ARRIVAL,
                cause=Cause.CONTACT_POINTS if failed else Cause.DELIVERY,
                rule="R24" if failed else "R12",
                sentence=trace.detail or _STANDS[_WAYS.get(trace.state, Arrival.WITHDRAWN)],
                channel=trace.channel,
            )


_STANDS = {
    Arrival.WAITING: "It has not left yet.",
    Arrival.UNKNOWN: "Nobody knows whether it left.",
    Arrival.FAILED: "It did not arrive.",
    Arrival.WITHDRAWN: "It was withdrawn before it left.",
}


def _quiet_hours(aspect: Aspect) -> Reason:
    sentence = "It waits for the end of the contact's own quiet hours."
    return Reason(aspect=aspect, cause=Cause.QUIET_HOURS, rule="R32", sentence=sentence)


def _ladder(aspect: Aspect) -> Reason:
    sentence = "The ladder calls who lives with the student first, then goes by priority."
    return Reason(aspect=aspect, cause=Cause.LADDER, rule="R31", sentence=sentence)
