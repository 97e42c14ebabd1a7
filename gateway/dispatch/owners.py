"""Who holds claims: a process of a machine, by a name from which others can tell whether it still runs."""

import os
import secrets
import socket

from gateway.store.database import Database
from gateway.store.leases import claim_owners, end_leases


def own_name() -> str:
    """Name this process as the owner of what it claims; no other, nor a later one with its number, has this name."""
    return f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"


async def reclaim_from_the_dead(database: Database) -> None:
    """Take back at once what processes of this machine had claimed when they were killed.

    Their leases would give it back, too, but only after most of a minute. For embedded mode, where all processes
    that use the database run on its machine.
    """
    async with database.writing() as connection:
        owners = [owner for owner in await claim_owners(connection) if _is_dead(owner)]
        await end_leases(connection, owners)


def _is_dead(owner: str) -> bool:
    """Tell whether a claim's owner was a process of this machine that runs no more."""
    host, _, rest = owner.rpartition("/")[0].rpartition("/")
    if host != socket.gethostname() or not rest.isdigit() or int(rest) == os.getpid():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
