"""A request's values: checked against the text they are for, and put in the words of a reader's language.

A value is JSON: text, number, yes or no, or a list of texts. ISO dates and times given as a whole text are written
the reader's way in the school's time zone; everything else stays as it is. Values are data: nothing in them is ever
read as markup, and what could disturb the text around them (controls, stray directional marks) is taken out.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time
from babel.lists import format_list

from gateway.content.bidi import isolated
from gateway.content.fragments import ADDRESS_FORMS, Slot, Words
from gateway.content.languages import direction, locale_of, script_of
from gateway.content.template import Template, fields_of, is_safe_address, normalised

Scalar = str | int | float | bool
"""One value as JSON has it."""


Own = Scalar | tuple[str, ...]
"""One student's value, lists frozen."""

Given = Scalar | list[str] | tuple[str, ...]
"""A value as a request gives it."""


@dataclass(frozen=True, slots=True)
class PerStudent:
    """A value that differs between the students a message is about."""

    pairs: tuple[tuple[str, Own], ...]
    """Student's name and value."""


Value = Given | PerStudent


RESERVED = frozenset(
    normalised(name) for name in ("contact_name", "student_names", "school_name", "link", "unsubscribe_link")
)
"""Values the gateway supplies itself."""

_YES = frozenset({"yes", "y", "true", "t", "1", "include", "show"})

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d\d:\d\d(?::\d\d)?")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")

_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Controls but tab and line end, directional embeddings and isolates, the byte order mark, half surrogate pairs."""

_MARKS = {
    "Hans": ("\uff1a", "\uff1b"),
    "Hant": ("\uff1a", "\uff1b"),
    "Arab": (": ", "\u061b "),
    "Ethi": ("\u1366 ", "\u1364 "),
}
"""Colon and semicolon by script, where they are not the Latin ones."""


def missing(template: Template, values: Mapping[str, object]) -> tuple[str, ...]:
    """List the placeholders nobody supplies as the author wrote them, sorted, for the intake to refuse."""
    lacking = template.placeholders - RESERVED - {normalised(name) for name in values}
    return tuple(sorted(template.spelt(name) for name in lacking))


def unfit(template: Template, values: Mapping[str, Value]) -> tuple[str, ...]:
    """List in sentences which values do not suit their place: links that lead astray, yes or no among words."""
    by_name = {normalised(name): value for name, value in values.items()}
    written = {normalised(name): name for name in values}
    shown = {field.name for field in fields_of(template) if field.shown is None}
    faults = [
        f"The value '{written[name]}' must be a web, mail or telephone address, because the text uses it as a link."
        for name in template.addresses & by_name.keys()
        if not is_safe_address(str(by_name[name]))
    ]
    faults += [
        f"The value '{written[name]}' is true or false, which only (({template.spelt(name)}??text)) can show: "
        "give a text instead."
        for name in shown & by_name.keys()
        if isinstance(by_name[name], bool)
    ]
    faults += [
        f"The value '{written[name]}' has a name that the gateway itself fills: choose another one."
        for name in RESERVED & by_name.keys()
    ]
    return tuple(sorted(faults))


def shared(values: Mapping[str, Given], student_values: Mapping[str, Mapping[str, Given]]) -> dict[str, Value]:
    """Pick the values that are the same in every message, by normalised name."""
    individual = {normalised(name) for its in student_values.values() for name in its}
    return {name: value for name, value in _by_name(values).items() if name not in individual}


def combine(
    students: Sequence[tuple[str, str]],
    values: Mapping[str, Given],
    student_values: Mapping[str, Mapping[str, Given]],
) -> dict[str, Value]:
    """Gather the values of one message about these students (id, name), by normalised name.

    A student's own value goes before the request's; where the students' values differ each is told apart by name.
    """
    common = _by_name(values)
    own = [(name, {**common, **_by_name(student_values.get(student, {}))}) for student, name in students]
    names = {name for _, its in own for name in its}
    return {
        name: _told_apart([(who, its[name]) for who, its in own if name in its], len(own)) for name in sorted(names)
    }


def unnamed(values: Mapping[str, Value]) -> dict[str, Value]:
    """Leave the students' names out of values that differ between them, for a mailbox that strangers read (R29)."""
    return {
        name: tuple(str(part) for _, own in value.pairs for part in (own if isinstance(own, tuple) else (own,)))
        if isinstance(value, PerStudent)
        else value
        for name, value in values.items()
    }


def localise(value: Value, language: str, zone: str, territory: str = "GB") -> str:
    """Write a value in the reader's language, as one piece of text."""
    return _spelt(value, language, zone, territory).text


