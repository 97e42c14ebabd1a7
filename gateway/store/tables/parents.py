"""What parents do, wish and write back."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from gateway.store.columns import SERIAL, identifier, instant, word
from gateway.store.tables.schema import metadata

document_openings = Table(
    "document_openings",
    metadata,
    Column("id", SERIAL, primary_key=True),
    identifier("school"),
    identifier("contact"),
    identifier("delivery"),
    instant("at"),
    word("outcome"),
    Index(None, "delivery", "at"),
    Index(None, "school", "contact", "at"),
)
"""Append-only: every time a secure page was opened, and every identity check that failed (R41)."""

wishes = Table(
    "wishes",
    metadata,
    identifier("school", primary_key=True),
    identifier("contact", primary_key=True),
    word("category", primary_key=True),
    Column("opted_out", Boolean, nullable=False),
    instant("at"),
    word("origin"),
)
"""What contacts told us themselves (R21): kept apart from the directory, so that no import takes it back."""

consent_answers = Table(
    "consent_answers",
    metadata,
    Column("id", SERIAL, primary_key=True),
    identifier("school"),
    identifier("notification"),
    identifier("student"),
    identifier("contact"),
    word("answer"),
    identifier("delivery", nullable=True),
    word("origin"),
    identifier("taken_by", nullable=True),
    Column("note", Text, nullable=True),
    instant("at"),
    Index(None, "notification", "student"),
)
"""Append-only: every answer to a question of consent (R14). `delivery` is the one whose page was answered, `taken_by`
the key of whoever took the answer by telephone or on paper."""

replies = Table(
    "replies",
    metadata,
    identifier("id", primary_key=True),
    identifier("school"),
    identifier("notification", nullable=True),
    identifier("message", nullable=True),
    identifier("contact", nullable=True),
    identifier("delivery", nullable=True),
    word("thread", nullable=True),
    word("channel"),
    Column("writer", String(320), nullable=False),
    Column("genuine_sender", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Column("cut", Boolean, nullable=False),
    word("provider"),
    Column("event_id", String(255), nullable=False),
    instant("at"),
    instant("received_at"),
    instant("answered_at", nullable=True),
    identifier("handled_by", nullable=True),
    Index(None, "provider", "event_id", unique=True),
    Index(None, "school", "id"),
    Index(None, "notification", "contact"),
    Index(None, "delivery", "received_at"),
)
"""What people write to the school (R40), for staff alone. Without a contact nobody knows who wrote. `genuine_sender`
tells whether it came from an address of the contact's own: a mail that was forwarded may be answered by anybody.
A reply's task has the same id; `answered_at` and `handled_by` say when it was done, and by whose key."""

reply_enclosures = Table(
    "reply_enclosures",
    metadata,
    identifier("reply", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String(255), nullable=False),
    Column("content_type", String(255), nullable=False),
    Column("size", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""Files sent along with a reply, as they came: nobody has looked whether they do harm."""

text_wishes = Table(
    "text_wishes",
    metadata,
    word("provider", primary_key=True),
    Column("event_id", String(255), primary_key=True),
    Column("number", String(40), nullable=False),
    word("wish"),
    word("category", nullable=True),
    instant("at"),
    Column("answered", Boolean, nullable=False),
    Index(None, "number", "at"),
)
"""Every text of one word, such as STOP, once (R33, R21): so none counts twice, and machines that answer each other come
to an end. `answered` tells whether the number was to be texted back."""
