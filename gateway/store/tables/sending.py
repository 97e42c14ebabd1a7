"""What leaves by which route, and what becomes of it."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, text

from gateway.store.columns import SERIAL, document, identifier, instant, word
from gateway.store.tables.schema import metadata

_ACTIVE = "state IN ('queued', 'retrying', 'unknown') AND due_at IS NOT NULL AND merged_into IS NULL"

_SILENT = "state = 'sent' AND ask_at IS NOT NULL"

deliveries = Table(
    "deliveries",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    identifier("notification"),
    identifier("message"),
    identifier("contact"),
    identifier("point"),
    word("channel"),
    word("lane"),
    Column("position", Integer, nullable=False),
    identifier("batch"),
    Column("address", String(200), nullable=False),
    Column("place", String(64), nullable=True),
    word("language"),
    Column("fell_back", Boolean, nullable=False),
    Column("neutral", Boolean, nullable=False),
    Column("bare", Boolean, nullable=False),
    Column("directory_version", Integer, nullable=False),
    word("state"),
    word("code", nullable=True),
    Column("detail", Text, nullable=True),
    instant("due_at", nullable=True),
    identifier("owner", nullable=True),
    instant("lease_until", nullable=True),
    Column("attempts", Integer, nullable=False),
    word("provider", nullable=True),
    identifier("provider_id", nullable=True),
    Column("segments", Integer, nullable=True),
    identifier("merged_into", nullable=True),
    instant("expires_at", nullable=True),
    instant("created_at"),
    instant("changed_at"),
    instant("ask_at", nullable=True),
    Index(None, "notification", "state"),
    Index(None, "message"),
    Index(
        "ix_deliveries_provider_id",
        "provider_id",
        postgresql_where=text("provider_id IS NOT NULL"),
        sqlite_where=text("provider_id IS NOT NULL"),
    ),
    Index("ix_deliveries_batch", "batch", postgresql_where=text(_ACTIVE), sqlite_where=text(_ACTIVE)),
    Index("ix_deliveries_due", "school", "lane", "due_at", postgresql_where=text(_ACTIVE), sqlite_where=text(_ACTIVE)),
    Index(
        "ix_deliveries_lease",
        "lease_until",
        postgresql_where=text("state = 'sending'"),
        sqlite_where=text("state = 'sending'"),
    ),
    Index(
        "ix_deliveries_merged",
        "merged_into",
        postgresql_where=text("merged_into IS NOT NULL"),
        sqlite_where=text("merged_into IS NOT NULL"),
    ),
    Index("ix_deliveries_ask", "ask_at", postgresql_where=text(_SILENT), sqlite_where=text(_SILENT)),
)
"""`address` is masked: the address itself is read from the directory at the moment of sending. `neutral` deliveries
name nobody (R29), `bare` ones carry a fixed notice in place of a text that waits for a person (R45). `ask_at` is when
a provider that can be asked is asked next what became of it, while it is `sent`."""

_WAITING = "state IN ('held', 'queued', 'retrying')"

Index(
    "ix_deliveries_waiting",
    deliveries.c.school,
    deliveries.c.lane,
    deliveries.c.directory_version,
    postgresql_where=text(_WAITING),
    sqlite_where=text(_WAITING),
)
"""Finds what has not left and was decided under an older directory (R44)."""

Index(
    "ix_deliveries_spooled",
    deliveries.c.provider,
    deliveries.c.school,
    deliveries.c.directory_version,
    postgresql_where=text("channel = 'letter' AND state = 'sent' AND code IS NULL AND merged_into IS NULL"),
    sqlite_where=text("channel = 'letter' AND state = 'sent' AND code IS NULL AND merged_into IS NULL"),
)
"""Finds letters that can still be taken back: none has its run in `code`."""

turns = Table(
    "turns",
    metadata,
    identifier("school", primary_key=True),
    word("lane", primary_key=True),
    instant("served_at"),
)
"""When a batch of each school was taken last, by lane: schools take turns."""

attempts = Table(
    "attempts",
    metadata,
    identifier("delivery", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    identifier("owner"),
    instant("started_at"),
    instant("answered_at", nullable=True),
    word("outcome", nullable=True),
    word("provider", nullable=True),
    identifier("provider_id", nullable=True),
    word("code", nullable=True),
    Column("detail", Text, nullable=True),
    instant("missed_at", nullable=True),
    Index(
        "ix_attempts_missed",
        "provider_id",
        postgresql_where=text("missed_at IS NOT NULL"),
        sqlite_where=text("missed_at IS NOT NULL"),
    ),
)
"""`missed_at` is when the provider reported that the attempt reached nobody, and another one was planned."""

delivery_events = Table(
    "delivery_events",
    metadata,
    Column("id", SERIAL, primary_key=True),
    identifier("delivery"),
    instant("at"),
    word("state"),
    word("news"),
    Column("detail", Text, nullable=True),
    Index(None, "delivery"),
)
"""What happened to a delivery besides its own attempts: receipts, withdrawals, expiry. Append-only."""

_UNAPPLIED = "applied_at IS NULL"

receipts = Table(
    "receipts",
    metadata,
    word("provider", primary_key=True),
    Column("event_id", String(255), primary_key=True),
    identifier("delivery", nullable=True),
    identifier("provider_id", nullable=True),
    word("status"),
    document(),
    instant("at"),
    instant("received_at"),
    instant("applied_at", nullable=True),
    word("refused", nullable=True),
    instant("look_at", server_default=text("'2000-01-01 00:00:00'")),
    Index("ix_receipts_waiting", "look_at", postgresql_where=text(_UNAPPLIED), sqlite_where=text(_UNAPPLIED)),
    Index(None, "delivery"),
)
"""Every provider event once, with its raw payload. One that no delivery claims yet is parked (`applied_at` empty):
whether one does now is looked at `look_at`, less and less often. `delivery` is what the provider said until it is
applied, and the delivery meant from then on. `refused` says why an event changed nothing at all."""

provider_use = Table(
    "provider_use",
    metadata,
    word("provider", primary_key=True),
    Column("month", String(7), primary_key=True),
    Column("units", Integer, nullable=False),
)
"""What a provider with a budget has accepted in a calendar month: mails, parts of texts, calls, letters."""
