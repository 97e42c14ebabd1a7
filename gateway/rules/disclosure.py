"""R38: finds what a text would tell one contact about another: names, numbers, mailboxes, postcodes, addresses."""

import re
import unicodedata
from collections.abc import Collection, Iterator
from enum import StrEnum
from itertools import pairwise

import msgspec

from gateway.directory.addresses import address_key, country_of, squeeze
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import ChannelName, Contact, ContactPoint, PostalAddress, Student

_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d(?:[\s().\-/\u2010-\u2015]{0,3}\d){5,}")
_MAIL = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
_TELLING_DIGITS = 9
"""So many last digits tell a number whichever way its country or trunk code is written."""
_SHORTEST_NAME = 2
_NO_WORDS: frozenset[str] = frozenset()


class DisclosureKind(StrEnum):
    """What the text gives away."""

    NAME = "name"
    NUMBER = "number"
    EMAIL = "email"
    POSTCODE = "postcode"
    ADDRESS = "address"


class Disclosure(msgspec.Struct, frozen=True):
    """One thing the text says of another contact; never the value itself."""

    kind: DisclosureKind
    confidential: bool
    """It belongs to a confidential point: no author may confirm it away."""


class _Person(msgspec.Struct, frozen=True):
    """What a text must not say of one contact, in the forms it is looked for."""

    full_name: str
    single_names: frozenset[str]
    places: tuple[tuple[DisclosureKind, str, bool], ...]
    """Kind, value to look for and confidential, for each point."""


class _Reading(msgspec.Struct, frozen=True):
    """One text taken apart once."""

    words: str
    """All words, folded, between single spaces."""
    names: frozenset[str]
    """Folded words that are not written in small letters."""
    codes: frozenset[str]
    """Folded words and neighbouring pairs without the space."""
    numbers: tuple[str, ...]
    mails: frozenset[str]


class DisclosureCheck:
    """Looks through many texts about one school's students; it prepares each contact once."""

    def __init__(self, index: DirectoryIndex) -> None:
        self._index = index
        self._country = country_of(index.school.jurisdiction)
        self._points: dict[str, list[ContactPoint]] = {}
        for point in index.directory.contact_points:
            self._points.setdefault(point.contact, []).append(point)
        self._people: dict[str, _Person] = {}
        self._last_text = ""
        self._last_reading = _read("")

    def find(self, text: str, *, recipient: str, students: Collection[str]) -> list[Disclosure]:
        """Find what the text says of the students' other contacts; what the recipient shares is no disclosure.

        A given or family name alone counts where it is not the recipient's or a student's, too, and not written in
        small letters, which tells the name May from the verb.
        """
        reading = self._reading(text)
        own = self._person(recipient)
        own_places = {(kind, value) for kind, value, _ in own.places}
        allowed = own.single_names.union(*(_name_words(self._index.students[student]) for student in students))
        allowed_full = {own.full_name, *(_full_name(self._index.students[student]) for student in students)}
        found: dict[Disclosure, None] = {}
        for contact in self._others(recipient, students):
            person = self._person(contact)
            if _is_named(person, reading, allowed, allowed_full):
                found[Disclosure(DisclosureKind.NAME, False)] = None
            for kind, value, confidential in person.places:
                if (kind, value) not in own_places and _is_told(kind, value, reading):
                    found[Disclosure(kind, confidential)] = None
        return list(found)

    def _reading(self, text: str) -> _Reading:
        """Take a text apart, unless it is the one before: many recipients get the same."""
        if text != self._last_text:
            self._last_text, self._last_reading = text, _read(text)
        return self._last_reading

    def _others(self, recipient: str, students: Collection[str]) -> list[str]:
        rows = self._index.rows
        return sorted({contact for student in students for contact in rows.get(student, ())} - {recipient})

    def _person(self, contact: str) -> _Person:
        person = self._people.get(contact)
        if person is None:
            people = self._index.contacts[contact]
            places = tuple(place for point in self._points.get(contact, ()) for place in self._places(point))
            person = self._people[contact] = _Person(_full_name(people), _name_words(people), places)
        return person

    def _places(self, point: ContactPoint) -> Iterator[tuple[DisclosureKind, str, bool]]:
        """Give what is looked for of one point; of a confidential letter also the line with the house number."""
        if isinstance(point.address, PostalAddress):
            postcode = squeeze(point.address.postcode)
            if postcode:
                yield DisclosureKind.POSTCODE, postcode, point.confidential
            for line in point.address.lines if point.confidential else ():
                if any(letter.isdigit() for letter in line):
                    yield DisclosureKind.ADDRESS, f" {' '.join(_words(line))} ", True
        elif point.channel is ChannelName.EMAIL:
            yield DisclosureKind.EMAIL, point.address.strip().casefold(), point.confidential
        else:
            digits = _digits(address_key(point.channel, point.address, self._country))[-_TELLING_DIGITS:]
            if digits:
                yield DisclosureKind.NUMBER, digits, point.confidential


def find_disclosures(
    text: str, *, recipient: str, students: Collection[str], index: DirectoryIndex
) -> list[Disclosure]:
    """Check one text (R38); for many texts about one directory make a `DisclosureCheck` once."""
    return DisclosureCheck(index).find(text, recipient=recipient, students=students)


def _is_named(person: _Person, reading: _Reading, allowed: frozenset[str], allowed_full: Collection[str]) -> bool:
    """Look for the full name in any spelling, then for each part that is the contact's alone."""
    if person.full_name and person.full_name not in allowed_full and person.full_name in reading.words:
        return True
    return not reading.names.isdisjoint(person.single_names - allowed)


def _is_told(kind: DisclosureKind, value: str, reading: _Reading) -> bool:
    if kind is DisclosureKind.EMAIL:
        return value in reading.mails
    if kind is DisclosureKind.NUMBER:
        return any(value in number for number in reading.numbers)
    return value in (reading.codes if kind is DisclosureKind.POSTCODE else reading.words)


def _read(text: str) -> _Reading:
    """Take a text apart."""
    spelt = _WORD.findall(_unaccented(text))
    words = [word.casefold() for word in spelt]
    mails = (mail.casefold() for mail in _MAIL.findall(text))
    return _Reading(
        words=f" {' '.join(words)} ",
        names=frozenset(word for word, shape in zip(words, spelt, strict=True) if not shape[0].islower()),
        codes=frozenset(words).union(first + second for first, second in pairwise(words)),
        numbers=tuple(_digits(number) for number in _NUMBER.findall(text)),
        mails=frozenset(mails),
    )


def _unaccented(text: str) -> str:
    """Leave out accents, which people leave out, too."""
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(_unaccented(text))]


def _digits(text: str) -> str:
    """Keep the digits of any script, written 0 to 9."""
    return "".join(str(unicodedata.digit(letter)) for letter in text if letter.isdecimal())


def _full_name(person: Contact | Student) -> str:
    """Write given and family name as they are looked for; empty unless both are known."""
    given, family = _words(person.given_name), _words(person.family_name)
    return f" {' '.join([*given, *family])} " if given and family else ""


def _name_words(person: Contact | Student) -> frozenset[str]:
    """List the parts of a name that tell a person by themselves."""
    words = _words(f"{person.given_name} {person.family_name}")
    return frozenset(word for word in words if len(word) > _SHORTEST_NAME) if words else _NO_WORDS
