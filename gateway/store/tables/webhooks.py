"""What other systems are told."""

from sqlalchemy import Column, Index, Integer, String, Table, Text, text

from gateway.store.columns import SERIAL, document, identifier, instant, word
from gateway.store.tables.schema import metadata

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    Column("url", Text, nullable=False),
    document("events"),
    identifier("created_by"),
    instant("created_at"),
    instant("changed_at"),
    instant("disabled_at", nullable=True),
    word("disabled_because", nullable=True),
    Column("failures", Integer, nullable=False),
    instant("failing_since", nullable=True),
    instant("rests_until", nullable=True),
    identifier("owner", nullable=True),
    instant("lease_until", nullable=True),
    Index(None, "school"),
)
"""Where a school's systems are told of events. `events` lists the types wanted, null for all. `failures` counts the
rounds in a row in which it took nothing, `failing_since` is when they began. One worker at a time posts to it."""

webhook_seeds = Table(
    "webhook_seeds",
    metadata,
    identifier("endpoint", primary_key=True),
    Column("seed", String(64), primary_key=True),
    Column("fingerprint", String(16), nullable=False),
    instant("created_at"),
    instant("signs_until", nullable=True),
)
"""What an endpoint's secrets are derived from, with the installation's key; none of them stands here itself."""

webhook_events = Table(
    "webhook_events",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    word("type"),
    document(),
    instant("at"),
    Index(None, "school", "at"),
    Index(None, "at"),
)
"""What was told, as it is posted: ids, states and codes. `id` is the `webhook-id` of all its posts."""

webhook_posts = Table(
    "webhook_posts",
    metadata,
    identifier("endpoint", primary_key=True),
    identifier("event", primary_key=True),
    instant("due_at", nullable=True),
    Column("attempts", Integer, nullable=False),
    instant("delivered_at", nullable=True),
    Index(None, "event"),
    Index(
        "ix_webhook_posts_due",
        "endpoint",
        "due_at",
        postgresql_where=text("due_at IS NOT NULL"),
        sqlite_where=text("due_at IS NOT NULL"),
    ),
)
"""An event on its way to an endpoint; neither due nor delivered, it was given up after its last attempt."""

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("id", SERIAL, primary_key=True),
    identifier("endpoint"),
    identifier("event"),
    Column("number", Integer, nullable=False),
    instant("at"),
    Column("milliseconds", Integer, nullable=False),
    word("outcome"),
    Column("status", Integer, nullable=True),
    Index(None, "endpoint", "id"),
    Index(None, "event"),
)
"""Append-only: every time an endpoint was posted to, and what it said by its status; its words are not kept."""
