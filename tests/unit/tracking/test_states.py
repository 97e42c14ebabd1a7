"""The state table has an answer for everything, and old news never undoes a later truth."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import ReceiptStatus
from gateway.tracking.receipts import NEWS
from gateway.tracking.states import SETTLED, Change, News, State, Step, settle

BEFORE_LEAVING = {State.QUEUED, State.RETRYING, State.HELD}
MAY_HAVE_LEFT = {State.SENT, State.DELIVERED, State.UNKNOWN}

states = st.sampled_from(State)
stories = st.lists(st.sampled_from(News), max_size=12)
PROVIDERS_WORDS = [news for news in NEWS.values() if news is not None]
receipts = st.lists(st.sampled_from(PROVIDERS_WORDS), max_size=8)


def after(state: State, story: list[News]) -> State:
    """Tell a whole story to a delivery."""
    for news in story:
        state = settle(state, news).state
    return state


@pytest.mark.parametrize(("state", "news"), list(itertools.product(State, News)))
def test_the_table_is_total(state: State, news: News) -> None:
    """Each pair has a state and a step of the vocabulary."""
    change = settle(state, news)
    assert isinstance(change, Change)
    assert change.state in State
    assert change.step in Step


@pytest.mark.parametrize(("state", "news"), list(itertools.product(State, News)))
def test_a_step_is_taken_only_when_the_state_moves(state: State, news: News) -> None:
    """Repeated news starts no second retry and no second route."""
    change = settle(state, news)
    if change.state is state:
        assert change.step is Step.NOTHING


@pytest.mark.parametrize(("state", "news"), list(itertools.product(State, News)))
def test_steps_fit_their_states(state: State, news: News) -> None:
    """Who retries waits, who goes on has ended here, who is found out about is unknown."""
    change = settle(state, news)
    fitting = {
        Step.RETRY: {State.QUEUED, State.RETRYING},
        Step.NEXT_ROUTE: {State.FAILED, State.EXPIRED},
        Step.RECOVER: {State.UNKNOWN},
        Step.NOTHING: set(State),
    }
    assert change.state in fitting[change.step]


@pytest.mark.parametrize("news", list(News))
def test_only_a_claim_leads_to_sending(news: News) -> None:
    """Nothing is handed over that no worker has claimed."""
    for state in State:
        if state is not State.SENDING and settle(state, news).state is State.SENDING:
            assert news is News.CLAIMED
            assert state in {State.QUEUED, State.RETRYING, State.UNKNOWN}


@pytest.mark.parametrize("state", sorted(SETTLED))
def test_what_is_settled_is_not_sent_again(state: State) -> None:
    """No news brings a settled delivery back into a queue, but that what was sent has reached nobody."""
    for news in News:
        if (state, news) != (State.SENT, News.MISSED):
            assert settle(state, news).state in SETTLED


@pytest.mark.parametrize("state", sorted(MAY_HAVE_LEFT))
def test_what_may_have_left_cannot_be_withdrawn(state: State) -> None:
    """Cancelled and suppressed are said only of what has not left."""
    for news in (News.CANCELLED, News.SUPPRESSED, News.HELD):
        assert settle(state, news) == Change(state)


@pytest.mark.parametrize(("news", "end"), [(News.CALLED_OFF, State.CANCELLED), (News.TAKEN_BACK, State.SUPPRESSED)])
def test_what_lies_on_a_desk_can_be_called_back(news: News, end: State) -> None:
    """As long as nobody has told it; what arrived, or went another way, stays as it is."""
    for state in State:
        assert settle(state, news) == Change(end if state is State.SENT else state)


@pytest.mark.parametrize("state", sorted(BEFORE_LEAVING | {State.SENDING}))
def test_what_has_not_left_can_be_withdrawn(state: State) -> None:
    """As long as no provider has it, the sender and the rules may take it back."""
    assert settle(state, News.CANCELLED).state is State.CANCELLED
    assert settle(state, News.SUPPRESSED).state is State.SUPPRESSED


@given(states, st.sampled_from(News))
def test_news_told_twice_is_news_told_once(state: State, news: News) -> None:
    """Providers repeat themselves; but for a claim, which is no news of theirs, the second time changes nothing."""
    once = settle(state, news)
    twice = settle(once.state, news)
    if once.step is Step.NEXT_ROUTE or news in PROVIDERS_WORDS:
        assert twice == Change(once.state)


@given(receipts, st.data())
def test_repeated_receipts_change_nothing(story: list[News], data: st.DataObject) -> None:
    """A story in which each piece of news is stuttered ends like the story itself."""
    stuttered = [news for news in story for _ in range(data.draw(st.integers(1, 3)))]
    assert after(State.SENT, stuttered) is after(State.SENT, story)


@pytest.mark.parametrize("start", [State.SENDING, State.SENT, State.UNKNOWN, State.QUEUED, State.RETRYING])
@pytest.mark.parametrize(
    ("told", "end"),
    [
        ((News.ACCEPTED, News.DELIVERED), State.DELIVERED),
        ((News.ACCEPTED, News.ACCEPTED, News.DELIVERED), State.DELIVERED),
        ((News.ACCEPTED, News.BOUNCED), State.FAILED),
        ((News.ACCEPTED, News.ACCEPTED, News.BOUNCED), State.FAILED),
    ],
)
def test_the_order_of_receipts_does_not_matter(start: State, told: tuple[News, ...], end: State) -> None:
    """However they overtake each other and our own record, arrival and return have the last word."""
    for order in itertools.permutations(told):
        assert after(start, list(order)) is end


def test_what_came_back_did_not_arrive() -> None:
    """A mail that was delivered and then returned has failed, and the next route starts."""
    assert settle(State.DELIVERED, News.BOUNCED) == Change(State.FAILED, Step.NEXT_ROUTE)


@given(states, stories)
def test_arrival_is_believed_from_every_state(start: State, story: list[News]) -> None:
    """What a handset says outranks what we meant, whatever we had recorded."""
    assert settle(after(start, story), News.DELIVERED).state is State.DELIVERED


@given(stories)
def test_arrived_stays_arrived_until_it_comes_back(story: list[News]) -> None:
    """Late `accepted`, `expired`, `cancelled` or anything else but a bounce leaves `delivered` alone."""
    if News.BOUNCED not in story:
        assert after(State.DELIVERED, story) is State.DELIVERED


@pytest.mark.parametrize("status", list(ReceiptStatus))
def test_every_status_of_every_provider_is_translated(status: ReceiptStatus) -> None:
    """Each word of the common vocabulary has its news, or none because it moves no state."""
    assert status in NEWS
    news = NEWS[status]
    assert news is None or news in {News.ACCEPTED, News.DELIVERED, News.BOUNCED, News.EXPIRED}


@pytest.mark.parametrize(("state", "news"), list(itertools.product(State, News)))
def test_of_an_earlier_attempt_only_the_arrival_counts(state: State, news: News) -> None:
    """The present attempt is judged by its own news; but what has arrived has arrived."""
    expected = State.DELIVERED if news is News.DELIVERED else state
    assert settle(state, news, earlier=True).state is expected


@pytest.mark.parametrize("state", list(State))
def test_another_attempt_is_planned_only_for_what_nothing_has_settled(state: State) -> None:
    """A busy line starts no call to somebody who was reached, given up or not to be called any more."""
    if settle(state, News.MISSED).step is Step.RETRY:
        assert state in {State.SENT, State.UNKNOWN, State.QUEUED}
