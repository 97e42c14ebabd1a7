"""Classes of the post: by country, urgency and deadline; posting and arrival on working days."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.postage import TRANSIT, Postage, Postbag, arrival, is_working_day, last_cut_off, posting_day, travel

LONDON = ZoneInfo("Europe/London")
MONDAY = dt.date(2026, 6, 15)
CHRISTMAS = frozenset({dt.date(2026, 12, 25), dt.date(2026, 12, 28)})


def at(text: str) -> dt.datetime:
    """Read a local time in London."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=LONDON)


@pytest.mark.parametrize(
    ("handed", "posted"),
    [
        ("2026-06-15T09:00", "2026-06-15"),
        ("2026-06-15T17:30", "2026-06-15"),
        ("2026-06-15T17:31", "2026-06-16"),
        ("2026-06-19T18:00", "2026-06-22"),
        ("2026-06-20T10:00", "2026-06-22"),
        ("2026-12-24T18:00", "2026-12-29"),
    ],
)
def test_what_comes_before_the_cut_off_is_posted_that_day(handed: str, posted: str) -> None:
    """Local time; weekends and holidays do not count."""
    assert posting_day(Postbag(holidays=CHRISTMAS), at(handed), LONDON).isoformat() == posted


@pytest.mark.parametrize(
    ("now", "cut_off"),
    [
        ("2026-06-15T17:29", "2026-06-12T17:30"),
        ("2026-06-15T17:30", "2026-06-15T17:30"),
        ("2026-06-21T12:00", "2026-06-19T17:30"),
        ("2026-12-28T20:00", "2026-12-24T17:30"),
    ],
)
def test_the_last_cut_off(now: str, cut_off: str) -> None:
    """What waits since before it is to be printed now."""
    assert last_cut_off(Postbag(holidays=CHRISTMAS), at(now), LONDON) == at(cut_off)


@pytest.mark.parametrize(
    ("postage", "earliest", "latest"),
    [
        (Postage.FIRST, "2026-06-16", "2026-06-16"),
        (Postage.SECOND, "2026-06-18", "2026-06-19"),
        (Postage.ECONOMY, "2026-06-18", "2026-06-23"),
        (Postage.EUROPE, "2026-06-18", "2026-06-22"),
        (Postage.REST_OF_WORLD, "2026-06-22", "2026-06-24"),
    ],
)
def test_days_in_transit(postage: Postage, earliest: str, latest: str) -> None:
    """Working days after a Monday."""
    assert [day.isoformat() for day in arrival(MONDAY, postage, frozenset())] == [earliest, latest]


@pytest.mark.parametrize(
    ("country", "home", "deadline", "urgent", "postage", "too_late"),
    [
        ("GB", "GB", None, False, Postage.SECOND, False),
        ("JE", "GB", None, False, Postage.SECOND, False),
        ("GB", "GB", None, True, Postage.FIRST, False),
        ("GB", "GB", "2026-06-20T00:00", False, Postage.SECOND, False),
        ("GB", "GB", "2026-06-19T15:00", False, Postage.FIRST, False),
        ("GB", "GB", "2026-06-16T15:00", False, Postage.FIRST, True),
        ("FR", "GB", None, False, Postage.EUROPE, False),
        ("FR", "GB", "2026-06-18T15:00", True, Postage.EUROPE, True),
        ("AE", "GB", None, False, Postage.REST_OF_WORLD, False),
        ("US", "US", None, False, Postage.SECOND, False),
        ("CA", "US", None, False, Postage.REST_OF_WORLD, False),
        ("GB", "US", None, False, Postage.REST_OF_WORLD, False),
    ],
)
def test_the_class_of_a_letter(
    country: str, home: str, deadline: str | None, postage: Postage, *, urgent: bool, too_late: bool
) -> None:
    """The usual class, or the cheapest that still comes in time; a warning when none does."""
    going = travel(
        Postbag(),
        country=country,
        home=home,
        handed=at("2026-06-15T09:00"),
        zone=LONDON,
        deadline=at(deadline) if deadline else None,
        urgent=urgent,
    )
    assert (going.postage, going.too_late) == (postage, too_late)


def test_the_usual_class_is_a_setting() -> None:
    """Economy unless there is a hurry; then second before first."""
    bag = Postbag(usual=Postage.ECONOMY)
    handed = at("2026-06-15T09:00")
    classes = [
        travel(bag, country="GB", home="GB", handed=handed, zone=LONDON, deadline=at(deadline)).postage
        for deadline in ("2026-06-30T12:00", "2026-06-22T12:00", "2026-06-17T12:00")
    ]
    assert classes == [Postage.ECONOMY, Postage.SECOND, Postage.FIRST]


@given(
    handed=st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2027, 1, 1)),  # noqa: DTZ001  # the zone is put on below
    postage=st.sampled_from(Postage),
)
def test_the_post_never_works_on_holidays(handed: dt.datetime, postage: Postage) -> None:
    """Neither posting nor arrival falls on a weekend or holiday, and none goes back in time."""
    bag = Postbag(holidays=CHRISTMAS)
    posted = posting_day(bag, handed.replace(tzinfo=LONDON), LONDON)
    earliest, latest = arrival(posted, postage, CHRISTMAS)
    assert handed.date() <= posted < earliest <= latest
    assert all(is_working_day(day, CHRISTMAS) for day in (posted, earliest, latest))
    assert (latest - posted).days >= TRANSIT[postage].most
