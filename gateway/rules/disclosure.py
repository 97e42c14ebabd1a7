"""R38: finds what a text would tell one contact about another: names, numbers, mailboxes, postcodes, addresses."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import pairwise

import msgspec

from gateway.directory.addresses import address_key, country_of, squeeze
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import ChannelName, Contact, ContactPoint, PostalAddress, Student

_WORD = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d(?:[\s().\-/\u2010-\u2015]{0,3}\d){5,}")
_MAIL_HOST = re.compile(r"@[\w-]+(?:\.[\w-]+)+")
_MAILBOX_AT_END = re.compile(r"[\w.+'-]{1,64}\Z")
_LONGEST_MAILBOX = 64
"""Signs before the `@` (RFC 5321). Looked for from the `@` backwards: forwards every letter of a long run without any
would be a beginning: 3.6 s for 20,000 letters, and four times that for twice as many (measured)."""
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
    """The names that a text must not say of one contact, in the forms they are looked for."""

    full_name: str
    single_names: frozenset[str]


_Place = tuple[DisclosureKind, str, bool]
"""Kind, value to look for, and whether it is confidential."""

_READINGS_KEPT = 64
"""Texts kept taken apart: one a language, unless each student has values of its own."""

_SIGNS_KEPT = 2_000_000
"""Length of all texts kept: taken apart, each sign takes some 25 bytes (measured)."""

_ON_PAPER = (DisclosureKind.POSTCODE, DisclosureKind.ADDRESS)


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
    tells: frozenset[DisclosureKind]
    """Which kinds of places it can tell of at all."""


class DisclosureCheck:
    """Looks through many texts about one school's students; it prepares of each contact once what a text may hold."""

    def __init__(self, index: DirectoryIndex) -> None:
        self._index = index
        self._country = country_of(index.school.jurisdiction)
        self._points: dict[str, list[ContactPoint]] = {}
        for point in index.directory.contact_points:
            self._points.setdefault(point.contact, []).append(point)
        self._people: dict[str, _Person] = {}
        self._places: dict[tuple[str, frozenset[DisclosureKind]], tuple[_Place, ...]] = {}
        self._readings: dict[str, _Reading] = {}
        self._kept = 0

    def find(self, text: str, *, recipient: str, students: Collection[str]) -> list[Disclosure]:
        """Find what the text says of the students' other contacts; what the recipient shares is no disclosure.

        A given or family name alone counts where it is not the recipient's or a student's, too, and not written in
        small letters, which tells the name May from the verb.
        """
        others = self._others(recipient, students)
        if not others:
            return []
        reading = self._reading(text)
        found: dict[Disclosure, None] = {}
        named = [person for contact in others if _may_be_named(person := self._person(contact), reading)]
        if named:
            own = self._person(recipient)
            allowed = own.single_names.union(*(_name_words(self._index.students[student]) for student in students))
            allowed_full = {own.full_name, *(_full_name(self._index.students[student]) for student in students)}
            if any(_is_named(person, reading, allowed, allowed_full) for person in named):
                found[Disclosure(DisclosureKind.NAME, False)] = None
        if reading.tells:
            own_places = {(kind, value) for kind, value, _ in self._places_of(recipient, reading.tells)}
            for contact in others:
                for kind, value, confidential in self._places_of(contact, reading.tells):
                    if (kind, value) not in own_places and _is_told(kind, value, reading):
                        found[Disclosure(kind, confidential)] = None
        return list(found)

    def _reading(self, text: str) -> _Reading:
        """Take a text apart, unless it was before: many recipients get the same."""
        reading = self._readings.get(text)
        if reading is None:
            self._kept += len(text)
            if len(self._readings) >= _READINGS_KEPT or self._kept > _SIGNS_KEPT:
                self._readings.clear()
                self._kept = len(text)
            reading = self._readings[text] = _read(text)
        return reading

    def _others(self, recipient: str, students: Collection[str]) -> list[str]:
        rows = self._index.rows
        return sorted({contact for student in students for contact in rows.get(student, ())} - {recipient})

    def _person(self, contact: str) -> _Person:
        person = self._people.get(contact)
        if person is None:
            people = self._index.contacts[contact]
            person = self._people[contact] = _Person(_full_name(people), _name_words(people))
        return person

    def _places_of(self, contact: str, kinds: frozenset[DisclosureKind]) -> tuple[_Place, ...]:
        places = self._places.get((contact, kinds))
        if places is None:
            points = [point for point in self._points.get(contact, ()) if not kinds.isdisjoint(_kinds_of(point))]
            places = tuple(place for point in points for place in _places(point, self._country))
            self._places[contact, kinds] = places
        return places


