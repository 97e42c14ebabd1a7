"""Addresses take the one form the gateway works with, or are refused with a sentence."""

from collections.abc import Callable

import pytest

from gateway.directory.contact_details import (
    TextFault,
    email_address,
    phone_number,
    postal_address,
    takes_texts,
    text_fault,
)
from gateway.directory.importing import UnreadableValueError


@pytest.mark.parametrize(
    ("text", "country", "number", "texts"),
    [
        ("07700 900123", "GB", "+447700900123", True),
        ("+44 (0)7700 900123", "GB", "+447700900123", True),
        ("0044 7700 900123", "GB", "+447700900123", True),
        ("020 7946 0123", "GB", "+442079460123", False),
        ("01632 960123", "GB", "+441632960123", False),
        ("+48 512 345 678", "GB", "+48512345678", True),
        ("+48 22 123 45 67", "GB", "+48221234567", False),
        ("(202) 555-0123", "US", "+12025550123", True),
    ],
)
def test_numbers_become_e164(text: str, country: str, number: str, texts: bool) -> None:  # noqa: FBT001 - a table
    """A national number takes the school's country; landlines take no texts."""
    assert phone_number(text, country=country) == number
    assert takes_texts(number) is texts


@pytest.mark.parametrize(
    ("number", "countries", "fault"),
    [
        ("+447700900123", "", None),
        ("+447700900123", "GB IE", None),
        ("+447700900123", "IE", TextFault.COUNTRY_NOT_ALLOWED),
        ("+353851234567", "GB IE", None),
        ("+48512345678", "GB IE", TextFault.COUNTRY_NOT_ALLOWED),
        ("+48512345678", "", None),
        ("+12025550123", "US", None),
        ("+12025550123", "CA", TextFault.COUNTRY_NOT_ALLOWED),
        ("+442079460123", "GB", TextFault.LANDLINE),
        ("+48221234567", "", TextFault.LANDLINE),
        ("asktheaunt", "", TextFault.NUMBER_INVALID),
        ("60777", "", TextFault.NUMBER_INVALID),
        ("+4477009", "", TextFault.NUMBER_INVALID),
        ("+999123456789", "", TextFault.NUMBER_INVALID),
        ("", "", TextFault.NUMBER_INVALID),
    ],
)
def test_texts_go_to_mobiles_of_the_countries_allowed(number: str, countries: str, fault: TextFault | None) -> None:
    """What can take no text says so in a sentence that repeats no digit; without countries all are allowed."""
    assert text_fault(number, frozenset(countries.split())) is fault
    assert fault is None or not any(letter.isdigit() for letter in fault.value)


def test_an_address_keeps_its_lines_and_gets_a_tidy_postcode() -> None:
    """Empty lines go, the postcode gets capitals and its space."""
    address = postal_address(("1 Loom Street", "", "Hollins"), postcode="zz11zz", country="gb")
    assert (address.lines, address.postcode, address.country) == (("1 Loom Street", "Hollins"), "ZZ1 1ZZ", "GB")


def test_a_mailbox_keeps_its_name_and_gets_a_small_domain() -> None:
    """Only the domain is known not to care about capitals."""
    assert email_address("Ines.Matias@EXAMPLE.org") == "Ines.Matias@example.org"


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (lambda: email_address("ines"), "e-mail address"),
        (lambda: email_address("ines@localhost"), "e-mail address"),
        (lambda: email_address("ines@example.org\r\nBcc: rui@example.org"), "e-mail address"),
        (lambda: phone_number("ask the aunt", country="GB"), "not a phone number"),
        (lambda: phone_number("07700 900", country="GB"), "too few or too many"),
        (lambda: phone_number("07700 900123 900", country="GB"), "too few or too many"),
        (lambda: phone_number("020 7946 0123 ext 7", country="GB"), "extension"),
        (lambda: postal_address(("", ""), postcode="ZZ1 1ZZ", country="GB"), "no street line"),
        (lambda: postal_address(("1 Loom Street",), postcode="", country="GB"), "valid postcode"),
        (lambda: postal_address(("1 Loom Street",), postcode="ZZ1 1ZZ", country="England"), "two-letter code"),
    ],
)
def test_what_cannot_be_reached_is_refused(read: Callable[[], object], sentence: str) -> None:
    """The sentence says what is wrong without repeating the value."""
    with pytest.raises(UnreadableValueError) as refusal:
        read()
    assert sentence in refusal.value.sentence
    assert "900" not in refusal.value.sentence
