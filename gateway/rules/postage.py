"""How a letter travels: its class by country and urgency, when it is posted, when it arrives. Pure.

Days in transit are those that GOV.UK Notify's printer gives (letters sheet, section 2), in working days after the day
of posting: first class is there the next one.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Postage(StrEnum):
    """The classes of the post."""

    FIRST = "first"
    SECOND = "second"
    ECONOMY = "economy"
    EUROPE = "europe"
    REST_OF_WORLD = "rest-of-world"


class Transit(NamedTuple):
    """Working days from posting to arrival, at the earliest and the latest."""

    least: int
    most: int


TRANSIT = {
    Postage.FIRST: Transit(1, 1),
    Postage.SECOND: Transit(3, 4),
    Postage.ECONOMY: Transit(3, 6),
    Postage.EUROPE: Transit(3, 5),
    Postage.REST_OF_WORLD: Transit(5, 7),
}

AT_HOME = (Postage.ECONOMY, Postage.SECOND, Postage.FIRST)
"""From the cheapest on."""

_ROYAL_MAIL = frozenset({"GB", "UK", "GG", "JE", "IM"})
_EUROPEAN_ZONE = """
AD AL AM AT AX AZ BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GE GI GL GR HR HU IE IS IT KZ LI LT LU LV MC MD ME MK MT NL
NO PL PT RO RS RU SE SI SK SM TR UA VA XK
"""
_EUROPE = _ROYAL_MAIL | frozenset(_EUROPEAN_ZONE.split())
"""Countries of the European zone."""

_SATURDAY = 5


@dataclass(frozen=True, kw_only=True)
class Postbag:
    """What an installation has agreed with its printer."""

    usual: Postage = Postage.SECOND
    """The class of a letter at home that is in no hurry."""
    cut_off: dt.time = dt.time(17, 30)
    """Local time of the school; what comes later is printed on the next working day."""
    holidays: frozenset[dt.date] = frozenset()
    """Days of the week on which nothing is printed or delivered."""


class Travel(NamedTuple):
    """How one letter goes."""

    postage: Postage
    posted: dt.date
    earliest: dt.date
    latest: dt.date
    too_late: bool
    """Whether no class brings it in time with certainty."""


def travel(
    bag: Postbag,
    *,
    country: str,
    home: str,
    handed: dt.datetime,
    zone: ZoneInfo,
    deadline: dt.datetime | None = None,
    urgent: bool = False,
) -> Travel:
    """Choose a letter's class: at home the usual one, or the cheapest faster one that its deadline asks for.

    `country` and `home` are ISO 3166 codes; abroad there is no choice. `handed` is when the letter is ready to be
    printed, `deadline` an instant before which it must have arrived: the working day before counts as in time.
    """
    posted = posting_day(bag, handed, zone)
    due = None if deadline is None else deadline.astimezone(zone).date()
    abroad = _class_abroad(country, home)
    slowest = Postage.FIRST if urgent else bag.usual
    choices = (abroad,) if abroad is not None else AT_HOME[AT_HOME.index(slowest) :]
    journeys = [_journey(bag, posted, each, due) for each in choices]
    return next((journey for journey in journeys if not journey.too_late), journeys[-1])


def posting_day(bag: Postbag, handed: dt.datetime, zone: ZoneInfo) -> dt.date:
    """Say on which day something is posted: today until the cut-off, else on the next working day."""
    local = handed.astimezone(zone)
    day = local.date() + dt.timedelta(days=local.time() > bag.cut_off)
    while not is_working_day(day, bag.holidays):
        day += dt.timedelta(days=1)
    return day


def last_cut_off(bag: Postbag, now: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Give the latest instant at which a printer's day ended."""
    local = now.astimezone(zone)
    day = local.date() - dt.timedelta(days=local.time() < bag.cut_off)
    while not is_working_day(day, bag.holidays):
        day -= dt.timedelta(days=1)
    return dt.datetime.combine(day, bag.cut_off, tzinfo=zone).astimezone(dt.UTC)


def arrival(posted: dt.date, postage: Postage, holidays: Collection[dt.date]) -> tuple[dt.date, dt.date]:
    """Give the days on which a letter arrives at the earliest and the latest."""
    transit = TRANSIT[postage]
    return _working_days_after(posted, transit.least, holidays), _working_days_after(posted, transit.most, holidays)


def is_working_day(day: dt.date, holidays: Collection[dt.date]) -> bool:
    """Tell whether the post works."""
    return day.weekday() < _SATURDAY and day not in holidays


def _class_abroad(country: str, home: str) -> Postage | None:
    """Give the class of a letter abroad; None at home, where there is a choice."""
    country, home = country.upper() or home.upper(), home.upper()
    if country == home or {country, home} <= _ROYAL_MAIL:
        return None
    return Postage.EUROPE if country in _EUROPE and home in _EUROPE else Postage.REST_OF_WORLD


def _journey(bag: Postbag, posted: dt.date, postage: Postage, due: dt.date | None) -> Travel:
    earliest, latest = arrival(posted, postage, bag.holidays)
    return Travel(postage, posted, earliest, latest, too_late=due is not None and latest >= due)


def _working_days_after(day: dt.date, number: int, holidays: Collection[dt.date]) -> dt.date:
    while number:
        day += dt.timedelta(days=1)
        number -= is_working_day(day, holidays)
    return day
