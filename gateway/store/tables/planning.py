"""What was posted, and what was decided about it."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table, Text, text

from gateway.store.columns import document, identifier, instant, word
from gateway.store.tables.schema import metadata

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    identifier("school", primary_key=True),
    word("endpoint", primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    document("answer"),
    instant("created_at"),
)

notifications = Table(
    "notifications",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    word("category"),
    word("purpose"),
    word("lane"),
    word("status"),
    document("request"),
    document("sources"),
    Column("traceparent", String(55), nullable=True),
    document("only_points", nullable=True),
    Column("reference", String(1000), nullable=True),
    identifier("created_by"),
    instant("created_at"),
    instant("send_at"),
    instant("expires_at", nullable=True),
    instant("respond_by", nullable=True),
    identifier("cursor"),
    identifier("owner", nullable=True),
    instant("lease_until", nullable=True),
    instant("planned_at", nullable=True),
    instant("finished_at", nullable=True),
    Index(None, "school", "created_at"),
    Index(
        "ix_notifications_open",
        "send_at",
        postgresql_where=text("status IN ('accepted', 'planning')"),
        sqlite_where=text("status IN ('accepted', 'planning')"),
    ),
)
"""`sources` pins the template versions in every language, so that a later edit changes nothing already posted.
`traceparent` (W3C Trace Context) lets whatever the clock wakes later continue the trace of the request.
`only_points` names the only contact points, each with its place, that a notice of the gateway's own may go to (R37)."""

attachments = Table(
    "attachments",
    metadata,
    identifier("school", primary_key=True),
    identifier("id", primary_key=True),
    Column("name", String(100), nullable=False),
    Column("content_type", String(40), nullable=False),
    Column("size", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("words", Text, nullable=False),
    Column("searchable", Boolean, nullable=False),
    identifier("created_by"),
    instant("created_at"),
)
"""Files that notifications carry, each once. `words` is what the text check reads: name and text inside (R38)."""

notification_students = Table(
    "notification_students",
    metadata,
    identifier("notification", primary_key=True),
    identifier("student", primary_key=True),
)

decisions = Table(
    "decisions",
    metadata,
    identifier("notification", primary_key=True),
    identifier("student", primary_key=True),
    identifier("contact", primary_key=True),
    identifier("school"),
    word("outcome"),
    word("rule"),
    Column("reason", Text, nullable=False),
    identifier("message", nullable=True),
    instant("at"),
    Index(None, "school", "contact", "at"),
    Index(None, "school", "student", "at"),
)

messages = Table(
    "messages",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    identifier("notification"),
    identifier("contact"),
    document("students"),
    document("formats"),
    document("routes"),
    word("mode"),
    Column("step", Integer, nullable=True),
    word("language"),
    instant("not_before", nullable=True),
    instant("acknowledged_at", nullable=True),
    Index(None, "notification"),
)
