"""Which of a channel's providers is asked first."""

import datetime as dt
import random
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Call, Envelope, Mail, Recovery, Text
from gateway.directory.model import ChannelName
from gateway.dispatch.provider_gate import Outlook
from gateway.dispatch.providers import Provider, ProviderChoice, approved, in_turn, month_of, units_of

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
OUTLOOKS = {"w": Outlook.WELL, "d": Outlook.DOUBTFUL, "t": Outlook.TRIAL, "a": Outlook.AWAY}


def provider(name: str, weight: int = 1, **more: Any) -> Provider:
    """Make a provider without an adapter: its place in the order needs none."""
    return Provider(key=f"sms/{name}", channel=None, weight=weight, **more)  # type: ignore[arg-type]  # see above


def asked(outlooks: str, *, urgent: bool = False, chance: float = 0.0) -> str:
    """Give the order of providers `1`, `2`, … with these outlooks; a trial has a `?`."""
    given_ = [(provider(str(number)), OUTLOOKS[letter]) for number, letter in enumerate(outlooks, 1)]
    order = in_turn(given_, urgent=urgent, chance=lambda: chance)
    return " ".join(each.key[-1] + "?" * trial for each, trial in order)


@pytest.mark.parametrize(
    ("outlooks", "ordinary", "urgent"),
    [
        ("ww", "1 2", "1 2"),
        ("aw", "2 1", "2 1"),
        ("dw", "2 1", "2 1"),
        ("tw", "1? 2", "2 1"),
        ("wt", "2? 1", "1 2"),
        ("ad", "2 1", "2 1"),
        ("at", "2 1", "2 1"),
        ("dt", "2 1", "2 1"),
        ("aa", "1 2", "1 2"),
        ("twd", "1? 2 3", "2 1 3"),
    ],
)
def test_who_is_well_comes_first(outlooks: str, ordinary: str, urgent: str) -> None:
    """A trial costs one ordinary message, never an alert while somebody is well; who is away comes last."""
    assert asked(outlooks) == ordinary
    assert asked(outlooks, urgent=True) == urgent


def test_weights_share_the_work() -> None:
    """Three to one, over all that chance may say."""
    chances = iter([number / 1_000 for number in range(1_000)])
    both = [(provider("a", 3), Outlook.WELL), (provider("b", 1), Outlook.WELL)]
    firsts = Counter(in_turn(both, urgent=False, chance=chances.__next__)[0][0].key for _ in range(1_000))
    assert firsts == {"sms/a": 750, "sms/b": 250}


def test_weight_zero_stands_by() -> None:
    """It is asked after all others that are well, and before those that are in doubt."""
    three = [
        (provider("reserve", 0), Outlook.WELL),
        (provider("main", 1), Outlook.WELL),
        (provider("shaky", 5), Outlook.DOUBTFUL),
    ]
    order = [each.key for each, _ in in_turn(three, urgent=False, chance=lambda: 0.99)]
    assert order == ["sms/main", "sms/reserve", "sms/shaky"]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(list(Outlook))), max_size=5),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_everybody_is_asked_once(
    given_: list[tuple[int, Outlook]],
    urgent: bool,  # noqa: FBT001  # drawn
    chance: random.Random,
) -> None:
    """Nobody is left out, so that what one does not take another may; an alert is nobody's trial while one is well."""
    outlooks = [(provider(str(number), weight), outlook) for number, (weight, outlook) in enumerate(given_)]
    order = in_turn(outlooks, urgent=urgent, chance=chance.random)
    assert sorted(each.key for each, _ in order) == sorted(each.key for each, _ in outlooks)
    assert not (urgent and any(trial for _, trial in order))


@pytest.mark.parametrize(("day", "names"), [(23, ["sms/a", "sms/b"]), (24, ["sms/a"])])
def test_an_approval_ends_with_its_last_day(day: int, names: list[str]) -> None:
    """On the day itself the provider is still used (Q09)."""
    both = [provider("a"), provider("b", approved_until=dt.date(2026, 11, 23))]
    assert [each.key for each in approved(both, NOON.replace(day=day))] == names


@pytest.mark.parametrize(
    ("payload", "units"),
    [
        (Text(recipient="+447700900001", body="x", segments=3, language="en"), 3),
        (Text(recipient="+447700900001", body="", segments=0, language="en"), 1),
        (Call(recipient="+447700900001", speech="x", language="en"), 1),
        (Mail(sender="a@example.org", recipient="b@example.org", message_id="<1@x>", content=b""), 1),
    ],
)
def test_a_budget_counts_what_is_paid_for(payload: Any, units: int) -> None:
    """Parts of texts, and one for anything else."""
    assert units_of(Envelope(delivery="d", payload=payload)) == units


def test_a_month_is_the_calendars() -> None:
    """In UTC, as everywhere inside."""
    assert month_of(dt.datetime(2026, 12, 1, 0, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))) == "2026-11"


@pytest.mark.parametrize(
    ("channel", "adapter", "others", "recovery"),
    [
        ("email", ("smtp", Recovery.REPEAT), 1, Recovery.REPEAT),
        ("letter", ("spool", Recovery.REPEAT), 0, Recovery.REPEAT),
        ("letter", ("spool", Recovery.REPEAT), 1, Recovery.PERSON),
        ("letter", ("lob", Recovery.LOOK_UP), 1, Recovery.LOOK_UP),
        ("letter", ("staff", Recovery.REPEAT), 1, Recovery.REPEAT),
        ("letter", None, 1, Recovery.PERSON),
    ],
)
def test_nothing_is_repeated_where_nobody_would_notice(
    channel: str, adapter: tuple[str, Recovery] | None, others: int, recovery: Recovery
) -> None:
    """A print run knows a letter that it has already; the other printer would post a second one."""
    asked_about: Any = None if adapter is None else SimpleNamespace(name=adapter[0], recovery=adapter[1])
    providers = {ChannelName(channel): [provider(str(number)) for number in range(1 + others)]}
    nothing: Any = None
    choice = ProviderChoice(providers, nothing, now=lambda: NOON, chance=lambda: 0.0)
    assert choice.recovery(ChannelName(channel), asked_about) is recovery
