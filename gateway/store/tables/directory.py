"""The directory: rows keep their document as it was given, beside the keys that queries need."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text
from sqlalchemy.schema import SchemaItem

from gateway.store.columns import SERIAL, document, identifier, instant, word
from gateway.store.tables.schema import metadata

schools = Table(
    "schools",
    metadata,
    identifier("id", primary_key=True),
    document(),
    Column("version", Integer, nullable=False),
    instant("changed_at"),
)
"""`version` rises with every change that could alter a decision: deliveries planned under an older one are
decided again before they leave (R44)."""


def _person_table(name: str, *columns: SchemaItem) -> Table:
    return Table(
        name,
        metadata,
        identifier("school", primary_key=True),
        identifier("id", primary_key=True),
        document(),
        instant("ended_at", nullable=True),
        *columns,
    )


students = _person_table("students")

contacts = _person_table("contacts")

households = _person_table("households")

contact_points = _person_table(
    "contact_points",
    identifier("contact"),
    word("channel"),
    Column("address_key", Text, nullable=False),
    Index(None, "school", "contact"),
    Index(None, "school", "address_key"),
)

restrictions = _person_table(
    "restrictions",
    identifier("student"),
    identifier("contact"),
    Column("evidence", Text, nullable=True),
    identifier("created_by", nullable=True),
    identifier("approved_by", nullable=True),
    Index(None, "school", "contact"),
    Index(None, "school", "student"),
)

student_groups = Table(
    "student_groups",
    metadata,
    identifier("school", primary_key=True),
    identifier("group", primary_key=True),
    identifier("student", primary_key=True),
)

household_members = Table(
    "household_members",
    metadata,
    identifier("school", primary_key=True),
    identifier("household", primary_key=True),
    identifier("contact", primary_key=True),
    Index(None, "school", "contact", "household"),
)

relationships = Table(
    "relationships",
    metadata,
    identifier("school", primary_key=True),
    identifier("student", primary_key=True),
    identifier("contact", primary_key=True),
    Column("started", String(10), primary_key=True),
    Column("is_self", Boolean, nullable=False),
    document(),
    instant("ended_at", nullable=True),
    Index(None, "school", "contact", "student"),
)
"""`started` is the row's `valid_from` or empty: one pair may have an ended and a current row."""

placement_plans = Table(
    "placement_plans",
    metadata,
    identifier("school", primary_key=True),
    identifier("student", primary_key=True),
    identifier("contact", primary_key=True),
    document(),
    instant("ended_at", nullable=True),
)

point_marks = Table(
    "point_marks",
    metadata,
    identifier("school", primary_key=True),
    word("channel", primary_key=True),
    Column("address_key", Text, primary_key=True),
    word("state"),
    word("reason"),
    instant("at"),
)
"""What providers taught us of an address (R33, R34): kept apart from the directory, so that no import clears it."""

chronology = Table(
    "chronology",
    metadata,
    Column("id", SERIAL, primary_key=True),
    identifier("school"),
    instant("at"),
    identifier("student", nullable=True),
    identifier("contact", nullable=True),
    word("event"),
    document("detail"),
    Index(None, "school", "contact", "at"),
    Index(None, "school", "student", "at"),
)
"""Append-only: what happened to a person's record. Decisions, attempts and receipts are records themselves."""
