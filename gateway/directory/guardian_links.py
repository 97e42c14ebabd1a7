"""Reads `guardian_links.csv`, our extension of OneRoster: how each contact stands to each student.

OneRoster itself knows neither parental responsibility nor residence, flags, languages or postal addresses. A row
with a value that cannot be read keeps its pair linked, in a form that holds personal mail until it is put right.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from gateway.directory.contact_details import postal_address
from gateway.directory.csv_rows import Row, boolean, date, identifier, language, rank
from gateway.directory.importing import UnreadableValueError
from gateway.directory.kinship import Pair, draft_block, held_if_unread, id_for_pair, professional_of, relation_of
from gateway.directory.model import (
    ChannelName,
    ContactPoint,
    Flag,
    Household,
    PostalAddress,
    Relationship,
    Responsibility,
    Restriction,
)

_BARRED_REASON = "restriction:"
_REASONS = frozenset({"self_requested", "not_a_parent", "unexplained"})
_RESPONSIBILITY = {None: Responsibility.UNKNOWN, True: Responsibility.YES, False: Responsibility.NO}
_FORMAT = re.compile(r"[a-z][a-z0-9_]{0,39}")
_ADDRESS_COLUMNS = ("addressLine1", "addressLine2", "addressLine3", "addressLine4")

Value = TypeVar("Value")


class Stated(Generic[Value]):
    """What the rows of each contact say about one thing; rows that disagree are refused, the first keeps its say."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.disputed: set[str] = set()

    def hear(self, row: Row, column: str, contact: str, value: Value | None) -> None:
        """Take one row's word; an empty value states nothing."""
        if value is not None and self.values.setdefault(contact, value) != value:
            self.disputed.add(contact)
            row.refuse(column, "An earlier row of the same person says something else; make the rows agree.")

    def undisputed(self) -> dict[str, Value]:
        """Return what nobody contradicts, by contact."""
        return {contact: value for contact, value in self.values.items() if contact not in self.disputed}


@dataclass(slots=True)
class GuardianLinks:
    """All that the file says, by pair and by contact."""

    relationships: dict[Pair, list[Relationship]] = field(default_factory=lambda: defaultdict(list))
    languages: Stated[str] = field(default_factory=Stated)
    interpreters: Stated[bool] = field(default_factory=Stated)
    formats: Stated[tuple[str, ...]] = field(default_factory=Stated)
    addresses: Stated[PostalAddress] = field(default_factory=Stated)
    """A disputed address is used for nothing: a letter to the wrong house cannot be taken back."""
    confidential: set[str] = field(default_factory=set)
    """Contacts whose postal address any row calls confidential."""
    homes: Stated[str] = field(default_factory=Stated)
    references: dict[str, set[Pair]] = field(default_factory=lambda: defaultdict(set))

    def all_relationships(self) -> list[Relationship]:
        """Return every relationship of every pair."""
        return [relationship for pair in self.relationships.values() for relationship in pair]

    def households(self) -> tuple[Household, ...]:
        """Join contacts that name the same household; whoever names two lives in none."""
        members: defaultdict[str, list[str]] = defaultdict(list)
        for contact, home in sorted(self.homes.undisputed().items()):
            members[home].append(contact)
        return tuple(Household(id=home, members=tuple(contacts)) for home, contacts in sorted(members.items()))

    def letters(self) -> dict[str, ContactPoint]:
        """Make a letter point of each contact's address, unless their rows disagree about it."""
        return {
            contact: ContactPoint(
                id=f"{contact}-letter",
                contact=contact,
                channel=ChannelName.LETTER,
                address=address,
                confidential=contact in self.confidential,
            )
            for contact, address in self.addresses.undisputed().items()
        }

    def restrictions(self) -> tuple[Restriction, ...]:
        """Turn each reference into a draft: a file can bar, but only two people can make or lift a restriction."""
        drafts = [
            draft_block(pair, reference if len(pairs) == 1 else id_for_pair(reference, pair))
            for reference, pairs in self.references.items()
            for pair in pairs
        ]
        return tuple(sorted(drafts, key=lambda draft: draft.id))


def read_guardian_links(
    rows: Iterable[Row], *, students: Collection[str], people: Collection[str], country: str
) -> GuardianLinks:
    """Read all rows; those that name an unknown student or person are refused."""
    links = GuardianLinks()
    for row in rows:
        pair = _pair(row, students, people)
        if pair is not None:
            _read_references(row, pair, links)
            _read_relationship(row, pair, links.relationships[pair], country)
            _read_person(row, pair[1], links)
            _read_address(row, pair[1], links, country)
    return links


def mention_row(row: Row) -> None:
    """Keep on record what a refused row speaks of: the link, and the address that only this file holds."""
    student, person = row.text("studentSourcedId"), row.text("personSourcedId")
    row.findings.mention_link(student, person, row.text("validFrom"))
    row.findings.mention("contact_points", f"{person}-letter")


