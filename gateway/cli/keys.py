"""`gateway keys`: makes API keys, lists them and ends them."""

import contextlib
import sys
from collections.abc import AsyncIterator, Sequence

from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import Scope, make_key
from gateway.assembly import utc_now
from gateway.settings import Settings, SettingsError
from gateway.store import keys
from gateway.store.database import Database
from gateway.store.migrate import migrate

MOST_IN_A_NAME = 100

_WIDTH = 140


async def create_key(settings: Settings, name: str, scopes: Sequence[Scope], *, school: str | None) -> int:
    """Make a key and print it alone on stdout; raises `SettingsError` for a name that a list could not show."""
    if not name.strip() or not name.isprintable() or len(name) > MOST_IN_A_NAME:
        raise SettingsError(
            f"A key's name has 1 to {MOST_IN_A_NAME} characters, and no control characters: choose another one."
        )
    key = make_key()
    async with _writing(settings) as connection:
        await keys.add_key(connection, key, name=name, scopes=scopes, school=school, at=utc_now())
    print(key.text)  # noqa: T201  # the contract: the key alone on stdout
    return 0


async def list_keys(settings: Settings) -> int:
    """Print every key without its secret, which is on record nowhere."""
    async with _writing(settings) as connection:
        rows = await keys.list_keys(connection)
    table = Table("id", "name", "scopes", "school", "made", "revoked", box=None)
    for row in rows:
        ended = f"{row.revoked_at:%Y-%m-%d %H:%M}" if row.revoked_at is not None else "-"
        # The database holds what earlier releases took: a name must not move the cursor.
        name = "".join(sign if sign.isprintable() else "?" for sign in row.name)
        table.add_row(row.id, name, row.scopes, row.school or "-", f"{row.created_at:%Y-%m-%d %H:%M}", ended)
    Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False, markup=False).print(table)
    return 0


async def revoke_keys(settings: Settings, ids: Sequence[str]) -> int:
    """End keys; says in one sentence for each id whether it did."""
    async with _writing(settings) as connection:
        ended = {key: await keys.revoke_key(connection, key, at=utc_now()) for key in dict.fromkeys(ids)}
    for key, done in ended.items():
        if done:
            print(f"{key} is revoked.")  # noqa: T201  # the command line's own voice
        else:
            complaint = f"gateway: {_shown(key)} is no live key's id: see gateway keys list."
            print(complaint, file=sys.stderr)  # noqa: T201  # the same
    return 0 if all(ended.values()) else 1


def _shown(text: str) -> str:
    """Repeat an id, but never a whole key that was given in its place."""
    return text if len(text) <= 12 and text.isprintable() else "What was given"


@contextlib.asynccontextmanager
async def _writing(settings: Settings) -> AsyncIterator[AsyncConnection]:
    database = Database(settings.database_url)
    try:
        if settings.sqlite:
            await migrate(database)
        async with database.writing() as connection:
            yield connection
    finally:
        await database.close()
