"""News finds the attempt it is about, changes nobody else, and comes to the same end in whatever order it comes."""

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Receipt, ReceiptStatus
from channels.email_bounces import PROVIDER as RETURNED_MAIL
from gateway.dispatch.judging import Consequences, contested, judge, sort_out
from gateway.store.receipts import Known
from gateway.tracking.receipts import NEWS, in_order
from gateway.tracking.states import State, Step
from gateway.tracking.tries import Try

NOON = dt.datetime(2026, 6, 15, 11, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
STARTED = (State.SENDING, State.RETRYING, State.SENT, State.DELIVERED, State.FAILED, State.UNKNOWN, State.EXPIRED)


def delivery(name: str = "d", **columns: Any) -> Any:
    """Describe a call that the provider `phone` has taken as `call-1`."""
    row = {
        "id": name,
        "school": "school",
        "notification": "n",
        "message": f"m-{name}",
        "point": f"p-{name}",
        "channel": "voice",
        "lane": "standard",
        "state": "sent",
        "attempts": 1,
        "provider": "phone",
        "provider_id": "call-1",
        "expires_at": None,
        "owner": None,
        "lease_until": None,
    }
    return SimpleNamespace(**row | columns)


def news(status: ReceiptStatus, minute: int = 0, **fields: Any) -> Receipt:
    """Describe an event of the first call."""
    told = {"provider": "phone", "event_id": f"{status}-{minute}-{fields}", "delivery": "d", "provider_id": "call-1"}
    return Receipt(**told | {"status": status, "at": NOON + minute * MINUTE} | fields)


def busy(minute: int = 0, **fields: Any) -> Receipt:
    """Describe a line that was engaged."""
    return news(ReceiptStatus.BUSY, minute, again=True, **fields)


class Record:
    """One delivery on record; every telling is a transaction of its own."""

    def __init__(self, row: Any, tries: Mapping[int, Try] | None = None) -> None:
        self.row = row
        self.tries: dict[int, Try] = dict(tries or {1: Try(row.provider, row.provider_id)})
        self.told: list[Receipt] = []
        self.ends = 0

    def known(self) -> Known:
        """Give what the database would."""
        return Known({self.row.id: self.row}, {self.row.id: self.tries})

    def hear(self, *told: Receipt, chance: float = 0.5) -> Consequences:
        """Tell events in one transaction, those told before left out."""
        fresh = [receipt for receipt in told if receipt not in self.told]
        known = self.known()
        found_out = sort_out(fresh, known, now=NOON)
        meant = found_out.meant
        before = {self.row.id: self.told} if contested(meant, known) else {}
        found = judge(meant, known.rows, found_out.tries, before, now=NOON, chance=lambda: chance)
        self.told += [each.receipt for each in meant]
        for state in found.states:
            self.row = SimpleNamespace(**vars(self.row) | {"state": state["state"]})
        for _, number in found.missed:
            self.tries[number] = self.tries[number]._replace(missed=True)
        self.ends += len(found.failed)
        return found

    @property
    def state(self) -> State:
        """Where it stands."""
        return State(self.row.state)


@pytest.mark.parametrize(
    ("row", "tries", "receipt", "found"),
    [
        (delivery(), None, news(ReceiptStatus.SENT), 1),
        (delivery(), None, news(ReceiptStatus.SENT, delivery=None), 1),
        (delivery(), None, news(ReceiptStatus.SENT, provider_id=None), 1),
        (delivery(provider_id=None), {}, news(ReceiptStatus.SENT), 1),
        (delivery(), None, news(ReceiptStatus.SENT, provider_id="call-9"), "refused"),
        (delivery(), None, news(ReceiptStatus.SENT, provider="other"), "refused"),
        (delivery(), None, news(ReceiptStatus.SENT, provider="other", provider_id=None), "refused"),
        (delivery(provider_id=None), {}, news(ReceiptStatus.SENT, provider="other"), "refused"),
        (delivery(), None, news(ReceiptStatus.SENT, delivery="another"), "refused"),
        (delivery(), None, news(ReceiptStatus.SENT, delivery=None, provider_id="call-9"), "waiting"),
        (delivery(), None, news(ReceiptStatus.SENT, delivery="another", provider_id="call-9"), "waiting"),
        (delivery(attempts=0, provider=None, provider_id=None), {}, news(ReceiptStatus.SENT), "refused"),
        # The second attempt is with another provider; the first one's late news is still its own.
        (delivery(attempts=2), {1: Try("old", "o-1")}, news(ReceiptStatus.SENT, provider="old", provider_id="o-1"), 1),
        (delivery(attempts=2), {1: Try("old", None)}, news(ReceiptStatus.SENT, provider="old", provider_id="o-1"), 1),
        (delivery(attempts=2), {1: Try("old", "o-1")}, news(ReceiptStatus.SENT, provider_id="call-2"), 2),
        (delivery(attempts=2), {1: Try("phone", "call-1")}, news(ReceiptStatus.SENT), 1),
        (delivery(attempts=2), {1: Try("phone", "call-1")}, news(ReceiptStatus.SENT, provider_id=None), 2),
        (
            delivery(attempts=2),
            {1: Try("phone", "call-1"), 2: Try("phone", "call-2")},
            news(ReceiptStatus.SENT, provider_id="call-3"),
            "refused",
        ),
        # A worker died before it could say to whom it had handed it: the claim says so.
        (delivery(provider_id=None), {1: Try(None, None)}, news(ReceiptStatus.SENT), 1),
        (delivery(provider_id=None), {1: Try(None, None)}, news(ReceiptStatus.SENT, provider="other"), "refused"),
        # A mail that comes back is told of by others than the relay that took it.
        (delivery(), None, news(ReceiptStatus.BOUNCED, provider=RETURNED_MAIL, provider_id=None), 1),
        (
            delivery(attempts=0, provider=None, provider_id=None),
            {},
            news(ReceiptStatus.BOUNCED, provider=RETURNED_MAIL, provider_id=None),
            "refused",
        ),
        # What the worker has yet to record comes first, when another attempt is to be planned.
        (delivery(state="sending", owner="w", lease_until=NOON + MINUTE), {}, busy(), "waiting"),
        (delivery(owner="w", lease_until=NOON + MINUTE), {}, busy(), "waiting"),
        (delivery(owner="w", lease_until=NOON - MINUTE), {}, busy(), 1),
        # Until the clock has found that the worker died, it is in its hands, and nothing could be planned.
        (delivery(state="sending", owner="w", lease_until=NOON - MINUTE), {}, busy(), "waiting"),
        # The provider's own word was quicker than the worker's record, which is there now.
        (delivery(owner="w", lease_until=NOON + MINUTE), {1: Try("phone", "call-1")}, busy(), 1),
        # We ask for letters back before we write that they came back; an hour later it was not us.
        (delivery(channel="letter"), None, news(ReceiptStatus.CANCELED), "waiting"),
        (delivery(channel="letter"), None, news(ReceiptStatus.CANCELED, -60), 1),
        (delivery(channel="letter", state="suppressed"), None, news(ReceiptStatus.CANCELED), 1),
        (delivery(), None, news(ReceiptStatus.CANCELED), 1),
    ],
)
def test_news_is_told_to_the_attempt_it_is_about(
    row: Any, tries: Mapping[int, Try] | None, receipt: Receipt, found: int | str
) -> None:
    """Provider and id must be those of an attempt of the very delivery that is named; else nothing changes."""
    known = Known({row.id: row}, {} if tries is None else {row.id: tries})
    told = sort_out([receipt], known, now=NOON)
    if isinstance(found, int):
        assert [each.number for each in told.meant] == [found]
    assert (len(told.meant), len(told.refused), len(told.waiting)) == (
        isinstance(found, int),
        found == "refused",
        found == "waiting",
    )


def test_an_id_of_another_delivery_is_refused_even_if_both_are_the_providers() -> None:
    """A callback for one school's text cannot be bent to another's by the delivery in its address."""
    known = Known({"d": delivery(), "e": delivery("e", provider_id="call-2")}, {})
    bent = news(ReceiptStatus.FAILED, delivery="d", provider_id="call-2")
    assert sort_out([bent], known, now=NOON).refused == [bent]


@pytest.mark.parametrize(
    ("lane", "channel", "minutes"),
    [
        ("emergency", "voice", [1, 3, 5, None]),
        ("standard", "voice", [5, 30, None]),
        ("emergency", "sms", [5, None]),
        ("bulk", "sms", [60, None]),
        ("bulk", "email", [None]),
        ("letters", "letter", [None]),
    ],
)
def test_what_reached_nobody_is_tried_again_by_a_schedule(
    lane: str, channel: str, minutes: Sequence[int | None]
) -> None:
    """Each attempt may miss; after the last one the next route starts."""
    record = Record(delivery(lane=lane, channel=channel))
    for number, minute in enumerate(minutes, 1):
        record.row = delivery(lane=lane, channel=channel, attempts=number)
        record.tries[number] = Try("phone", f"call-{number}")
        found = record.hear(busy(number, provider_id=f"call-{number}"))
        assert found.missed == [("d", number)]
        assert [state["due_at"] for state in found.states] == [None if minute is None else NOON + minute * MINUTE]
        assert record.state is (State.FAILED if minute is None else State.RETRYING)
        assert found.failed == (["d"] if minute is None else [])


def test_an_attempt_that_would_come_too_late_is_not_planned() -> None:
    """An alert's time runs out before the next call: the next route starts at once."""
    record = Record(delivery(expires_at=NOON + 4 * MINUTE))
    assert record.hear(busy()).failed == ["d"]
    assert record.state is State.FAILED


@pytest.mark.parametrize("state", [State.CANCELLED, State.SUPPRESSED, State.QUEUED, State.HELD])
def test_what_was_taken_back_is_not_sent_because_its_acceptance_is_told_late(state: State) -> None:
    """A letter was recalled at the print house: that it was rendered is old news, that the post has it is not."""
    record = Record(delivery(channel="letter", state=state.value))
    record.hear(news(ReceiptStatus.QUEUED, 1))
    assert record.state is state
    record.hear(news(ReceiptStatus.IN_TRANSIT, 2))
    assert record.state is State.SENT


@pytest.mark.parametrize("state", [State.CANCELLED, State.SUPPRESSED, State.QUEUED, State.HELD])
def test_what_was_taken_back_does_not_fail_because_its_provider_says_so(state: State) -> None:
    """No further route is started for whoever may not get it; what is to be printed after all waits for its print."""
    record = Record(delivery(channel="letter", state=state.value))
    assert record.hear(news(ReceiptStatus.CANCELED)).failed == []
    assert record.state is state


def test_what_was_cancelled_and_left_all_the_same_was_sent() -> None:
    """Its attempt had got no answer, and was taken for lost."""
    record = Record(delivery(state="cancelled", provider_id=None))
    record.hear(news(ReceiptStatus.QUEUED))
    assert record.state is State.SENT


@pytest.mark.parametrize("state", [each for each in State if each not in {State.SENT, State.UNKNOWN, State.QUEUED}])
def test_what_is_settled_is_not_tried_again(state: State) -> None:
    """A busy line that is reported late starts nothing for what was delivered, given up, cancelled or withdrawn."""
    record = Record(delivery(state=state.value))
    assert record.hear(busy()).states == []


@pytest.mark.parametrize(("state", "status"), list(itertools.product(STARTED, ReceiptStatus)))
def test_news_of_an_earlier_attempt_touches_the_present_one_only_if_it_arrived(
    state: State, status: ReceiptStatus
) -> None:
    """Another call is under way, waits or is over: late news of the first one is kept; arrival stops a repetition."""
    row = delivery(state=state.value, attempts=2, provider_id="call-2")
    record = Record(row, {1: Try("phone", "call-1", missed=True), 2: Try("phone", "call-2")})
    found = record.hear(news(status, again=status is ReceiptStatus.BUSY))
    arrived = status in {ReceiptStatus.DELIVERED, ReceiptStatus.READ, ReceiptStatus.ACKNOWLEDGED}
    assert record.state is (State.DELIVERED if arrived else state)
    assert found.failed == []
    assert found.missed == []
    assert [event["news"] for event in found.events] == [status.value]


@pytest.mark.parametrize("status", [ReceiptStatus.SENT, ReceiptStatus.QUEUED, ReceiptStatus.ANSWERED])
def test_late_news_does_not_undo_the_plan_of_another_attempt(status: ReceiptStatus) -> None:
    """The callbacks `ringing` and `busy` overtake each other: the call is repeated all the same."""
    record = Record(delivery())
    record.hear(busy(1))
    record.hear(news(status, 0))
    assert record.state is State.RETRYING


STORIES = st.lists(
    st.builds(
        lambda status, minute, again: news(status, minute, again=again),
        st.sampled_from(list(ReceiptStatus)),
        st.integers(0, 5),
        st.booleans(),
    ),
    max_size=6,
    unique_by=lambda receipt: receipt.event_id,
)


@given(STORIES, st.data())
def test_stories_in_whatever_order_and_pieces_come_to_one_end(story: list[Receipt], data: st.DataObject) -> None:
    """Repeated, late and shuffled, told one by one or at once: the state is the same, and so is who was marked."""
    straight = Record(delivery())
    for receipt in sorted(story, key=in_order):
        straight.hear(receipt)
    shuffled = Record(delivery())
    waiting = data.draw(st.permutations([*story, *story]))
    while waiting:
        size = data.draw(st.integers(1, len(waiting)))
        shuffled.hear(*{receipt.event_id: receipt for receipt in waiting[:size]}.values())
        waiting = waiting[size:]
    assert shuffled.state is straight.state
    assert {receipt.event_id for receipt in shuffled.told} == {receipt.event_id for receipt in story}


@given(STORIES, st.data())
def test_one_transaction_starts_one_route_at_most(story: list[Receipt], data: st.DataObject) -> None:
    """However often it is said that it came back, the family gets one further message for it."""
    record = Record(delivery())
    found = record.hear(*data.draw(st.permutations(story)))
    assert len(found.failed) <= 1
    assert (found.failed == ["d"]) <= (record.state in {State.FAILED, State.EXPIRED})
    assert len(found.states) <= 1


def test_what_came_back_came_back_although_its_arrival_is_told_late() -> None:
    """A letter was delivered on Monday and returned on Thursday; the news of Monday comes after that of Thursday."""
    record = Record(delivery(channel="letter"))
    record.hear(news(ReceiptStatus.RETURNED, 5))
    record.hear(news(ReceiptStatus.DELIVERED, 1))
    assert record.state is State.FAILED
    record.hear(news(ReceiptStatus.DELIVERED, 9))
    assert record.state is State.DELIVERED


def test_what_one_attempt_brought_the_next_ones_failure_does_not_take_away() -> None:
    """The first call was heard after all; that nobody took the second one changes nothing, in whatever order."""
    tries = {1: Try("phone", "call-1", missed=True), 2: Try("phone", "call-2")}
    arrival, failure = news(ReceiptStatus.DELIVERED, 1), news(ReceiptStatus.NO_ANSWER, 2, provider_id="call-2")
    for order in itertools.permutations([arrival, failure]):
        record = Record(delivery(attempts=2, provider_id="call-2"), tries)
        for receipt in order:
            record.hear(receipt)
        assert record.state is State.DELIVERED


def test_the_last_wish_counts() -> None:
    """STOP and START come in one bundle and out of order: their own times decide."""
    stop, start = news(ReceiptStatus.OPTED_OUT, 1), news(ReceiptStatus.OPTED_IN, 2)
    for order in itertools.permutations([stop, start]):
        found = Record(delivery()).hear(*order)
        assert found.learnt == []
        assert [row.id for row in found.wanted_again] == ["d"]
    earlier = news(ReceiptStatus.OPTED_IN, 0)
    assert [state for _, state, _ in Record(delivery()).hear(stop, earlier).learnt] == ["carrier_blocked"]


def test_a_long_code_is_cut_wherever_it_is_written() -> None:
    """Whatever a provider calls a fault, what is written of it fits, and the address is marked."""
    found = Record(delivery()).hear(news(ReceiptStatus.FAILED, code="9" * 41, address_dead=True))
    assert [reason for _, _, reason in found.learnt] == [state["code"] for state in found.states] == ["9" * 40]


def test_the_first_confirmation_counts() -> None:
    """Somebody presses the key twice."""
    first, again = news(ReceiptStatus.ACKNOWLEDGED, 1), news(ReceiptStatus.ACKNOWLEDGED, 2)
    found = Record(delivery()).hear(again, first)
    assert found.confirmed == {"m-d": NOON + MINUTE}


def test_every_status_that_ends_an_attempt_has_a_step() -> None:
    """Whatever a provider calls it, somebody goes on."""
    for status, meaning in NEWS.items():
        record = Record(delivery())
        record.hear(news(status))
        if record.state in {State.FAILED, State.EXPIRED}:
            assert record.ends == 1, (status, meaning, Step.NEXT_ROUTE)