def words(value: Value, slot: Slot, zone: str, territory: str = "GB") -> Words:
    """Put a value in the words of its slot's language, isolated where the directions of text could clash.

    Addresses are left bare: they are no words.
    """
    if slot.form in ADDRESS_FORMS:
        return Words(clean(str(value)), says_yes=says_yes(value))
    right_to_left = direction(slot.language) == "rtl"
    if isinstance(value, str) and not right_to_left and _is_plain(value):  # nearly always
        return Words(value, None, says_yes(value))
    return _spelt(value, slot.language, zone, territory, lambda text: isolated(text, right_to_left=right_to_left))


def _is_plain(text: str) -> bool:
    """Tell whether a text is written as it is wherever words run to the right: nothing to clean, no date."""
    return text.isascii() and text.isprintable() and not text[:1].isdecimal()


def joined_names(names: Sequence[str], locale: Locale) -> str:
    """Join names the way the language does: "Ana and Ben"."""
    if len(names) == 1:
        return names[0]
    if locale.language == "cy" and len(names) > 1:
        # CLDR leaves "a(c)" to the reader; the word depends on the sound that follows.
        conjunction = "ac" if names[-1][:1].casefold() in "aeiouwy\u00e2\u00ea\u00ee\u00f4\u00fb\u0175\u0177" else "a"
        return format_list(names, locale=locale).replace(" a(c) ", f" {conjunction} ")
    return format_list(names, locale=locale)


def clean(text: str) -> str:
    """Take out what is not text: controls, stray directional marks, half characters; line ends become one kind."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.isascii() and text.isprintable() else _UNWANTED.sub("", text)


def one_line(text: str) -> str:
    """Collapse every run of blanks and line ends, for subjects and names."""
    return " ".join(clean(text).split())


def says_yes(value: Value) -> bool:
    """Tell whether a value shows the text of `((name??text))`."""
    return str(value).strip().casefold() in _YES


def _spelt(
    value: Value, language: str, zone: str, territory: str, isolate: Callable[[str], str] = lambda text: text
) -> Words:
    """Write a value, each of its parts passed through `isolate`."""
    if isinstance(value, PerStudent):
        colon, semicolon = _MARKS.get(script_of(language), (": ", "; "))
        items = tuple(
            isolate(one_line(name)) + colon + _spelt(own, language, zone, territory, isolate).text
            for name, own in value.pairs
        )
        return Words(semicolon.join(items), items)
    if isinstance(value, (list, tuple)):
        items = tuple([isolate(_dated(clean(item), language, territory, zone)) for item in value])
        return Words(joined_names(items, locale_of(language, territory)) if items else "", items)
    return Words(isolate(_dated(clean(str(value)), language, territory, zone)), says_yes=says_yes(value))


def _dated(text: str, language: str, territory: str, zone: str) -> str:
    """Write a whole text that is a date, a time or both; leave all others as they are."""
    if not text[:1].isdecimal() or not text.isascii() or len(text) < 5:
        return text
    return _written_moment(text, str(locale_of(language, territory)), zone)


@lru_cache(maxsize=4096)
def _written_moment(text: str, locale_name: str, zone: str) -> str:
    """Write a moment; cached because it costs 20 microseconds and recurs for every reader of a language."""
    locale = Locale.parse(locale_name)
    try:
        if _DATE.fullmatch(text):
            return format_date(dt.date.fromisoformat(text), "long", locale=locale)
        if _TIME.fullmatch(text):
            return format_time(dt.time.fromisoformat(text), "short", locale=locale)
        if _INSTANT.fullmatch(text):
            return _date_and_time(dt.datetime.fromisoformat(text), locale, ZoneInfo(zone))
    except ValueError:  # such as 30 February: not a date, so it stays as it is
        return text
    return text


def _date_and_time(moment: dt.datetime, locale: Locale, zone: ZoneInfo) -> str:
    """Write a moment in the school's time; one without an offset is taken to be in it."""
    local = moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)
    pattern = str(locale.datetime_formats["long"]).replace("'", "")
    time = format_time(local.timetz(), "short", tzinfo=zone, locale=locale)
    return pattern.replace("{0}", time).replace("{1}", format_date(local.date(), "long", locale=locale))


def _told_apart(pairs: list[tuple[str, Own]], students: int) -> Own | PerStudent:
    """Leave a value that all students share single."""
    alike = len(pairs) == students and len({(type(value), value) for _, value in pairs}) == 1
    return pairs[0][1] if alike else PerStudent(tuple(pairs))


def _by_name(values: Mapping[str, Given]) -> dict[str, Own]:
    return {normalised(name): tuple(value) if isinstance(value, list) else value for name, value in values.items()}
