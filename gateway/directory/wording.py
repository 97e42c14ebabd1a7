"""The decoder's complaints as sentences for people: the field, what it must be, and never the value itself."""

import re
from collections.abc import Iterator
from typing import Any

from msgspec import inspect

from gateway.directory.model import ONE_LINE

_COMPLAINT = re.compile(r"^(?P<words>.*?)(?: - at `(?P<key>key in )?\$(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<position>\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"unknown field `(.*)`$", re.DOTALL)
_MISSING = re.compile(r"missing required field `([^`]+)`")
_LENGTH = re.compile(r"^Expected `(?P<kind>\w+)` of length (?P<bound>>=|<=|==) (?P<number>\d+)$")
_BOUND = re.compile(r"^Expected `(?:int|float)` (?P<bound>>=|<=|>|<) (?P<number>[\d.]+)$")
_TYPES = re.compile(r"^Expected `(?P<wanted>[^`]+)`, got `(?P<given>[^`]+)`$")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")

_KINDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "datetime": "an instant such as 2026-06-15T10:00:00+01:00",
    "date": "a date such as 2026-06-15",
}
_BOUNDS = {">=": "at least", "<=": "at most", "==": "exactly", ">": "more than", "<": "less than"}
_UNITS = {"str": "characters", "array": "entries", "object": "fields"}


def complaint(message: str, kind: Any) -> tuple[list[str], str]:
    """Turn msgspec's message about a value of this type into the path to the field and a sentence."""
    match = _COMPLAINT.match(message)
    assert match is not None  # noqa: S101  # the pattern matches every text
    words, steps = match["words"], list(_steps(match["path"] or ""))
    if unknown := _UNKNOWN.search(words):
        return _unknown(steps, unknown[1])
    if missing := _MISSING.search(words):
        return [*steps, missing[1]], f"The field '{missing[1]}' is missing."
    subject = _subject(steps, is_key=match["key"] is not None)
    return steps, f"{subject} must be {_demand(words, kind, steps)}."


def _steps(path: str) -> Iterator[str]:
    """Take msgspec's path `.audience.students[0]` apart; `*` stands for a key that it does not tell."""
    for step in _STEP.finditer(path):
        yield (step["name"] or step["position"]).replace("...", "*")


def _unknown(steps: list[str], name: str) -> tuple[list[str], str]:
    """Name an unknown field, unless it looks like data in the place of a name."""
    if not _PLAIN_NAME.fullmatch(name):
        return steps, "There is a field that this call does not have: see /docs for the names."
    return [*steps, name], f"There is no field '{name}' here: remove it or correct its name."


def _subject(steps: list[str], *, is_key: bool) -> str:
    """Name the field: an entry of a list by its list, a value of a map by its map."""
    names = [step for step in steps if step != "*" and not step.isdigit()]
    if not names:
        return "The body"
    if is_key:
        return f"Each name in '{names[-1]}'"
    return f"The field '{names[-1]}'" if steps[-1] == names[-1] else f"Each entry of '{names[-1]}'"


def _demand(words: str, kind: Any, steps: list[str]) -> str:
    """Say what is wanted."""
    if words.startswith("Invalid enum value"):
        return f"one of {', '.join(_choices(kind, steps))}"
    if length := _LENGTH.match(words):
        number = int(length["number"])
        unit = _UNITS.get(length["kind"], "characters")
        return f"{_KINDS.get(length['kind'], 'a value')} of {_BOUNDS[length['bound']]} {number} {unit}"
    if bound := _BOUND.match(words):
        return f"{_BOUNDS[bound['bound']]} {bound['number']}"
    if types := _TYPES.match(words):
        wanted = dict.fromkeys(_KINDS.get(word, word) for word in types["wanted"].split(" | "))
        return f"{_either(list(wanted))}, not {_KINDS.get(types['given'], 'what it is')}"
    if repr(ONE_LINE) in words:
        return "one line without control characters"
    named = next((kind for kind in ("datetime", "date") if kind in words), None)
    return _KINDS[named] if named else "of the form that /docs describes"


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _choices(kind: Any, steps: list[str]) -> list[str]:
    """List the values of the enumeration that a path of a type leads to."""
    found = [inspect.type_info(kind)]
    for step in steps:
        found = [inner for outer in found for inner in _inside(outer, step)]
    flat = [inner for outer in found for inner in _alternatives(outer)]
    return sorted(str(member.value) for choice in flat if isinstance(choice, inspect.EnumType) for member in choice.cls)


def _inside(outer: inspect.Type, step: str) -> Iterator[inspect.Type]:
    """Give the types that one step of a path may lead to."""
    for kind in _alternatives(outer):
        match kind:
            case inspect.StructType() | inspect.DataclassType():
                yield from (field.type for field in kind.fields if field.encode_name == step)
            case inspect.VarTupleType() | inspect.ListType():
                yield kind.item_type
            case inspect.DictType():
                yield from (kind.key_type, kind.value_type)
            case _:
                pass


def _alternatives(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    """Look through a union and through `Annotated` metadata."""
    if isinstance(kind, inspect.Metadata):
        return _alternatives(kind.type)
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)