def _pair(row: Row, students: Collection[str], people: Collection[str]) -> Pair | None:
    student, person = row.text("studentSourcedId"), row.text("personSourcedId")
    is_self = relation_of(row.text("relation")) == "self"
    if student not in students:
        row.refuse("studentSourcedId", "No student in users.csv has this id; correct it or add the student.")
    elif person not in people:
        row.refuse("personSourcedId", "No person in users.csv has this id; correct it or add the person.")
    elif is_self != (student == person):
        row.refuse("relation", "The relation self is for students and their own row only; correct it or the id.")
    elif person in students and not is_self:
        row.refuse("personSourcedId", "The person is a student, who cannot be a contact of another; correct the id.")
    else:
        return student, person
    mention_row(row)
    return None


def _read_references(row: Row, pair: Pair, links: GuardianLinks) -> None:
    """Note what bars the pair, before anything else of the row can be found wanting."""
    columns = ("restrictionRef", "correspondenceReason", "reportsReason")
    named = [column for column in columns if column == "restrictionRef" or row.text(column).startswith(_BARRED_REASON)]
    references = {row.text(column).removeprefix(_BARRED_REASON).strip() for column in named} - {""}
    for reference in references:
        links.references[reference].add(pair)
    if references:
        row.note("The row names a restriction: it bars as a draft unless the record exists; two people must decide it.")


def _read_relationship(row: Row, pair: Pair, known: list[Relationship], country: str) -> None:
    stated = _stated_relationship(row, pair, country)
    if any(_overlap(stated, other) for other in known):
        row.refuse("personSourcedId", "An earlier row links the same student and person; leave the right one.")
        row.findings.mention_link(*pair, row.text("validFrom"))
    else:
        known.append(stated)


def _stated_relationship(row: Row, pair: Pair, country: str) -> Relationship:
    relation = relation_of(row.text("relation"))
    valid_from, valid_to = row.read("validFrom", date), row.read("validTo", date)
    if valid_from and valid_to and valid_to < valid_from:
        row.refuse("validTo", "The link ends before it begins; correct one of the dates.")
    stated = Relationship(
        student=pair[0],
        contact=pair[1],
        relation=relation,
        professional=professional_of(relation),
        natural_parent=bool(row.read("naturalParent", boolean)),
        care_of_child=bool(row.read("careOfChild", boolean)),
        lives_with=bool(row.read("livesWith", boolean)),
        legal_guardian=bool(row.read("legalGuardian", boolean)),
        emergency_contact=bool(row.read("emergencyContact", boolean)),
        bill_payer=bool(row.read("billPayer", boolean)),
        parental_responsibility=_RESPONSIBILITY[row.read("parentalResponsibility", boolean)],
        priority=row.read("contactPriority", rank),
        correspondence=row.read("correspondence", _flag) or Flag.UNSET,
        reports=row.read("reports", _flag) or Flag.UNSET,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    if row.unreadable:
        dates_known = not {"validFrom", "validTo"} & set(row.unreadable)
        return held_if_unread(stated, dates_known=dates_known, united_states=country == "US")
    return msgspec.structs.replace(
        stated,
        correspondence_reason=row.read("correspondenceReason", _reason),
        reports_reason=row.read("reportsReason", _reason),
    )


def _overlap(one: Relationship, other: Relationship) -> bool:
    ends_first = one.valid_to and other.valid_from and one.valid_to < other.valid_from
    begins_later = other.valid_to and one.valid_from and other.valid_to < one.valid_from
    return not (ends_first or begins_later)


def _read_person(row: Row, contact: str, links: GuardianLinks) -> None:
    """Read what is true of the person, whichever student the row is about."""
    links.languages.hear(row, "preferredLanguage", contact, row.read("preferredLanguage", language))
    links.interpreters.hear(row, "interpreter", contact, row.read("interpreter", boolean))
    links.formats.hear(row, "formats", contact, row.read("formats", _formats))
    links.homes.hear(row, "householdId", contact, row.read("householdId", identifier))


def _read_address(row: Row, contact: str, links: GuardianLinks, country: str) -> None:
    if row.text("addressConfidential") and row.read("addressConfidential", boolean) is not False:
        links.confidential.add(contact)  # an unreadable answer must not print a refuge's address on a list
    lines = tuple(row.text(column) for column in _ADDRESS_COLUMNS)
    postcode = row.text("postcode")
    if not (any(lines) or postcode):
        return
    try:
        address = postal_address(lines, postcode=postcode, country=row.text("country") or country)
    except UnreadableValueError as error:
        row.refuse("addressLine1", error.sentence)
        row.findings.mention("contact_points", f"{contact}-letter")
    else:
        links.addresses.hear(row, "addressLine1", contact, address)


def _flag(text: str) -> Flag:
    if text not in {"yes", "no"}:
        raise UnreadableValueError("The flag must be yes, no or empty (not set).")
    return Flag(text)


def _reason(text: str) -> str:
    if text not in _REASONS and not text.startswith(_BARRED_REASON):
        raise UnreadableValueError(f"The reason must be restriction:<id> or one of {', '.join(sorted(_REASONS))}.")
    return text


def _formats(text: str) -> tuple[str, ...]:
    formats = tuple(dict.fromkeys(part.strip() for part in text.split(";") if part.strip()))
    if not all(_FORMAT.fullmatch(part) for part in formats):
        raise UnreadableValueError("The formats must be names such as large_print_16, separated by semicolons.")
    return formats
