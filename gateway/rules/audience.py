"""Decides who must, may and must not be told, and by which routes: the recipient rules from P0 to P9."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import msgspec

from gateway.directory.indexing import DirectoryIndex, IndexedPoint
from gateway.directory.model import ChannelName, Contact
from gateway.rules.answer import (
    Answer,
    Decision,
    Mode,
    Outcome,
    PlannedDelivery,
    PlannedMessage,
    Refusal,
    Request,
)
from gateway.rules.asking import asked_students, check_request
from gateway.rules.grouping import Bundle, Send, bundles
from gateway.rules.households import Households
from gateway.rules.ladder import steps
from gateway.rules.merging import Draft, merged
from gateway.rules.occasion import Occasion, Pair, Pupil, RefusedError, occasion_of, pair_of, pupil_of
from gateway.rules.policy import Policy
from gateway.rules.quiet_hours import may_disturb_at
from gateway.rules.reasons import REASONS
from gateway.rules.routes import Router, Routing
from gateway.rules.stages import ABSENCE_RULE, absence, judge
from gateway.rules.verdict import Ruling

DEFAULT_POLICY = Policy()


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The answer, and what the renderer must know beside it."""

    answer: Answer
    neutral_points: frozenset[str] = frozenset()
    """Ids of contested points in use: neutral greeting, no student's name (R29 at sensitivity 0)."""
    carried_apart: frozenset[str] = frozenset()
    """Ids of points whose delivery travels inside that of somebody who lives apart: no joint greeting (R26)."""

    @property
    def impersonal_points(self) -> frozenset[str]:
        """Ids of points at which nobody may be greeted by name."""
        return self.neutral_points | self.carried_apart


