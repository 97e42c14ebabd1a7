"""What staff have to do, and who of them is paged."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, text

from gateway.store.columns import document, identifier, instant, word
from gateway.store.tables.schema import metadata

tasks = Table(
    "tasks",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    word("kind"),
    identifier("notification", nullable=True),
    identifier("student", nullable=True),
    identifier("contact", nullable=True),
    identifier("delivery", nullable=True),
    word("owner"),
    Column("detail", Text, nullable=False),
    instant("created_at"),
    instant("due_at", nullable=True),
    instant("paged_at", nullable=True),
    instant("acknowledged_at", nullable=True),
    identifier("acknowledged_by", nullable=True),
    instant("done_at", nullable=True),
    identifier("done_by", nullable=True),
    Column("note", Text, nullable=True),
    Column("directory_version", Integer, nullable=True),
    Index(None, "school", "done_at", "due_at"),
    Index(None, "notification"),
    Index(
        "ix_tasks_open",
        "kind",
        "due_at",
        postgresql_where=text("done_at IS NULL"),
        sqlite_where=text("done_at IS NULL"),
    ),
)
"""What people have to do: holds, unreachable contacts, unknown outcomes (R24, R45). `done_by` is the key of whoever
settled it by hand; a task that went by itself has none. `directory_version` is what a hold was last decided under."""

hand_reports = Table(
    "hand_reports",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    identifier("task"),
    identifier("delivery"),
    word("outcome"),
    instant("at"),
    Column("minutes", Integer, nullable=True),
    Column("spoken_with", String(200), nullable=True),
    Column("identity_checked", Boolean, nullable=True),
    Column("follow_up", Text, nullable=True),
    Column("note", Text, nullable=False),
    identifier("by"),
    instant("recorded_at"),
    Index(None, "task"),
)
"""Append-only: what staff did to bring somebody a message by telephone or by hand, try by try (Q34)."""

duty_contacts = Table(
    "duty_contacts",
    metadata,
    identifier("school", primary_key=True),
    identifier("id", primary_key=True),
    word("role"),
    document(),
    instant("changed_at"),
)
"""Whom a life-safety hold pages (R45): staff, kept apart from the directory of families."""

_PAGE_IN_WORK = "state IN ('queued', 'sending', 'retrying', 'unknown') AND due_at IS NOT NULL"

pages = Table(
    "pages",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    identifier("notification"),
    identifier("task"),
    identifier("person"),
    word("role"),
    Column("round", Integer, nullable=False),
    word("channel"),
    Column("address", String(320), nullable=False),
    word("language"),
    word("state"),
    instant("due_at", nullable=True),
    identifier("owner", nullable=True),
    instant("lease_until", nullable=True),
    Column("attempts", Integer, nullable=False),
    word("provider", nullable=True),
    identifier("provider_id", nullable=True),
    word("code", nullable=True),
    Column("detail", Text, nullable=True),
    instant("created_at"),
    instant("changed_at"),
    Index(None, "notification", "round"),
    Index("ix_pages_due", "due_at", postgresql_where=text(_PAGE_IN_WORK), sqlite_where=text(_PAGE_IN_WORK)),
)
"""One page to one contact point of somebody on duty. It speaks of all holds of its notification; `task` is the one
that has waited longest. `address` is the whole address: a roster that changes must not lose a page on its way."""
