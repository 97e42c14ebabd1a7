"""Say whether a postal address can be printed in a window and delivered, in the codes printers use for it."""

import re
from collections.abc import Sequence
from functools import cache

from babel import Locale

FEWEST_LINES, MOST_LINES = 3, 7
UK_POST = frozenset({"GB", "UK", "GG", "JE", "IM"})
"""Countries whose letters end with a postcode of the Royal Mail."""
POSTCODE_AREAS = """
AB AL B BA BB BD BF BH BL BN BR BS BT BX CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN EX FK FY
G GL GU GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN NP NR NW
OL OX PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB W WA WC WD WF
WN WR WS WV YO ZE
"""
_POSTCODE = re.compile(rf"(?:{'|'.join(POSTCODE_AREAS.split())})\d[\dA-Z]?\d[ABD-HJLNP-UW-Z]{{2}}|GIR0AA")
_INVENTED_POSTCODE = re.compile(r"ZZ\d{1,2}\d[A-Z]{2}")
_BAD_START = tuple('@()=[]"”\\/,<>~')
_NO_ABODE = re.compile(r"no fixed (abode|address)|^nfa$", re.IGNORECASE)
_BFPO = re.compile(r"\bbfpo\s*\d{1,4}\b|^b\s*f\s*p\s*o\b|^bf1\s*\d[a-z]{2}$", re.IGNORECASE)
_COUNTRIES_BY_OTHER_NAMES = {
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "northern ireland": "GB",
    "great britain": "GB",
    "uk": "GB",
    "uae": "AE",
    "usa": "US",
    "united states of america": "US",
    "republic of ireland": "IE",
    "czech republic": "CZ",
    "turkey": "TR",
}


def check_address(
    lines: Sequence[str], country: str, *, real_postcodes: bool = True, international: bool = True
) -> list[str]:
    """Name every reason why the lines (addressee first, postcode or country last) cannot be posted to `country`.

    `country` is an ISO 3166 code. An address abroad ends with the country's English name. With
    `real_postcodes=False` the invented `ZZ9 9ZZ` of sample data passes. An empty answer means: post it.
    """
    kept = [line.strip() for line in lines if line.strip()]
    if not kept:
        return ["address-is-empty"]
    problems = []
    if len(kept) < FEWEST_LINES:
        problems.append("not-enough-address-lines")
    if len(kept) > MOST_LINES:
        problems.append("too-many-address-lines")
    if not all(any(sign.isalnum() for sign in line) for line in kept[:2]):
        problems.append("invalid-address-line-1-or-2")
    problems += _last_line_problems(kept, country.upper(), real_postcodes=real_postcodes, international=international)
    if any(line.startswith(_BAD_START) for line in kept):
        problems.append("invalid-char-in-address")
    if any(_NO_ABODE.search(line) for line in kept):
        problems.append("no-fixed-abode-address")
    return problems


def _last_line_problems(lines: list[str], country: str, *, real_postcodes: bool, international: bool) -> list[str]:
    """Judge what sorting machines read first."""
    last = lines[-1]
    if any(_BFPO.search(line) for line in lines):
        return ["has-country-for-bfpo-address"] if _country_named(last) else []
    if country in UK_POST:
        if is_postcode(last, real=real_postcodes):
            return []
        return ["not-a-real-uk-postcode-or-country" if international else "not-a-real-uk-postcode"]
    if not international:
        return ["cant-send-international-letters"]
    return [] if _country_named(last) == country else ["not-a-real-uk-postcode-or-country"]


def is_postcode(text: str, *, real: bool = True) -> bool:
    """Tell whether this can be a UK postcode: a known area and the right form; with `real=False` `ZZ9 9ZZ`, too."""
    squeezed = re.sub(r"\s+", "", text).upper()
    return bool(_POSTCODE.fullmatch(squeezed) or (not real and _INVENTED_POSTCODE.fullmatch(squeezed)))


def _country_named(line: str) -> str | None:
    """Find the ISO 3166 code of a country's English name."""
    return _countries().get(line.casefold().removeprefix("the ").rstrip("."))


@cache
def _countries() -> dict[str, str]:
    """All countries by their English names, and the other names people write."""
    named = {name.casefold(): code for code, name in Locale("en").territories.items() if code.isalpha()}
    return named | _COUNTRIES_BY_OTHER_NAMES
