"""Letters that are printed together."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, text

from gateway.store.columns import document, identifier, instant, word
from gateway.store.tables.schema import metadata

print_runs = Table(
    "print_runs",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    word("status"),
    word("reason"),
    identifier("created_by", nullable=True),
    instant("created_at"),
    instant("closed_at", nullable=True),
    Column("letters", Integer, nullable=False),
    Column("sheets", Integer, nullable=False),
    document("files"),
    identifier("folder", nullable=True),
    Column("posted_on", String(10), nullable=True),
    instant("uploaded_at", nullable=True),
    instant("due_at", nullable=True),
    Column("failures", Integer, nullable=False),
    Column("fault", Text, nullable=True),
    identifier("owner", nullable=True),
    instant("lease_until", nullable=True),
    Index(None, "school", "id"),
    Index(
        "ix_print_runs_due",
        "due_at",
        postgresql_where=text("due_at IS NOT NULL"),
        sqlite_where=text("due_at IS NOT NULL"),
    ),
    Index(
        "ix_print_runs_wanted",
        "school",
        unique=True,
        postgresql_where=text("status = 'wanted'"),
        sqlite_where=text("status = 'wanted'"),
    ),
)
"""Letters that are printed together. `files` lists what its folder holds, with checksums; `due_at` is when there is
something to be done about it, `fault` why that could not be done the last time."""

print_letters = Table(
    "print_letters",
    metadata,
    identifier("delivery", primary_key=True),
    identifier("run"),
    Column("file", String(100), nullable=True),
    Column("first_page", Integer, nullable=True),
    Column("pages", Integer, nullable=True),
    Column("sheets", Integer, nullable=True),
    word("postage", nullable=True),
    Column("sealed", Boolean, nullable=True),
    word("country", nullable=True),
    Index(None, "run"),
)
"""Which run has which letter: the primary key lets a delivery be printed once. Its place is known once it is."""