def decide(
    index: DirectoryIndex,
    request: Request,
    *,
    contacts: Collection[str] | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> Answer:
    """Answer a request; see `evaluate`."""
    return evaluate(index, request, contacts=contacts, policy=policy).answer


def evaluate(
    index: DirectoryIndex,
    request: Request,
    *,
    contacts: Collection[str] | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> Evaluation:
    """Decide for every pair asked about and plan the messages; a request that P0 refuses gives `error` and no more.

    `contacts` restricts the answer to these contacts while everybody else still counts, for ladder numbers, merged
    deliveries and shared addresses: answers for disjoint sets of contacts add up to the whole. The index is trusted
    to come from a directory in which `find_problems` found nothing.
    """
    try:
        check_request(index, request, policy)
        return _Evaluator(occasion_of(index, request, policy)).evaluate(request, contacts)
    except RefusedError as refusal:
        return Evaluation(answer=Answer(decisions=(), messages=(), error=Refusal(reason=str(refusal))))


class _Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of one pair: the decision and, for a send, the pair and its points."""

    decision: Decision
    pair: Pair | None = None
    points: tuple[IndexedPoint, ...] = ()


class _Evaluator:
    """Works on one request and remembers what several pairs have in common."""

    def __init__(self, occasion: Occasion) -> None:
        self._occasion = occasion
        self._index = occasion.index
        self._households = Households(occasion.index, occasion.today, occasion.policy)
        self._router = Router(occasion, self._households)
        self._waits: dict[tuple[str | None, tuple[str, str] | None], dt.datetime | None] = {}

    def evaluate(self, request: Request, only: Collection[str] | None) -> Evaluation:
        """P1 to P9; `only` is None for everybody."""
        wanted = None if only is None else frozenset(only)
        relevant = self._relevant(wanted)
        decisions: list[Decision] = []
        sends: list[Send] = []
        for pupil in self._pupils(request, wanted, relevant):
            outcomes = [self._outcome(pupil, contact) for contact in self._contacts(pupil, relevant)]
            decisions.extend(outcome.decision for outcome in outcomes)
            sends.extend(self._sends(outcomes))
        drafts = [self._draft(bundle) for bundle in bundles(sends, self._occasion.row)]
        planned = [
            (message, draft.points)
            for message, draft in zip(merged(drafts, self._households), drafts, strict=True)
            if wanted is None or message.contact in wanted
        ]
        if wanted is not None:
            decisions = [decision for decision in decisions if decision.contact in wanted]
        return Evaluation(
            answer=Answer(decisions=tuple(decisions), messages=tuple(message for message, _ in planned)),
            neutral_points=frozenset(chain.from_iterable(self._router.neutral(points) for _, points in planned)),
            carried_apart=frozenset(self._carried_apart([message for message, _ in planned])),
        )

    def _carried_apart(self, messages: Iterable[PlannedMessage]) -> Iterator[str]:
        """Give the ids of points whose delivery travels inside that of somebody who is not joint."""
        carried = [
            (message.contact, delivery)
            for message in messages
            for delivery in message.deliveries
            if delivery.merged_into is not None
        ]
        if not carried:
            return
        owners = {point.id: point.contact for point in self._index.directory.contact_points}
        for contact, delivery in carried:
            if delivery.merged_into is not None and not self._households.are_joint(
                contact, owners[delivery.merged_into]
            ):
                yield delivery.point

    def _relevant(self, wanted: frozenset[str] | None) -> frozenset[str] | None:
        """Widen the wanted contacts to all who bear on their messages; None is everybody.

        A ladder is numbered over all; elsewhere only who shares an address can carry a delivery.
        """
        if wanted is None or self._occasion.row.mode is Mode.LADDER:
            return None
        return wanted | self._index.neighbours(wanted)

    def _pupils(
        self, request: Request, wanted: frozenset[str] | None, relevant: frozenset[str] | None
    ) -> Iterator[Pupil]:
        """Take the students asked about, in order; of a restricted question only those it can concern."""
        concerned = wanted if relevant is None else relevant
        among = None
        if concerned is not None and concerned.isdisjoint(self._occasion.named or ()):
            among = {student for contact in concerned for student in self._index.students_of.get(contact, ())}
        for student in asked_students(self._occasion, request, among):
            yield pupil_of(self._occasion, self._index.students[student])

    def _contacts(self, pupil: Pupil, relevant: frozenset[str] | None) -> Iterable[str]:
        """List everybody with a relationship row, ended ones too, and everybody named, in order."""
        contacts: Iterable[str] = self._index.rows.get(pupil.student.id, ())
        if self._occasion.named is not None:
            contacts = sorted(self._occasion.named.union(contacts))
        return contacts if relevant is None else [contact for contact in contacts if contact in relevant]

    def _outcome(self, pupil: Pupil, contact: str) -> _Outcome:
        """P1 to P8 for one pair."""
        absent = absence(pupil, contact)
        if absent is not None:
            return _decided(pupil, contact, Outcome.EXCLUDE, ABSENCE_RULE, absent.value)
        pair = pair_of(pupil, self._index.contacts[contact], pupil.rows[contact])
        verdict = judge(pair)
        if verdict.ruling is not Ruling.ADMIT:
            return _decided(pupil, contact, _OUTCOMES[verdict.ruling], verdict.rule)
        routing = self._router.route(pair)
        if not routing.points:
            return _decided(pupil, contact, *_unrouted(routing))
        return _decided(pupil, contact, Outcome.SEND, verdict.rule, pair=pair, points=routing.points)

    def _sends(self, outcomes: Iterable[_Outcome]) -> Iterator[Send]:
        """Give one student's sends, on a ladder with their steps."""
        sent = [(outcome.pair, outcome.points) for outcome in outcomes if outcome.pair is not None]
        rungs = steps(pair for pair, _ in sent) if self._occasion.row.mode is Mode.LADDER else {}
        for pair, points in sent:
            yield Send(pair.pupil.student.id, pair.contact, points, rungs.get(pair.contact.id))

    def _draft(self, bundle: Bundle) -> Draft:
        """Write a message with all its deliveries its own."""
        contact = bundle.contact
        message = PlannedMessage(
            contact=contact.id,
            students=bundle.students,
            deliveries=tuple(PlannedDelivery(channel=point.channel, point=point.id) for point in bundle.points),
            mode=self._occasion.row.mode,
            step=bundle.step,
            language=contact.language or self._index.school.language,
            formats=tuple(sorted(contact.formats)),
            not_before=self._not_before(contact, bundle.points),
        )
        return Draft(message, bundle.points)

    def _not_before(self, contact: Contact, points: Iterable[IndexedPoint]) -> dt.datetime | None:
        """R32: nothing but letters may arrive in the contact's quiet hours."""
        if not self._occasion.row.quiet_hours or all(point.channel is ChannelName.LETTER for point in points):
            return None
        place = (contact.timezone, contact.preferences.quiet_hours)
        if place not in self._waits:
            self._waits[place] = may_disturb_at(
                contact,
                self._occasion.at,
                usual=self._occasion.policy.quiet_hours,
                school_zone=self._index.school.timezone,
            )
        return self._waits[place]


_OUTCOMES = {Ruling.HOLD: Outcome.HOLD, Ruling.EXCLUDE: Outcome.EXCLUDE}


def _decided(
    pupil: Pupil,
    contact: str,
    outcome: Outcome,
    rule: str,
    reason: str | None = None,
    *,
    pair: Pair | None = None,
    points: tuple[IndexedPoint, ...] = (),
) -> _Outcome:
    """Write a decision down with its sentence."""
    decision = Decision(
        student=pupil.student.id,
        contact=contact,
        outcome=outcome,
        rule=rule,
        reason=REASONS[outcome, rule] if reason is None else reason,
    )
    return _Outcome(decision, pair, points)


def _unrouted(routing: Routing) -> tuple[Outcome, str]:
    """P8: say what it means that no point is left."""
    if routing.lost_to_barred:
        return Outcome.UNREACHABLE, "R30"
    return (Outcome.HOLD, "R29") if routing.lost_to_contest else (Outcome.UNREACHABLE, "R24")
