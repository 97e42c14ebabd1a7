"""The invariants of the recipient rules (section 6) over random schools."""

import copy
import random
from collections import Counter

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.directory.indexing import DirectoryIndex, IndexedPoint
from gateway.directory.model import (
    Category,
    ChannelName,
    Contact,
    ContactPoint,
    Directory,
    Effect,
)
from gateway.directory.validation import find_problems
from gateway.rules.answer import Answer, Mode, Outcome, Request
from gateway.rules.audience import decide, evaluate
from gateway.rules.categories import CATEGORIES, LIFE_SAFETY
from gateway.rules.households import Households
from gateway.rules.occasion import occasion_of
from gateway.rules.policy import Policy
from gateway.rules.restrictions import covers, is_live
from tests.unit.rules.schools import TODAY, questions, restrictions

Question = tuple[Directory, Request]

thorough = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def ask(question: Question) -> Answer:
    """Decide and refuse to go on when the drawn question was not admitted."""
    directory, request = question
    answer = decide(DirectoryIndex(directory), request)
    assert answer.error is None
    return answer


def points_of(directory: Directory) -> dict[str, IndexedPoint]:
    """Index all points by id."""
    return {point.id: point for points in DirectoryIndex(directory).points.values() for point in points}


def sends(answer: Answer) -> set[tuple[str, str]]:
    """List the pairs that are sent to."""
    return {(d.student, d.contact) for d in answer.decisions if d.outcome is Outcome.SEND}


@thorough
@given(questions())
def test_drawn_schools_are_consistent(question: Question) -> None:
    """The generator draws only directories that P0 admits."""
    assert find_problems(question[0], TODAY) == []


@thorough
@given(questions())
def test_every_pair_is_decided_once_and_every_send_is_in_one_message(question: Question) -> None:
    """Invariant 1."""
    answer = ask(question)
    pairs = [(decision.student, decision.contact) for decision in answer.decisions]
    assert pairs == sorted(set(pairs))
    told = Counter((student, message.contact) for message in answer.messages for student in message.students)
    assert told == Counter(sends(answer))


@thorough
@given(questions())
def test_barred_contacts_and_what_they_share_stay_silent(question: Question) -> None:
    """Invariant 2, counted afresh from the restrictions."""
    directory, request = question
    policy, today = Policy(), occasion_of(DirectoryIndex(directory), request, Policy()).today
    points = points_of(directory)
    live = [
        r
        for r in directory.restrictions
        if r.effect is Effect.DENY and covers(r.categories, request.category) and is_live(r, today, policy)
    ]
    for message in ask(question).messages:
        for delivery in message.deliveries:
            exposed = {message.contact, *points[delivery.point].sharers}
            assert not any(
                r.student in message.students and r.contact in exposed and covers(r.channels, delivery.channel)
                for r in live
            )


@thorough
@given(questions())
def test_deliveries_use_own_usable_points(question: Question) -> None:
    """Invariant 3."""
    directory, request = question
    points, row = points_of(directory), CATEGORIES[request.category]
    for message in ask(question).messages:
        assert message.deliveries
        used = [points[delivery.point] for delivery in message.deliveries]
        assert all(point.contact == message.contact and not point.closed for point in used)
        assert all(point.channel in row.channels for point in used)
        assert request.category in LIFE_SAFETY or not any(point.doubtful for point in used)
        assert sum(point.channel is ChannelName.LETTER for point in used) <= 1


@thorough
@given(questions())
def test_sensitive_and_ladder_messages_name_one_student(question: Question) -> None:
    """Invariant 4, with the ladder's steps counted from 1 without a gap."""
    _, request = question
    row = CATEGORIES[request.category]
    messages = ask(question).messages
    if row.sensitivity == 2 or row.mode is Mode.LADDER:
        assert all(len(message.students) == 1 for message in messages)
    ladders: dict[str, list[int | None]] = {}
    for message in messages:
        ladders.setdefault(message.students[0], []).append(message.step)
    for rungs in ladders.values():
        if row.mode is Mode.LADDER:
            assert sorted(rung or 0 for rung in rungs) == list(range(1, len(rungs) + 1))
        else:
            assert set(rungs) == {None}


