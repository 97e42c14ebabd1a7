"""What belongs to the installation and to a school as such: what they set, their keys and templates."""

from sqlalchemy import Column, Integer, String, Table, Text

from gateway.store.columns import document, identifier, instant, word
from gateway.store.tables.schema import metadata

installation = Table(
    "installation",
    metadata,
    word("name", primary_key=True),
    Column("value", Text, nullable=False),
)
"""What belongs to the installation as a whole, such as the key that signs links."""

policies = Table(
    "policies",
    metadata,
    identifier("school", primary_key=True),
    document(),
    identifier("changed_by"),
    instant("changed_at"),
)
"""What a school has set of the values marked [set] in the recipient rules: only what differs from the defaults."""

api_keys = Table(
    "api_keys",
    metadata,
    identifier("id", primary_key=True),
    identifier("school", nullable=True),
    Column("name", String(200), nullable=False),
    Column("scopes", String(200), nullable=False),
    Column("secret_hash", String(64), nullable=False),
    instant("created_at"),
    instant("revoked_at", nullable=True),
)

templates = Table(
    "templates",
    metadata,
    identifier("school", primary_key=True),
    identifier("name", primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    document(),
    word("status"),
    identifier("author"),
    identifier("approved_by", nullable=True),
    instant("created_at"),
)
