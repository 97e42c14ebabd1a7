"""Counts what a text message costs, and keeps typography from making it dearer (3GPP TS 23.038 and 23.040).

A message in the GSM 7-bit alphabet holds 160 characters, a part of a longer one 153; one character outside it turns
the whole message into UCS-2 with 70 and 67. No part ends inside an escape or a surrogate pair.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

LIMIT = 918
"""The longest message in characters: six parts of the GSM alphabet."""

_BASIC = frozenset(
    "@\u00a3$\u00a5\u00e8\u00e9\u00f9\u00ec\u00f2\u00c7\n\u00d8\u00f8\r\u00c5\u00e5\u0394_\u03a6\u0393\u039b\u03a9\u03a0\u03a8\u03a3\u0398\u039e\u00c6\u00e6\u00df\u00c9"
    " !\"#\u00a4%&'()*+,-./0123456789:;<=>?\u00a1ABCDEFGHIJKLMNOPQRSTUVWXYZ\u00c4\u00d6\u00d1\u00dc\u00a7"
    "\u00bfabcdefghijklmnopqrstuvwxyz\u00e4\u00f6\u00f1\u00fc\u00e0"
)
_EXTENDED = frozenset("\f^{}\\[~]|\u20ac")
_GSM = _BASIC | _EXTENDED

_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f", " "),
        "\u2026": "...",
        "\u2022": "-",
        "\t": " ",
    }
)


class Encoding(StrEnum):
    """The alphabet a message goes out in."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


class Segments(NamedTuple):
    """What a message costs."""

    encoding: Encoding
    units: int
    """Septets or UTF-16 code units."""
    segments: int
    """Parts that are sent and paid for; none for an empty text."""


def count(text: str) -> Segments:
    """Count a text's units and parts."""
    if _GSM.issuperset(text):
        return _counted(Encoding.GSM7, _EXTENDED, text, single=160, joined=153)
    astral = frozenset(character for character in text if character > "\uffff")
    return _counted(Encoding.UCS2, astral, text, single=70, joined=67)


def smart(text: str, names: Iterable[str] = ()) -> str:
    """Replace typographic quotes, dashes, dots and blanks that GSM-7 lacks; never a letter, never a part of a name.

    A text that needs UCS-2 for its letters, or for the apostrophe of a name in it, keeps them all: to replace the
    others would save nothing.
    """
    if _GSM.issuperset(text):
        return text
    plain = text.translate(_PLAIN)
    if not _GSM.issuperset(plain) or any(_alters(name, text) for name in names):
        return text
    return plain


def _alters(name: str, text: str) -> bool:
    """Tell whether a text holds some word of a name that would be written otherwise."""
    if _GSM.issuperset(name):
        return False
    return any(word in text for word in name.split(" ") if word.translate(_PLAIN) != word)


def _counted(encoding: Encoding, double: frozenset[str], text: str, *, single: int, joined: int) -> Segments:
    """Fill part after part; a character of two units that does not fit whole starts the next."""
    units = len(text) + (sum(text.count(character) for character in double) if double else 0)
    if units <= single:
        return Segments(encoding, units, 1 if units else 0)
    if not double.intersection(text):
        return Segments(encoding, units, -(-units // joined))
    segments, filled = 1, 0
    for character in text:
        size = 2 if character in double else 1
        if filled + size > joined:
            segments, filled = segments + 1, 0
        filled += size
    return Segments(encoding, units, segments)