@thorough
@given(questions())
def test_urgent_messages_never_wait(question: Question) -> None:
    """Invariant 5; and what waits, waits for a later instant less than a day away."""
    _, request = question
    urgent = request.category in LIFE_SAFETY | {Category.ATTENDANCE}
    for message in ask(question).messages:
        if message.not_before is not None:
            assert not urgent
            assert 0 < (message.not_before - request.at).total_seconds() <= 24 * 3600


@thorough
@given(questions())
def test_contested_points_and_shared_envelopes(question: Question) -> None:
    """Invariant 6, and the neutral points are exactly the contested ones in use."""
    directory, request = question
    index = DirectoryIndex(directory)
    evaluation = evaluate(index, request)
    points = points_of(directory)
    households = Households(index, occasion_of(index, request, Policy()).today, Policy())
    contested = set()
    for message in evaluation.answer.messages:
        for delivery in message.deliveries:
            point = points[delivery.point]
            apart = not all(households.are_joint(point.contact, sharer) for sharer in point.sharers)
            if delivery.channel is not ChannelName.LETTER and apart:
                assert CATEGORIES[request.category].sensitivity == 0 or request.category in LIFE_SAFETY
                contested.add(delivery.point)
            if delivery.channel is ChannelName.LETTER and delivery.merged_into is not None:
                assert households.are_joint(point.contact, points[delivery.merged_into].contact)
    general = CATEGORIES[request.category].sensitivity == 0
    assert evaluation.neutral_points == (contested if general else set())


@thorough
@given(questions(), st.data())
def test_adding_a_deny_never_adds_a_send(question: Question, data: st.DataObject) -> None:
    """Invariant 7, first half."""
    directory, request = question
    deny = msgspec.structs.replace(data.draw(restrictions(directory)), effect=Effect.DENY)
    stricter = msgspec.structs.replace(directory, restrictions=(*directory.restrictions, deny))
    assert sends(ask((stricter, request))) <= sends(ask(question))


@thorough
@given(questions())
def test_removing_a_flags_reason_never_adds_a_send(question: Question) -> None:
    """Invariant 7, second half."""
    directory, request = question
    rows = tuple(
        msgspec.structs.replace(row, correspondence_reason=None, reports_reason=None) for row in directory.relationships
    )
    bare = msgspec.structs.replace(directory, relationships=rows)
    assert sends(ask((bare, request))) <= sends(ask(question))


@thorough
@given(questions(), st.lists(st.sampled_from([None, 1, 2, 3]), min_size=15, max_size=15))
def test_priorities_change_no_decision(question: Question, priorities: list[int | None]) -> None:
    """Invariant 8."""
    directory, request = question
    rows = tuple(
        msgspec.structs.replace(row, priority=priority)
        for row, priority in zip(directory.relationships, priorities, strict=False)
    )
    changed = msgspec.structs.replace(directory, relationships=rows)
    assert ask((changed, request)).decisions == ask(question).decisions


