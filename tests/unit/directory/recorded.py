"""Puts an import on record, so that tests can compare the next one with it."""

import datetime as dt

import msgspec

from gateway.directory.changes import COLLECTIONS, Changes, Recorded, compare
from gateway.directory.importing import Import
from gateway.directory.model import Directory


def next_import(on_record: Directory, imported: Import, *, today: dt.date) -> Changes:
    """Compare an import with the directory on record."""
    recorded = {
        collection.name: {
            collection.key(row): Recorded(document=msgspec.json.encode(row), ended=False)
            for row in getattr(on_record, collection.name)
        }
        for collection in COLLECTIONS
    }
    return compare(recorded, imported.directory, today=today, mentioned=imported.mentioned)


def ended(changes: Changes) -> set[str]:
    """Name the lists in which something ended."""
    return {name for name, own in changes.collections.items() if own.ended}


def changed(changes: Changes) -> set[str]:
    """Name the lists in which anything is different."""
    return {name for name, own in changes.collections.items() if own}
