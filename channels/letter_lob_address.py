"""A postal address as Lob takes it: in fields, by the rules of the United States or of everybody else."""

import re
from collections.abc import Mapping, Sequence

from babel import Locale

NAME_LENGTH = 40
US_LINES_LENGTH = 50
"""Both lines together."""
FOREIGN_LINE_LENGTH = 200

_STATE = re.compile(r"(?P<city>.+?)[,\s]+(?P<state>[A-Z]{2})$")
_ZIP = re.compile(r"\d{5}(-\d{4})?")


def fields_of(lines: Sequence[str], country: str) -> Mapping[str, str] | None:
    """Take what stands in a window apart: name first, postcode or country last; None when it cannot be.

    `country` is an ISO 3166 code. In the United States the line before the ZIP code is city and state.
    """
    name, *rest = [line.strip() for line in lines if line.strip()]
    if country != "GB" and rest and rest[-1] == _name_of(country):
        rest = rest[:-1]
    fields = _american(rest) if country == "US" else _foreign(rest)
    if fields is None:
        return None
    return {"name": name[:NAME_LENGTH], **fields, "address_country": country}


def _american(lines: Sequence[str]) -> dict[str, str] | None:
    if len(lines) < 3 or not _ZIP.fullmatch(lines[-1]):
        return None
    place = _STATE.fullmatch(lines[-2])
    street = _street(lines[:-2])
    if place is None or sum(map(len, street.values())) > US_LINES_LENGTH:
        return None
    return {**street, "address_city": place["city"], "address_state": place["state"], "address_zip": lines[-1]}


def _foreign(lines: Sequence[str]) -> dict[str, str] | None:
    """Keep the order of the lines; what comes last is the postcode, where there is a digit in it."""
    if not lines:
        return None
    coded = len(lines) > 1 and any(sign.isdigit() for sign in lines[-1])
    code = {"address_zip": lines[-1]} if coded else {}
    rest = lines[:-1] if coded else lines
    city = {"address_city": rest[-1]} if len(rest) > 1 else {}
    street = _street(rest[:-1] if city else rest)
    if any(len(line) > FOREIGN_LINE_LENGTH for line in street.values()):
        return None
    return {**street, **city, **code}


def _street(lines: Sequence[str]) -> dict[str, str]:
    first, *others = lines
    return {"address_line1": first, **({"address_line2": ", ".join(others)} if others else {})}


def _name_of(country: str) -> str:
    return str(Locale("en").territories.get(country, country))