@thorough
@given(questions(), st.sampled_from(["", "07700 9002", "020 7946 09"]))
def test_equal_parents_fare_equally(question: Question, number: str) -> None:
    """Invariant 9: a twin of a parent, with points nobody shares, gets the same outcome by the same rule."""
    directory, request = question
    assume(directory.relationships)
    original = directory.relationships[0]
    channel = ChannelName.SMS if number else ChannelName.EMAIL
    twins = ("t1", "t2")
    contacts = tuple(Contact(id=twin) for twin in twins)
    points = tuple(
        ContactPoint(
            id=f"{twin}-p",
            contact=twin,
            channel=channel,
            address=f"{number}{position:02}" if number else f"{twin}@example.org",
        )
        for position, twin in enumerate(twins)
    )
    rows = tuple(msgspec.structs.replace(original, contact=twin, natural_parent=True) for twin in twins)
    twinned = msgspec.structs.replace(
        directory,
        contacts=(*directory.contacts, *contacts),
        contact_points=(*directory.contact_points, *points),
        relationships=(*directory.relationships, *rows),
    )
    named = None if request.contacts is None else (*request.contacts, *twins)
    answer = ask((twinned, msgspec.structs.replace(request, contacts=named)))
    fates = {
        d.contact: (d.outcome, d.rule) for d in answer.decisions if d.contact in twins and d.student == original.student
    }
    assert fates.get("t1") == fates.get("t2")


@thorough
@given(questions(), st.randoms(use_true_random=False))
def test_input_order_is_irrelevant(question: Question, chance: random.Random) -> None:
    """Invariant 10: shuffled lists and a second time give the same answer and neutral points; nothing is modified."""
    directory, request = question
    before = copy.deepcopy(directory)
    fields = (
        "students",
        "contacts",
        "contact_points",
        "households",
        "relationships",
        "restrictions",
        "placement_plans",
    )
    mixed = {name: tuple(chance.sample(getattr(directory, name), len(getattr(directory, name)))) for name in fields}
    shuffled = msgspec.structs.replace(directory, **mixed)
    index = DirectoryIndex(directory)
    expected = evaluate(index, request)
    assert evaluate(index, request) == expected
    assert evaluate(DirectoryIndex(shuffled), request) == expected
    assert directory == before


@thorough
@given(questions())
def test_the_dead_are_not_told(question: Question) -> None:
    """Invariant 11, as far as routes go."""
    directory, _ = question
    dead = {contact.id for contact in directory.contacts if contact.deceased}
    answer = ask(question)
    assert not any(message.contact in dead for message in answer.messages)
    assert {d.rule for d in answer.decisions if d.contact in dead} <= {"P1"}


@thorough
@given(questions(), st.integers(1, 3), st.randoms(use_true_random=False))
def test_deciding_in_chunks_equals_deciding_at_once(question: Question, size: int, chance: random.Random) -> None:
    """The planner may ask for some contacts at a time: the answers add up to the whole."""
    directory, request = question
    index = DirectoryIndex(directory)
    whole = evaluate(index, request)
    everybody = [contact.id for contact in directory.contacts]
    chance.shuffle(everybody)
    chunks = [everybody[start : start + size] for start in range(0, len(everybody), size)]
    parts = [evaluate(index, request, contacts=chunk) for chunk in chunks]
    decisions = sorted((d for part in parts for d in part.answer.decisions), key=lambda d: (d.student, d.contact))
    messages = sorted((m for part in parts for m in part.answer.messages), key=lambda m: (m.contact, m.students[0]))
    assert tuple(decisions) == whole.answer.decisions
    assert tuple(messages) == whole.answer.messages
    assert frozenset().union(*(part.neutral_points for part in parts)) == whole.neutral_points


@thorough
@given(questions())
def test_merged_deliveries_hang_on_unmerged_ones_of_others(question: Question) -> None:
    """A carrier is another contact's earlier delivery on the same channel about the same students, itself unmerged."""
    directory, _ = question
    points = points_of(directory)
    carriers: dict[str, set[tuple[str, ...]]] = {}
    for message in ask(question).messages:
        for delivery in message.deliveries:
            if delivery.merged_into is None:
                carriers.setdefault(delivery.point, set()).add(message.students)
                continue
            carrier = points[delivery.merged_into]
            assert carrier.contact != message.contact
            assert (carrier.channel, carrier.key) == (delivery.channel, points[delivery.point].key)
            assert message.students in carriers[delivery.merged_into]
            assert message.mode is not Mode.LADDER
            assert message.mode is Mode.SIMULTANEOUS or delivery is message.deliveries[0]
