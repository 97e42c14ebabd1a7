"""Column types and defaults that behave alike on PostgreSQL and SQLite."""

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Integer, String, Text
from sqlalchemy.types import TypeDecorator

ID_LENGTH = 200

_IDENTIFIER = String(ID_LENGTH).with_variant(String(ID_LENGTH, collation="C"), "postgresql")


class Instant(TypeDecorator[dt.datetime]):
    """An aware instant, always UTC: SQLite would give it back naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002  # the base's signature
        """Refuse naive instants and turn the others into UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone must not reach the database")
        return value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002  # the base's signature
        """Give every instant its time zone back."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=dt.UTC)


LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
"""An instant before every other."""

SERIAL = BigInteger().with_variant(Integer, "sqlite")
"""A growing number; SQLite counts up only in INTEGER columns."""


def identifier(name: str, **options: Any) -> Column[str]:
    """Declare a column that holds an id of ours or of the school's systems, compared byte by byte."""
    return Column(name, _IDENTIFIER, nullable=options.pop("nullable", False), **options)


def word(name: str, **options: Any) -> Column[str]:
    """Declare a column that holds a term of our own vocabulary."""
    return Column(name, String(40), nullable=options.pop("nullable", False), **options)


def document(name: str = "document", **options: Any) -> Column[str]:
    """Declare a column that holds a JSON document, encoded by msgspec."""
    return Column(name, Text, nullable=options.pop("nullable", False), **options)


def instant(name: str, **options: Any) -> Column[dt.datetime]:
    """Declare a column that holds an instant."""
    return Column(name, Instant, nullable=options.pop("nullable", False), **options)
