"""Puts e-mail addresses, phone numbers and postal addresses into the one form the gateway works with."""

import re
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import PhoneNumberFormat, PhoneNumberType, ValidationResult

from gateway.directory.importing import UnreadableValueError
from gateway.directory.model import PostalAddress

_BRITISH_POSTCODE = re.compile(r"([A-Z]{1,2}\d[A-Z\d]?) ?(\d[A-Z]{2})")
_COUNTRY = re.compile(r"[A-Z]{2}")
_DIALLED_TYPES = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)


def email_address(text: str) -> str:
    """Check an e-mail address by its form alone, and write its domain in lower case."""
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise UnreadableValueError(
            "This is not a complete e-mail address; write it as name@example.org or leave it empty."
        ) from error


def phone_number(text: str, *, country: str) -> str:
    """Write a phone number as E.164; one without a country code is taken as the school's country (`GB`).

    Only the length is checked, as a mobile or fixed line of its country has it: ranges opened yesterday are valid,
    and so are those reserved for invented people.
    """
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        raise UnreadableValueError(
            "This is not a phone number; write digits only, with + and the country code when it is foreign."
        ) from error
    if number.extension:
        raise UnreadableValueError("The number has an extension, which cannot be dialled; give a direct number.")
    reasons = (phonenumbers.is_possible_number_for_type_with_reason(number, kind) for kind in _DIALLED_TYPES)
    if ValidationResult.IS_POSSIBLE not in reasons:  # "possible" alone would take a local number without area code
        raise UnreadableValueError("The phone number has too few or too many digits; write all of them.")
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def takes_texts(number: str) -> bool:
    """Say whether an E.164 number may be sent text messages: in the UK only mobiles (R22), elsewhere no fixed line."""
    if number.startswith("+44"):
        return number.startswith("+447")
    return phonenumbers.number_type(phonenumbers.parse(number)) != PhoneNumberType.FIXED_LINE


class TextFault(StrEnum):
    """Why no text can go to a number, in words for staff."""

    NUMBER_INVALID = "This is not a telephone number that texts can be sent to; correct it in the school's records."
    COUNTRY_NOT_ALLOWED = "The operator does not allow texts to this country (GATEWAY_SMS_COUNTRIES)."
    LANDLINE = "This number is a landline, which takes no texts; use voice or a letter."

    @property
    def code(self) -> str:
        """Give the constant by which systems know it, such as `landline`."""
        return self.name.lower()


@lru_cache(maxsize=65_536)
def text_fault(number: str, countries: frozenset[str] = frozenset()) -> TextFault | None:
    """Say why a number in E.164 can be sent no text: no number, a country not among those allowed, a landline.

    Without any countries all are allowed. A number whose own country cannot be told counts to the calling code's first.
    """
    try:
        phone_number(number, country="ZZ")
        parsed = phonenumbers.parse(number)
    except (UnreadableValueError, phonenumbers.NumberParseException):
        return TextFault.NUMBER_INVALID
    country = phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(
        parsed.country_code or 0
    )
    if countries and country not in countries:
        return TextFault.COUNTRY_NOT_ALLOWED
    return None if takes_texts(number) else TextFault.LANDLINE


def postal_address(lines: tuple[str, ...], *, postcode: str, country: str) -> PostalAddress:
    """Check that a letter could be posted to an address, and write its postcode the usual way."""
    if not any(lines):
        raise UnreadableValueError("The postal address has no street line; fill in addressLine1.")
    if not _COUNTRY.fullmatch(country.upper()):
        raise UnreadableValueError("The country is not a two-letter code; write it as GB, IE or PL.")
    if country.upper() == "GB":
        postcode = british_postcode(postcode)
    return PostalAddress(lines=tuple(line for line in lines if line), postcode=postcode, country=country.upper())


def british_postcode(text: str) -> str:
    """Write a UK postcode in capitals with its space; letters without one are not delivered."""
    found = _BRITISH_POSTCODE.fullmatch(" ".join(text.upper().split()))
    if found is None:
        raise UnreadableValueError("The UK address has no valid postcode; write it as ZZ1 1ZZ.")
    return f"{found[1]} {found[2]}"
