"""Alembic's entry: runs migrations on the connection that the store hands over."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, text

from gateway.store.columns import Instant
from gateway.store.tables import metadata

LOCK_TIMEOUT = "4s"
STATEMENT_TIMEOUT = "60s"
"""A migration that cannot get its lock gives up instead of queueing everybody behind it."""


def run(connection: Connection) -> None:
    """Migrate."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        render_item=_written,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _written(kind: str, item: Any, _autogenerate: Any) -> str | Literal[False]:
    """Write column types as what they are in the database: a migration must not change with our code."""
    if kind == "type" and isinstance(item, Instant):
        return "sa.DateTime(timezone=True)"
    return False


run(context.config.attributes["connection"])
