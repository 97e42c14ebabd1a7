"""What belongs to the installation as a whole."""

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from gateway.store.database import Database
from gateway.store.tables import installation


async def keep_secret(database: Database, name: str, proposal: str) -> str:
    """Give the secret on record; the first process to ask makes its proposal the installation's."""
    query = select(installation.c.value).where(installation.c.name == name)
    async with database.reading() as connection:
        known = (await connection.execute(query)).scalar_one_or_none()
    if known is not None:
        return str(known)
    try:
        async with database.writing() as connection:
            await connection.execute(insert(installation).values(name=name, value=proposal))
    except IntegrityError:
        async with database.reading() as connection:
            return str((await connection.execute(query)).scalar_one())
    return proposal
