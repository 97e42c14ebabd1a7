"""What a new directory document changes in the one on record, and what a file may not change.

Pure: the store applies the result. A file never lifts or alters a restriction, never clears `confidential`,
and never ends more than a fifth of the current links unless a person insists.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.directory.addresses import address_key, country_of
from gateway.directory.model import (
    ANY,
    Contact,
    ContactPoint,
    Directory,
    Effect,
    Entity,
    Household,
    PlacementPlan,
    Relationship,
    Restriction,
    RestrictionStatus,
    Student,
)

MOST_ENDED = 0.20
"""The share of current relationships that one file may end without `force`."""

_NEVER_CHANGED = (
    "A file never changes a restriction on record; a deny that differs was added beside it: two people must look."
)
_SAYS_CONFIDENTIAL = b'"confidential":true'
_NEVER_OPENED = "A file never makes a confidential contact point open: ask the safeguarding lead."

Key = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Collection:
    """One list of the directory: how its rows are identified."""

    name: str
    kind: type[Entity]
    key: Callable[[Any], Key]


def _relationship_key(row: Relationship) -> Key:
    return row.student, row.contact, row.valid_from.isoformat() if row.valid_from else ""


COLLECTIONS = (
    Collection(name="students", kind=Student, key=lambda row: (row.id,)),
    Collection(name="contacts", kind=Contact, key=lambda row: (row.id,)),
    Collection(name="contact_points", kind=ContactPoint, key=lambda row: (row.id,)),
    Collection(name="households", kind=Household, key=lambda row: (row.id,)),
    Collection(name="relationships", kind=Relationship, key=_relationship_key),
    Collection(name="restrictions", kind=Restriction, key=lambda row: (row.id,)),
    Collection(name="placement_plans", kind=PlacementPlan, key=lambda row: (row.student, row.contact)),
)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A change that a file asked for and a person must make."""

    entity: str
    id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A row on record: its document and whether it has ended."""

    document: bytes
    ended: bool


@dataclass(kw_only=True)
class CollectionChanges:
    """The changes of one list."""

    added: dict[Key, Any] = field(default_factory=dict)
    changed: dict[Key, Any] = field(default_factory=dict)
    ended: dict[Key, Any] = field(default_factory=dict)
    replaced: dict[Key, Any] = field(default_factory=dict)
    """The rows on record in whose place the changed ones come."""
    fields: dict[Key, list[str]] = field(default_factory=dict)
    """Which fields of a changed row differ."""

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.added or self.changed or self.ended)


@dataclass(kw_only=True)
class Changes:
    """Everything that a document changes."""

    collections: dict[str, CollectionChanges]
    held: list[Held]
    ended_share: float
    """Ended relationships as a share of those current before."""

    @property
    def readdressed(self) -> set[str]:
        """The contacts some of whose contact points are new, different or gone."""
        points = self.collections["contact_points"]
        rows = (points.added, points.changed, points.replaced, points.ended)
        return {point.contact for own in rows for point in own.values()}


def compare(
    recorded: Mapping[str, Mapping[Key, Recorded]],
    directory: Directory,
    *,
    today: dt.date,
    mentioned: frozenset[tuple[str, Key]] = frozenset(),
) -> Changes:
    """Compare the rows on record with a new document; `mentioned` rows were refused and must not end for that."""
    held: list[Held] = []
    collections = {}
    # A relationship counts as mentioned whichever dates its refused row gave.
    mentioned = frozenset((name, key[:2]) for name, key in mentioned)
    directory = _still_confidential(recorded.get("contact_points", {}), directory, held)
    directory = _beside_those_on_record(recorded.get("restrictions", {}), directory, held)
    for collection in COLLECTIONS:
        before = recorded.get(collection.name, {})
        after = {collection.key(row): row for row in getattr(directory, collection.name)}
        collections[collection.name] = _compare_rows(collection, before, after, today, held, mentioned)
    links_before = sum(1 for row in recorded.get("relationships", {}).values() if not row.ended)
    links_ended = len(collections["relationships"].ended)
    return Changes(
        collections=collections,
        held=held,
        ended_share=links_ended / links_before if links_before else 0.0,
    )


def _still_confidential(before: Mapping[Key, Recorded], directory: Directory, held: list[Held]) -> Directory:
    """Keep an address confidential that comes back under another id or in another list of the file (R36)."""
    country = country_of(directory.school.jurisdiction)
    decoder = msgspec.json.Decoder(ContactPoint)
    # Only documents that say so are decoded: a school has few confidential points.
    hidden = [decoder.decode(row.document) for row in before.values() if _SAYS_CONFIDENTIAL in row.document]
    places = {(point.contact, address_key(point.channel, point.address, country)): point.id for point in hidden}

    def kept(point: ContactPoint) -> ContactPoint:
        known = places.get((point.contact, address_key(point.channel, point.address, country)))
        if point.confidential or known is None or known == point.id:
            return point
        held.append(Held(entity="contact_points", id=point.id, reason=_NEVER_OPENED))
        return msgspec.structs.replace(point, confidential=True)

    if not places:
        return directory
    return msgspec.structs.replace(directory, contact_points=tuple(kept(point) for point in directory.contact_points))


def _beside_those_on_record(before: Mapping[Key, Recorded], directory: Directory, held: list[Held]) -> Directory:
    """Take a changed restriction as a further one: a file never changes one on record, but may always bar more."""
    kept = []
    for asked in directory.restrictions:
        on_record = before.get((asked.id,))
        document = msgspec.json.encode(asked)
        if on_record is None or on_record.document == document:
            kept.append(asked)
            continue
        if _says_less(asked, msgspec.json.decode(on_record.document, type=Restriction)):
            continue
        held.append(Held(entity="restrictions", id=asked.id, reason=_NEVER_CHANGED))
        if asked.effect is Effect.DENY and asked.status is not RestrictionStatus.SUPERSEDED:
            name = f"{asked.id[:180]}~{hashlib.blake2b(document, digest_size=6).hexdigest()}"
            kept.append(msgspec.structs.replace(asked, id=name))
    return msgspec.structs.replace(directory, restrictions=tuple(kept))


def _says_less(asked: Restriction, known: Restriction) -> bool:
    """Whether a file only refers to a restriction that two people have made active since."""
    same = (asked.student, asked.contact, asked.effect, asked.until) == (
        known.student, known.contact, known.effect, known.until,
    )  # fmt: skip
    covered = ANY in known.categories or set(asked.categories) <= set(known.categories)
    return same and covered and asked.status is RestrictionStatus.DRAFT and known.status is RestrictionStatus.ACTIVE


def _compare_rows(
    collection: Collection,
    before: Mapping[Key, Recorded],
    after: Mapping[Key, Any],
    today: dt.date,
    held: list[Held],
    mentioned: frozenset[tuple[str, Key]],
) -> CollectionChanges:
    changes = CollectionChanges()
    decoder = msgspec.json.Decoder(collection.kind)
    for key, asked in after.items():
        on_record = before.get(key)
        if on_record is None:
            changes.added[key] = asked
            continue
        if msgspec.json.encode(asked) == on_record.document and not on_record.ended:
            continue
        old = decoder.decode(on_record.document)
        row = _permitted(collection.name, key, old, asked, held)
        if row != old or on_record.ended:
            changes.changed[key] = row
            changes.replaced[key] = old
            changes.fields[key] = [name for name in row.__struct_fields__ if getattr(row, name) != getattr(old, name)]
    if collection.kind is not Restriction:
        for key, on_record in before.items():
            if not on_record.ended and key not in after and (collection.name, key[:2]) not in mentioned:
                changes.ended[key] = _ended(decoder.decode(on_record.document), today)
    return changes


def _permitted(name: str, key: Key, old: Any, asked: Any, held: list[Held]) -> Any:
    """Keep what a file may not change, and say so."""
    if isinstance(old, ContactPoint) and old.confidential and not asked.confidential:
        held.append(Held(entity=name, id=key[0], reason=_NEVER_OPENED))
        same_address = old.address == asked.address and old.contact == asked.contact
        return msgspec.structs.replace(asked, confidential=True) if same_address else old
    return asked


def _ended(row: Any, today: dt.date) -> Any:
    """Close what has an end on the day before, so that it still decides (P1) and is still explained."""
    yesterday = today - dt.timedelta(days=1)
    if isinstance(row, Relationship):
        return msgspec.structs.replace(row, valid_to=min(filter(None, (row.valid_to, yesterday))))
    if isinstance(row, Student):
        return msgspec.structs.replace(row, enrolled_to=min(filter(None, (row.enrolled_to, yesterday))))
    return row
