"""Which addresses are the same place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.directory.addresses import address_key, country_of
from gateway.directory.model import ChannelName, PostalAddress

EMAIL, SMS, VOICE, LETTER = ChannelName.EMAIL, ChannelName.SMS, ChannelName.VOICE, ChannelName.LETTER


def letter(*lines: str, postcode: str = "ZZ9 9ZZ", country: str = "GB") -> PostalAddress:
    """Write a postal address."""
    return PostalAddress(lines=lines, postcode=postcode, country=country)


@pytest.mark.parametrize(
    ("channel", "one", "other"),
    [
        (EMAIL, "smithfamily@example.org", "SmithFamily@example.org "),
        (EMAIL, "STRASSE@example.org", "straße@example.org"),
        (SMS, "07700 900001", "+44 7700 900001"),
        (SMS, "07700-900001", "00447700900001"),
        (SMS, "+44 (0)7700 900001", "(07700) 900001"),
        (LETTER, letter("30 Mill Street"), letter("30  Mill street")),
        (LETTER, letter("30 Mill St."), letter("30, Mill St", postcode="zz99zz")),
        (LETTER, letter("Flat 3", "2 Weir Street"), letter("Flat 3, 2 Weir Street", country="gb")),
        (LETTER, letter("Café Row"), letter("Cafe\u0301 Row")),
    ],
)
def test_the_same_place(channel: ChannelName, one: str | PostalAddress, other: str | PostalAddress) -> None:
    """Spelling, spaces, punctuation and country codes make no difference."""
    assert address_key(channel, one, "GB") == address_key(channel, other, "GB")


@pytest.mark.parametrize(
    ("channel", "one", "other"),
    [
        (EMAIL, "a.b@example.org", "ab@example.org"),
        (SMS, "07700 900001", "07700 900002"),
        (SMS, "not known", "ask at the office"),
        (LETTER, letter("30 Mill Street"), letter("30 Mill Street", postcode="ZZ9 9ZY")),
        (LETTER, letter("30 Mill Street"), letter("30 Mill Street", country="IE")),
        (LETTER, letter("1", postcode="23"), letter("12", postcode="3")),
    ],
)
def test_different_places(channel: ChannelName, one: str | PostalAddress, other: str | PostalAddress) -> None:
    """Dots in a mailbox, digits, postcodes and countries do."""
    assert address_key(channel, one, "GB") != address_key(channel, other, "GB")


@pytest.mark.parametrize(
    ("number", "country", "key"),
    [
        ("07700 900001", "GB", "+447700900001"),
        ("020 7946 0123", "GB", "+442079460123"),
        ("(202) 555-0156", "US", "+12025550156"),
        ("+44 7700 900001", "US", "+447700900001"),
    ],
)
def test_a_national_number_takes_the_schools_country(number: str, country: str, key: str) -> None:
    """Numbers become E.164, for texts and calls alike."""
    assert address_key(SMS, number, country) == address_key(VOICE, number, country) == key


@pytest.mark.parametrize(
    ("jurisdiction", "country"),
    [("GB-ENG", "GB"), ("US-CA", "US"), ("us", "US"), ("IE", "IE"), ("XX-1", "GB"), ("", "GB")],
)
def test_a_jurisdiction_names_the_country(jurisdiction: str, country: str) -> None:
    """What comes before the hyphen counts, where it is a country with a calling code."""
    assert country_of(jurisdiction) == country


@given(st.sampled_from([EMAIL, SMS, VOICE]), st.text(max_size=40))
def test_any_text_has_a_key(channel: ChannelName, text: str) -> None:
    """Nothing a clerk may type makes the comparison fail, and space around it makes no difference."""
    assert address_key(channel, f"  {text} ", "GB") == address_key(channel, text, "GB")
