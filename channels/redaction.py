"""What of a provider's raw news may be shown and logged: what names nobody, by a list of what is harmless.

A list of what is secret would have to know every provider's words; this one need not, and a new field is hidden until
somebody has looked at it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

MOST_ENTRIES = 100
"""Of one mapping or list; what is beyond is only counted."""

_LONGEST = 120
_DEEPEST = 4

_HARMLESS = re.compile(
    r"(?:(?:message|sms|call|raw|delivery|dlr|letter|batch|final|event|answered|machine)?"
    r"(?:status|state|event|type|result|reason|code|id|sid|reference|duration|attempts?|version))"
    r"|(?:error|reason|status|smtp|enhanced|mcc|mnc|http)(?:code|status|type|class|mccmnc)?"
    r"|(?:accountsid|apiversion|parentcallsid|messagingservicesid|numsegments|nummedia|numparts|segments|parts|pages)"
    r"|(?:direction|answeredby|action|arrivaldate|price|priceunit|currency|category|sequencenumber|clientreference)"
    r"|(?:timestamp|date|time|at|(?:created|updated|modified|sent|received|operatorstatus|delivered|printed|posted"
    r"|mailed|returned|event|occurred)(?:at|on|time|date)?)"
)
"""Names of fields without case and punctuation. Not among them: any that can hold a number, an address, a name, words
of a person, or where somebody was."""

_PLAIN = re.compile(r"[A-Za-z0-9 ._:+/@-]*")
_TELLING = re.compile(r"@|\+\d{7}|(?<![0-9A-Za-z])\d{9,15}(?![0-9A-Za-z])")
"""An address or a telephone number, which some provider may put where its documents promise a code."""

_LONG_NUMBER = re.compile(r"\d{9,20}")


def redacted(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Give a provider's news as staff and logs may see it: harmless values as they are, of all else its length."""
    return _mapping(raw, 0)


def _mapping(raw: Mapping[str, Any], depth: int) -> dict[str, Any]:
    shown = {_name(name): _shown(str(name), value, depth) for name, value in list(raw.items())[:MOST_ENTRIES]}
    return shown | ({"…": f"{len(raw) - MOST_ENTRIES} more"} if len(raw) > MOST_ENTRIES else {})


def _name(name: Any) -> str:
    """Show a field's name unless it is none: some providers make names of addresses."""
    text = str(name)
    harmless = len(text) <= _LONGEST and re.fullmatch(r"[A-Za-z][A-Za-z0-9_.\-\[\]]*", text)
    return text if harmless and not _TELLING.search(text) else _length(text)


def _shown(name: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping | list | tuple) and depth < _DEEPEST:
        return _mapping(value, depth + 1) if isinstance(value, Mapping) else _items(name, value, depth + 1)
    text = str(value)
    if not _HARMLESS.fullmatch(re.sub(r"[^a-z0-9]", "", name.lower())):
        return _length(text)
    if len(text) > _LONGEST or not _PLAIN.fullmatch(text) or (_TELLING.search(text) and not _is_number(name, text)):
        return _length(text)
    return value if isinstance(value, int | float) else text


def _items(name: str, values: Sequence[Any], depth: int) -> list[Any]:
    shown = [_shown(name, value, depth) for value in values[:MOST_ENTRIES]]
    return [*shown, f"{len(values) - MOST_ENTRIES} more"] if len(values) > MOST_ENTRIES else shown


def _is_number(name: str, text: str) -> bool:
    """Tell whether it is a long number where one is to be expected: a running one, or an instant in milliseconds."""
    expected = re.search(r"(?:id|sid|reference|timestamp|at|time|date)$", name.lower())
    return expected is not None and _LONG_NUMBER.fullmatch(text) is not None


def _length(text: str) -> str:
    return f"({len(text)} characters)"
