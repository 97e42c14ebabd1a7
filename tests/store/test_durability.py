"""What was answered 202 outlives a power cut: the database is on the disk with every commit."""

from pathlib import Path

from gateway.store.database import Database


async def test_sqlite_waits_for_the_disk(tmp_path: Path) -> None:
    """On every connection: 2 is FULL; with less, the write-ahead log may lack the last commits after a power cut."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}")
    async with database.reading() as first, database.reading() as second:
        found = [
            ((await each.exec_driver_sql(f"PRAGMA {name}")).scalar_one())
            for each in (first, second)
            for name in ("journal_mode", "synchronous")
        ]
    await database.close()
    assert found == ["wal", 2, "wal", 2]
