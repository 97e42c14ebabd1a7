"""The restrictions register: every version of a restriction, who saw it, and whom it barred when last read."""

from sqlalchemy import Column, Index, Integer, String, Table, Text

from gateway.store.columns import SERIAL, document, identifier, instant, word
from gateway.store.tables.schema import metadata

restriction_steps = Table(
    "restriction_steps",
    metadata,
    identifier("school", primary_key=True),
    identifier("restriction", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    word("step"),
    identifier("by", nullable=True),
    instant("at"),
    document(),
    document("proposed", nullable=True),
    document("otherwise", nullable=True),
    Column("evidence", Text, nullable=True),
    Column("note", Text, nullable=True),
    identifier("successor", nullable=True),
)
"""Append-only: every version of a restriction. `document` acts from this step on; while the step is the last one and
awaits a second person, `proposed` is what acts once it is approved and `otherwise` what acts once it is rejected."""

restriction_views = Table(
    "restriction_views",
    metadata,
    Column("id", SERIAL, primary_key=True),
    identifier("school"),
    identifier("restriction"),
    identifier("viewer"),
    instant("at"),
    Index(None, "school", "restriction", "id"),
)
"""Append-only: whose key saw which restriction, and when."""

objections = Table(
    "objections",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    identifier("student"),
    identifier("contact"),
    identifier("said_by"),
    Column("note", Text, nullable=True),
    identifier("taken_by"),
    instant("at"),
)
"""What somebody said against telling a contact: a note and a task, never a restriction (R03)."""

deny_snapshots = Table(
    "deny_snapshots",
    metadata,
    identifier("school", primary_key=True),
    Column("version", Integer, nullable=False),
    instant("made_at"),
    document(),
    Column("signature", String(64), nullable=False),
)
"""Whom a school's denies barred when they could last be read, for the emergency in which they cannot (R46).
`document` lists pairs of student and contact; `signature` covers the whole row."""