class DirectorySearch:
    """Looks in many texts for anybody of a whole directory: for a text that is written before it has readers (R35).

    Single names are no finding here: among a thousand contacts some are called May, Rose or King.
    """

    def __init__(self, contacts: Iterable[Contact], points: Iterable[ContactPoint], country: str) -> None:
        values: defaultdict[DisclosureKind, dict[str, bool]] = defaultdict(dict)
        for point in points:
            for kind, value, confidential in _places(point, country):
                values[kind][value.strip()] = confidential or values[kind].get(value.strip(), False)
        for contact in contacts:
            if name := _full_name(contact).strip():
                values[DisclosureKind.NAME][name] = False
        self._values = values
        self._lengths = {
            DisclosureKind.NUMBER: {len(number) for number in values[DisclosureKind.NUMBER]},
            DisclosureKind.NAME: {name.count(" ") + 1 for name in values[DisclosureKind.NAME]},
            DisclosureKind.ADDRESS: {line.count(" ") + 1 for line in values[DisclosureKind.ADDRESS]},
        }

    def find(self, text: str) -> list[Disclosure]:
        """Find what the text says of whomever, by kind; it costs what the text is long, however many people there are.

        Everything is looked up: mailboxes and postcodes as they are, numbers by the digits that tell them, and names
        and addresses by as many neighbouring words as any of them has.
        """
        reading = _read(text)
        words = reading.words.split()
        said: dict[DisclosureKind, Iterable[str]] = {
            DisclosureKind.EMAIL: reading.mails,
            DisclosureKind.POSTCODE: reading.codes,
            DisclosureKind.NUMBER: (
                number[start : start + length]
                for number in reading.numbers
                for length in self._lengths[DisclosureKind.NUMBER]
                for start in range(len(number) - length + 1)
            ),
            DisclosureKind.NAME: _runs(words, self._lengths[DisclosureKind.NAME]),
            DisclosureKind.ADDRESS: _runs(words, self._lengths[DisclosureKind.ADDRESS]),
        }
        found = {
            Disclosure(kind, confidential)
            for kind, values in said.items()
            for value in values
            if (confidential := self._values[kind].get(value)) is not None
        }
        return sorted(found, key=lambda disclosure: (disclosure.kind, disclosure.confidential))


def _runs(words: Sequence[str], lengths: Iterable[int]) -> Iterator[str]:
    """Give every run of so many neighbouring words."""
    for length in lengths:
        for start in range(len(words) - length + 1):
            yield " ".join(words[start : start + length])


def _kinds_of(point: ContactPoint) -> tuple[DisclosureKind, ...]:
    """Say which kinds of places a point is."""
    if isinstance(point.address, PostalAddress):
        return _ON_PAPER
    return (DisclosureKind.EMAIL,) if point.channel is ChannelName.EMAIL else (DisclosureKind.NUMBER,)


def _places(point: ContactPoint, country: str) -> Iterator[_Place]:
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
        digits = _digits(address_key(point.channel, point.address, country))[-_TELLING_DIGITS:]
        if digits:
            yield DisclosureKind.NUMBER, digits, point.confidential


def find_disclosures(
    text: str, *, recipient: str, students: Collection[str], index: DirectoryIndex
) -> list[Disclosure]:
    """Check one text (R38); for many texts about one directory make a `DisclosureCheck` once."""
    return DisclosureCheck(index).find(text, recipient=recipient, students=students)


def _may_be_named(person: _Person, reading: _Reading) -> bool:
    """Whether any of the contact's names stands in the text; whose names they are besides is asked then."""
    full = person.full_name
    return not reading.names.isdisjoint(person.single_names) or (bool(full) and full in reading.words)


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
    mails = frozenset(_mails(text))
    numbers = tuple(_digits(number) for number in _NUMBER.findall(text))
    tells = {DisclosureKind.EMAIL} if mails else set()
    tells |= {DisclosureKind.NUMBER} if numbers else set()
    return _Reading(
        words=f" {' '.join(words)} ",
        names=frozenset(word for word, shape in zip(words, spelt, strict=True) if not shape[0].islower()),
        codes=frozenset(words).union(first + second for first, second in pairwise(words)),
        numbers=numbers,
        mails=mails,
        tells=frozenset(tells.union(_ON_PAPER)),
    )


def _mails(text: str) -> Iterator[str]:
    for host in _MAIL_HOST.finditer(text):
        mailbox = _MAILBOX_AT_END.search(text[max(0, host.start() - _LONGEST_MAILBOX) : host.start()])
        if mailbox is not None:
            yield f"{mailbox[0]}{host[0]}".casefold()


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
