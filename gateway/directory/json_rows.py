"""Reads JSON exports record by record, with the same readers, refusals and reports as a CSV file's rows."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.directory.csv_rows import Row, date, fault_of
from gateway.directory.importing import Findings, ImportRefusedError, UnreadableValueError

MOST_BYTES = 200 * 1024 * 1024
LONGEST_ID = 120
"""The ids of contact points are made from it, with the channel and the kind of address."""
MOST_NUMBER = 10**18
MOST_NESTED = 50
"""Addresses, languages and the like of one person."""


@dataclass(slots=True)
class Record(Row):
    """One JSON object as a row: its line is its place in the list, its columns are its keys.

    A missing key, null and an empty text say nothing; false says no.
    """

    data: dict[str, Any] = field(default_factory=dict)
    place: str = ""
    """Where this object lies in its row, such as `telephones.2.`."""

    def text(self, column: str) -> str:
        """Return a value as text, booleans as `true` or `false`; one that is no text or number is refused once."""
        value = self.data.get(column)
        if value is None or column in self.unreadable:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str | int) or (isinstance(value, int) and abs(value) > MOST_NUMBER):
            self.refuse(column, "The value must be a text, a whole number, true or false; export it as such.")
            return ""
        text = str(value).strip()
        fault = fault_of(text)
        if fault:
            self.refuse(column, fault)
            return ""
        return text

    def says(self, column: str) -> bool:
        """Tell whether the record says anything under a key, readable or not."""
        value = self.data.get(column)
        return value is not None and not (isinstance(value, str) and not value.strip()) and value not in ([], {})

    def refuse(self, column: str, reason: str) -> None:
        """Put on record that a value of this object, or the object, was not taken over."""
        self.unreadable.append(column)
        self.findings.refuse(self.file, self.line, f"{self.place}{column}".rstrip("."), reason)

    def inside(self, key: str) -> "Record":
        """Return the object under a key; an empty one when there is none, or something else."""
        value = self.data.get(key)
        if value is not None and not isinstance(value, dict):
            self.refuse(key, "The value must be an object; export it as such.")
        return self._at(f"{key}.", value if isinstance(value, dict) else {})

    def each(self, key: str) -> Iterator["Record"]:
        """Yield the objects of the list under a key; whatever is no object is refused."""
        value = self.data.get(key)
        if value is None:
            return
        if not isinstance(value, list):
            self.refuse(key, "The value must be a list of objects; export it as such.")
            return
        if len(value) > MOST_NESTED:
            self.refuse(key, f"The list has more than {MOST_NESTED} items, and only these were read; shorten it.")
        for position, item in enumerate(value[:MOST_NESTED], start=1):
            if isinstance(item, dict):
                yield self._at(f"{key}.{position}.", item)
            else:
                self.refuse(f"{key}.{position}", "The item must be an object; export it as such.")

    def _at(self, place: str, data: dict[str, Any]) -> "Record":
        return Record(self.file, self.line, {}, self.findings, data=data, place=f"{self.place}{place}")


def parse(content: bytes, *, file: str | None = None) -> Any:
    """Decode JSON; raises ImportRefusedError with one sentence when it is none."""
    if len(content) > MOST_BYTES:
        raise ImportRefusedError(f"The file is larger than {MOST_BYTES // 1024**2} MB; export one school.", file)
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ImportRefusedError("The file is not well-formed JSON in UTF-8; export it again.", file) from error


def records(items: Any, *, file: str, findings: Findings) -> Iterator[Record]:
    """Yield the objects of a list; raises ImportRefusedError when it is no list."""
    if not isinstance(items, list):
        raise ImportRefusedError("The list of records is missing or something else; export it as a JSON list.", file)
    for line, item in enumerate(items, start=1):
        if isinstance(item, dict):
            yield Record(file, line, {}, findings, data=item)
        else:
            findings.refuse(file, line, "", "The record must be an object; export it as such.")


def identifier(text: str) -> str:
    """Read an id; `*` is none, since it stands for everybody elsewhere."""
    if len(text) > LONGEST_ID:
        raise UnreadableValueError(f"The id is longer than {LONGEST_ID} characters; use the id of the school's system.")
    if text == "*":
        raise UnreadableValueError("An asterisk is not an id; use the id of the school's system.")
    return text


def own_id(record: Record, key: str, taken: "set[str] | dict[str, Record]") -> str | None:
    """Read the id of a record; None when it has none, or another record above has the same, both refused."""
    found = record.read(key, identifier)
    if found is None and key not in record.unreadable:
        record.refuse(key, "The record has no id; give it one.")
    elif found in taken:
        record.refuse(key, "Another record above has the same id; leave the right one.")
        return None
    return found


def birth_date(record: Record, key: str, *, today: dt.date) -> dt.date | None:
    """Read a date of birth, with or without a time of day; one after today is refused."""
    born = record.read(key, lambda text: date(text[:10]))
    if born and born > today:
        record.refuse(key, "The date of birth lies in the future; correct it.")
        return None
    return born
