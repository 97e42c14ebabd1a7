"""Where PostgreSQL's time goes, by statement; the other half of a profile."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.bench.servers import connect
from tests.bench.table import say

LIBRARY = "pg_stat_statements"
_TOP = 15
_LENGTH = 150
_DEAREST = """SELECT total_exec_time / 1000, calls, mean_exec_time, rows, query
              FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT $1"""


@asynccontextmanager
async def dearest_statements(database_url: str) -> AsyncIterator[None]:
    """Print the statements that took longest while the block lasted."""
    connection = await connect(database_url)
    try:
        await connection.execute(f"CREATE EXTENSION IF NOT EXISTS {LIBRARY}")
        await connection.execute("SELECT pg_stat_statements_reset()")
        yield
        say("\nPostgreSQL: seconds, calls, ms each, rows")
        for seconds, calls, each, rows, query in await connection.fetch(_DEAREST, _TOP):
            words = re.sub(r"\s+", " ", query)
            # What is asked of which tables says more than the list of columns.
            words = re.sub(r"^SELECT .*? FROM", "SELECT … FROM", words)
            say(f"  {seconds:7.2f} {calls:7,} {each:9.2f} {rows:9,}  {words[:_LENGTH]}")
    finally:
        await connection.close()
