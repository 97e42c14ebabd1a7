"""Makes addresses comparable: two points are the same place when their keys are equal (recipient rules, section 5)."""

import unicodedata
from functools import lru_cache

import phonenumbers

from gateway.directory.model import ChannelName, PostalAddress

_FALLBACK_COUNTRY = "GB"
_IGNORED = frozenset("PZC")
"""Unicode's major classes for punctuation, separators and control characters."""


def address_key(channel: ChannelName, address: str | PostalAddress, country: str) -> str:
    """Normalise an address: e-mail trimmed and case-folded, number as E.164, letter as `country/lines/postcode`.

    `country` is the school's ISO 3166 code, which a national number takes. A text that is no number at all keeps
    its letters, so that it equals nothing but itself.
    """
    if isinstance(address, PostalAddress):
        return _letter_key(address)
    if channel is ChannelName.SMS or channel is ChannelName.VOICE:
        return _number_key(address, country)
    return address.strip().casefold()


def country_of(jurisdiction: str) -> str:
    """Read the country whose calling code a school's national numbers take; `GB` where nothing is known."""
    country = jurisdiction.partition("-")[0].upper()
    return country if country in phonenumbers.SUPPORTED_REGIONS else _FALLBACK_COUNTRY


def squeeze(text: str) -> str:
    """Case-fold a text and leave out spaces and punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    if folded.isalnum():
        return folded
    return "".join(letter for letter in folded if unicodedata.category(letter)[0] not in _IGNORED)


@lru_cache(maxsize=65_536)
def _number_key(number: str, country: str) -> str:
    """Write a telephone number as E.164."""
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return squeeze(number)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=65_536)
def _letter_key(address: PostalAddress) -> str:
    """Write a postal address without anything that people spell differently; where its lines break is no difference."""
    lines = "".join(squeeze(line) for line in address.lines)
    return f"{squeeze(address.country)}/{lines}/{squeeze(address.postcode)}"
