"""Reading an uploaded directory document row by row: one bad row is refused with its reason, the rest is taken."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.directory.changes import COLLECTIONS, Collection, Key
from gateway.directory.model import Directory, School
from gateway.directory.validation import find_problems
from gateway.directory.wording import complaint

_ROUNDS = 10
"""Refusing a contact makes its relationships dangle, and so on: the chain is short."""


class RefusedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was not taken over."""

    entity: str
    id: str
    field: str
    reason: str


class RestrictionsRefusedError(ValueError):
    """A document whose restrictions cannot all be read is refused whole: leaving one out could tell a barred parent."""

    def __init__(self, rows: tuple[RefusedRow, ...]) -> None:
        """Keep the rows, and say the first one's fault."""
        super().__init__(f"restrictions {rows[0].id}: {rows[0].reason} Nothing was taken over: correct it first.")
        self.rows = rows


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The rows that are fit, those refused, and the keys of the latter, so that they are not taken for missing."""

    directory: Directory
    refused: tuple[RefusedRow, ...]
    mentioned: frozenset[tuple[str, Key]]


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The document with its rows still unread."""

    school: School
    students: list[msgspec.Raw] = []
    contacts: list[msgspec.Raw] = []
    contact_points: list[msgspec.Raw] = []
    households: list[msgspec.Raw] = []
    relationships: list[msgspec.Raw] = []
    restrictions: list[msgspec.Raw] = []
    placement_plans: list[msgspec.Raw] = []


def read_directory(document: bytes, *, today: dt.date) -> Reading:
    """Read a document; raises msgspec's errors when the document as a whole is not of the form."""
    envelope = msgspec.json.decode(document, type=_Envelope)
    refused: list[RefusedRow] = []
    mentioned: set[tuple[str, Key]] = set()
    rows: dict[str, dict[Key, Any]] = {}
    for collection in COLLECTIONS:
        rows[collection.name] = _read_rows(collection, getattr(envelope, collection.name), refused, mentioned)
    directory = _without_problems(envelope.school, rows, today, refused, mentioned)
    unread = [row for row in refused if row.entity == "restrictions"]
    if unread:
        raise RestrictionsRefusedError(tuple(unread))
    return Reading(directory=directory, refused=tuple(refused), mentioned=frozenset(mentioned))


def without_problems(
    directory: Directory, *, today: dt.date, mentioned: frozenset[tuple[str, Key]] = frozenset()
) -> Reading:
    """Take the rows out of a directory that contradict others; `mentioned` adds the keys an importer could not read."""
    refused: list[RefusedRow] = []
    unfit: set[tuple[str, Key]] = set()
    rows = {
        collection.name: {collection.key(row): row for row in getattr(directory, collection.name)}
        for collection in COLLECTIONS
    }
    clean = _without_problems(directory.school, rows, today, refused, unfit)
    return Reading(directory=clean, refused=tuple(refused), mentioned=mentioned | unfit)


def _read_rows(
    collection: Collection, raw: list[msgspec.Raw], refused: list[RefusedRow], mentioned: set[tuple[str, Key]]
) -> dict[Key, Any]:
    decoder = msgspec.json.Decoder(collection.kind)
    rows: dict[Key, Any] = {}
    for position, text in enumerate(raw):
        try:
            row = decoder.decode(text)
        except msgspec.ValidationError as error:
            key = _rough_key(collection, text)
            if key is not None:
                mentioned.add((collection.name, key))
            steps, reason = complaint(str(error), collection.kind)
            field = ".".join(steps)
            name = "/".join(filter(None, key)) if key else f"row {position}"
            refused.append(RefusedRow(entity=collection.name, id=name, field=field, reason=reason))
            continue
        key = collection.key(row)
        if key in rows:
            name, reason = "/".join(filter(None, key)), "This id stands in the list already: give every row its own."
            refused.append(RefusedRow(entity=collection.name, id=name, field="id", reason=reason))
        else:
            rows[key] = row
    return rows


def _without_problems(
    school: School,
    rows: Mapping[str, dict[Key, Any]],
    today: dt.date,
    refused: list[RefusedRow],
    mentioned: set[tuple[str, Key]],
) -> Directory:
    """Refuse rows that contradict others until none is left that does."""
    for _ in range(_ROUNDS):
        directory = Directory(school=school, **{name: tuple(own.values()) for name, own in rows.items()})
        problems = [problem for problem in find_problems(directory, today) if problem.entity in rows]
        if not problems:
            break
        for problem in problems:
            reason = f"{problem.field} {problem.reason}."
            refused.append(RefusedRow(entity=problem.entity, id=problem.id, field=problem.field, reason=reason))
            for key in [key for key in rows[problem.entity] if _is_meant(key, problem.id)]:
                mentioned.add((problem.entity, key))
                del rows[problem.entity][key]
    return directory


def _is_meant(key: Key, identifier: str) -> bool:
    return identifier in {key[0], "/".join(key[:2])}


def _rough_key(collection: Collection, text: msgspec.Raw) -> Key | None:
    """Read as much of a bad row as says which one it is."""
    try:
        fields = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return None
    names = {"relationships": ("student", "contact", "valid_from"), "placement_plans": ("student", "contact")}
    parts = [fields.get(name) or "" for name in names.get(collection.name, ("id",))]
    return tuple(parts) if all(isinstance(part, str) for part in parts) else None
