"""Whatever a school sets and the gateway accepts, the invariants of the recipient rules (section 6) hold."""

import copy
import dataclasses
import random
from collections import Counter

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category, ChannelName, Directory, Effect
from gateway.rules.answer import Mode, Outcome, Request
from gateway.rules.audience import Evaluation, evaluate
from gateway.rules.categories import CATEGORIES, FLAG_EXEMPT, LIFE_SAFETY, UNSUBSCRIBABLE
from gateway.rules.households import Households
from gateway.rules.occasion import occasion_of
from gateway.rules.policy import Policy
from gateway.rules.policy_document import PolicyDocument, merged
from gateway.rules.restrictions import covers, is_live
from tests.unit.rules.schools import questions, restrictions
from tests.unit.rules.settings import documents

Question = tuple[Directory, Request]

thorough = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def asked(question: Question, document: PolicyDocument) -> tuple[Evaluation, Policy]:
    """Decide as a school does that has set this."""
    directory, request = question
    policy = merged(document, Policy())
    evaluation = evaluate(DirectoryIndex(directory), request, policy=policy)
    assert evaluation.answer.error is None
    return evaluation, policy


def sends(question: Question, document: PolicyDocument) -> set[tuple[str, str]]:
    """List the pairs that are sent to."""
    decisions = asked(question, document)[0].answer.decisions
    return {(d.student, d.contact) for d in decisions if d.outcome is Outcome.SEND}


@thorough
@given(documents())
def test_the_table_stays_lawful(document: PolicyDocument) -> None:
    """Section 3: fixed sensitivities; what is required cannot be refused; alerts know no wishes and do not wait."""
    for category, row in merged(document, Policy()).categories.items():
        refusable = row.may_opt_out or row.must_opt_in
        assert row.sensitivity == CATEGORIES[category].sensitivity
        assert not (refusable and (row.statutory or category in FLAG_EXEMPT))
        assert not row.unsubscribe or (refusable and category in UNSUBSCRIBABLE)
        if category in LIFE_SAFETY:
            assert not any((refusable, row.own_channels, row.quiet_hours))
            assert row.mode is not Mode.FALLBACK
        assert category is not Category.ATTENDANCE or not row.quiet_hours


@thorough
@given(questions(), documents())
def test_messages_and_their_points(question: Question, document: PolicyDocument) -> None:
    """Invariants 1, 3, 4 and 5: every send in one message, by own usable points, one student where it must be."""
    directory, request = question
    evaluation, policy = asked(question, document)
    row, answer = policy.categories[request.category], evaluation.answer
    index = DirectoryIndex(directory)
    points = {point.id: point for own in index.points.values() for point in own}
    pairs = [(decision.student, decision.contact) for decision in answer.decisions]
    assert pairs == sorted(set(pairs))
    told = Counter((student, message.contact) for message in answer.messages for student in message.students)
    assert told == Counter((d.student, d.contact) for d in answer.decisions if d.outcome is Outcome.SEND)
    for message in answer.messages:
        used = [points[delivery.point] for delivery in message.deliveries]
        assert used
        assert all(point.contact == message.contact and not point.closed for point in used)
        assert {point.channel for point in used} <= set(row.channels)
        assert sum(point.channel is ChannelName.LETTER for point in used) <= 1
        assert len(message.students) == 1 or (row.sensitivity < 2 and row.mode is not Mode.LADDER)
        assert (message.step is not None) == (row.mode is Mode.LADDER)
        assert message.step is None or policy.ladder_minutes[request.category] > 0
        if request.category in LIFE_SAFETY | {Category.ATTENDANCE}:
            assert message.not_before is None


@thorough
@given(questions(), documents())
def test_the_barred_and_those_apart(question: Question, document: PolicyDocument) -> None:
    """Invariants 2, 6 and 11: nothing reaches a barred contact or one who has died, nor who must not read along."""
    directory, request = question
    evaluation, policy = asked(question, document)
    index = DirectoryIndex(directory)
    points = {point.id: point for own in index.points.values() for point in own}
    today = occasion_of(index, request, policy).today
    households = Households(index, today, policy)
    live = [
        r
        for r in directory.restrictions
        if r.effect is Effect.DENY and covers(r.categories, request.category) and is_live(r, today, policy)
    ]
    general = policy.categories[request.category].sensitivity == 0 or request.category in LIFE_SAFETY
    for message in evaluation.answer.messages:
        assert not index.contacts[message.contact].deceased
        for delivery in message.deliveries:
            point = points[delivery.point]
            exposed = {message.contact, *point.sharers}
            assert not any(
                r.student in message.students and r.contact in exposed and covers(r.channels, delivery.channel)
                for r in live
            )
            if delivery.channel is not ChannelName.LETTER:
                assert general or all(households.are_joint(point.contact, sharer) for sharer in point.sharers)
            elif delivery.merged_into is not None:
                assert households.are_joint(point.contact, points[delivery.merged_into].contact)


@thorough
@given(questions(), documents(), st.data())
def test_denies_flags_and_priorities(question: Question, document: PolicyDocument, data: st.DataObject) -> None:
    """Invariants 7 and 8: a deny adds no send, nor does a flag without its reason; priorities change no decision."""
    directory, request = question
    told = sends(question, document)
    deny = msgspec.structs.replace(data.draw(restrictions(directory)), effect=Effect.DENY)
    stricter = msgspec.structs.replace(directory, restrictions=(*directory.restrictions, deny))
    assert sends((stricter, request), document) <= told
    bare = [
        msgspec.structs.replace(row, correspondence_reason=None, reports_reason=None) for row in directory.relationships
    ]
    assert sends((msgspec.structs.replace(directory, relationships=tuple(bare)), request), document) <= told
    equal = [msgspec.structs.replace(row, priority=None) for row in directory.relationships]
    assert sends((msgspec.structs.replace(directory, relationships=tuple(equal)), request), document) == told


@thorough
@given(questions(), documents(), st.randoms(use_true_random=False))
def test_order_is_irrelevant(question: Question, document: PolicyDocument, chance: random.Random) -> None:
    """Invariant 10: the same answer for shuffled lists and a second time; neither directory nor policy is modified."""
    directory, request = question
    evaluation, policy = asked(question, document)
    before = copy.deepcopy((directory, dataclasses.asdict(policy)))
    names = ("students", "contacts", "contact_points", "households", "relationships", "restrictions")
    mixed = {name: tuple(chance.sample(getattr(directory, name), len(getattr(directory, name)))) for name in names}
    shuffled = DirectoryIndex(msgspec.structs.replace(directory, **mixed))
    assert evaluate(shuffled, request, policy=policy) == evaluation
    assert evaluate(DirectoryIndex(directory), request, policy=policy) == evaluation
    assert (directory, dataclasses.asdict(policy)) == before
