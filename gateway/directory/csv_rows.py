"""Reads a CSV file of an export row by row, by its column names, and its values one by one."""

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.directory.importing import Findings, ImportRefusedError, UnreadableValueError
from gateway.directory.validation import is_zone

LONGEST_VALUE = 200
LONGEST_ID = 190
"""Shorter than any other value, since the ids of contact points are made from it."""
LONGEST_LIST = 10_000
LISTS = frozenset({"agentSourcedIds", "orgSourcedIds", "grades", "userIds", "resourceSourcedIds"})
"""Columns that hold several values, separated by commas."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_RANK = re.compile(r"[1-9][0-9]{0,2}")
_COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,59}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_BOOLEANS = {"true": True, "false": False}

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Which columns a file must have, and which others it may have."""

    required: tuple[str, ...]
    known: frozenset[str]

    @classmethod
    def of(cls, required: str, others: str = "") -> "Columns":
        """Take both as names separated by commas."""
        names = tuple(required.split(","))
        return cls(required=names, known=frozenset(names) | frozenset(filter(None, others.split(","))))


@dataclass(slots=True)
class Row:
    """One row: its place in the file, its values by column name, and which of them could not be read."""

    file: str
    line: int
    values: dict[str, str]
    findings: Findings
    unreadable: list[str] = field(default_factory=list)

    def text(self, column: str) -> str:
        """Return a value without surrounding blanks; empty when the column is missing, too."""
        return self.values.get(column, "")

    def items(self, column: str, *, separator: str = ",") -> tuple[str, ...]:
        """Return the items of a list, each once, in their order."""
        items = (item.strip() for item in self.text(column).split(separator))
        return tuple(dict.fromkeys(item for item in items if item))

    def read(self, column: str, reader: Callable[[str], Value]) -> Value | None:
        """Return a value as the reader understands it; None when it is empty or was refused."""
        text = self.text(column)
        if not text:
            return None
        try:
            return reader(text)
        except UnreadableValueError as error:
            self.refuse(column, error.sentence)
            return None

    def refuse(self, column: str, reason: str) -> None:
        """Put on record that a value of this row, or the row, was not taken over."""
        self.unreadable.append(column)
        self.findings.refuse(self.file, self.line, column, reason)

    def note(self, sentence: str, *, column: str | None = None) -> None:
        """Put on record what a person should know about this row."""
        self.findings.note(self.file, sentence, line=self.line, field=column)


def read_rows(
    content: bytes, *, file: str, columns: Columns, findings: Findings, lost: Callable[[Row], None]
) -> Iterator[Row]:
    """Yield the sound rows of a file; refuse the others, and the file as a whole when it cannot be read.

    `lost` hears of each refused row, with as many of its values as there are. The physical line of a row is where it
    starts. A value with a line break or a control character, an overlong one, and a row with more or fewer values than
    the header each refuse their row.
    """
    lines = csv.reader(io.StringIO(_decoded(content, file), newline=""), strict=True)
    try:
        header = _header(next(lines, []), file, columns, findings)
        line = lines.line_num + 1
        for values in lines:
            row = Row(file, line, dict(zip(header, map(str.strip, values), strict=False)), findings)
            line = lines.line_num + 1
            if not any(values):
                continue
            if _sound(row, len(values), len(header)):
                yield row
            else:
                lost(row)
    except csv.Error as error:
        raise ImportRefusedError(
            f"The file cannot be read from line {lines.line_num} on; close every quotation mark that was opened.", file
        ) from error


def _decoded(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportRefusedError("The file is not in UTF-8; save it again with that encoding.", file) from error


def _header(names: list[str], file: str, columns: Columns, findings: Findings) -> list[str]:
    header = [name.strip() for name in names]
    if not any(header):
        raise ImportRefusedError("The file is empty; its first line must name the columns.", file)
    missing = [name for name in columns.required if name not in header]
    if missing:
        raise ImportRefusedError(f"The column {missing[0]} is missing; its name must be spelled exactly so.", file)
    if any(header.count(name) > 1 for name in columns.known):
        raise ImportRefusedError("One column name appears twice; leave each column once.", file)
    for number, name in enumerate(header, start=1):
        if name not in columns.known and not name.startswith("metadata."):
            field = name if _COLUMN_NAME.fullmatch(name) else None
            findings.note(file, f"Column {number} is not known and was left out; check its name.", line=1, field=field)
    return header


def _sound(row: Row, count: int, expected: int) -> bool:
    if count != expected:
        row.refuse(
            "", f"The row has {count} values for {expected} columns; put quotation marks around values with commas."
        )
        return False
    for column, text in row.values.items():
        fault = fault_of(text, longest=LONGEST_LIST if column in LISTS else LONGEST_VALUE)
        if fault:
            row.refuse(column, fault)
    return not row.unreadable


def fault_of(text: str, *, longest: int = LONGEST_VALUE) -> str | None:
    """Say why a text cannot be taken over, whatever it stands for; None when it can."""
    if len(text) > longest:
        return f"The value is longer than {longest} characters; shorten it."
    if not text.isprintable() and _CONTROL.search(text):
        return "The value holds a line break or control character; remove it."
    return None


def identifier(text: str) -> str:
    """Read an id; `*` is none, since it stands for everybody elsewhere."""
    if len(text) > LONGEST_ID:
        raise UnreadableValueError(f"The id is longer than {LONGEST_ID} characters; use the id of the school's system.")
    if text == "*":
        raise UnreadableValueError("An asterisk is not an id; use the id of the school's system.")
    return text


def boolean(text: str) -> bool:
    """Read `true` or `false`, in any case."""
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise UnreadableValueError("The value must be true, false or empty (unknown).") from None


def date(text: str) -> dt.date:
    """Read a date written as YYYY-MM-DD."""
    if _DATE.fullmatch(text):  # fromisoformat alone takes week dates, too
        with suppress(ValueError):
            return dt.date.fromisoformat(text)
    raise UnreadableValueError("The date must be a day of the calendar, written as YYYY-MM-DD.")


def rank(text: str) -> int:
    """Read a contact's priority: 1 is first."""
    if not _RANK.fullmatch(text):
        raise UnreadableValueError("The priority must be a whole number from 1 to 999.")
    return int(text)


def language(text: str) -> str:
    """Read a language tag of BCP 47, such as `pl` or `zh-Hans`."""
    if not _LANGUAGE.fullmatch(text):
        raise UnreadableValueError("The language must be a tag such as pl, ur or zh-Hans.")
    return text


def time_zone(text: str) -> str:
    """Read the name of a time zone, such as `Asia/Dubai`."""
    if not is_zone(text):
        raise UnreadableValueError("The time zone must be a name such as Europe/London or Asia/Dubai.")
    return text
