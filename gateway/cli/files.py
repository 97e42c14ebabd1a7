"""`gateway import`: takes a directory from a file and prints what came of it."""

import asyncio
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.table import Table

from gateway.assembly import utc_now
from gateway.directory.documents import Reading, read_directory, without_problems
from gateway.directory.importing import Import, ImportRefusedError, Note
from gateway.directory.importing import Refused as RefusedLine
from gateway.directory.oneroster import read_oneroster
from gateway.dispatch.roster import Roster, RosterReport
from gateway.rules.documents import sentence_for
from gateway.settings import Settings
from gateway.store.database import Database
from gateway.store.migrate import migrate


async def import_file(settings: Settings, path: Path, *, dry_run: bool, force: bool) -> int:
    """Import a OneRoster archive or a directory document and print the report."""
    reading, lines, notes = await asyncio.to_thread(read_file, path)
    today = utc_now().astimezone(ZoneInfo(reading.directory.school.timezone)).date()
    database = Database(settings.database_url)
    try:
        if settings.sqlite:
            await migrate(database)
        roster = Roster(database, now=utc_now)
        report = await roster.replace(reading, today=today, dry_run=dry_run, force=force, lines=lines, notes=notes)
    finally:
        await database.close()
    print_report(report, Console())
    return 0


def read_file(path: Path) -> tuple[Reading, tuple[RefusedLine, ...], tuple[Note, ...]]:
    """Read an upload: JSON is a directory document, anything else an archive."""
    content = path.read_bytes()
    today = utc_now().date()
    if path.suffix.lower() == ".json":
        try:
            return read_directory(content, today=today), (), ()
        except msgspec.DecodeError as error:
            raise ImportRefusedError(sentence_for(error, "directory"), path.name) from None
    imported: Import = read_oneroster(content, today=today)
    return without_problems(imported.directory, today=today), imported.refused, imported.notes


def print_report(report: RosterReport, console: Console) -> None:
    """Print what changed and every line that was refused."""
    table = Table("", "added", "changed", "ended", title="Dry run: nothing was written" if report.dry_run else None)
    for name, counts in report.entities.items():
        table.add_row(name.replace("_", " "), str(counts.added), str(counts.changed), str(counts.ended))
    console.print(table)
    for refused in report.refused:
        where = f"{refused.file} line {refused.line}" if isinstance(refused, RefusedLine) else refused.entity
        console.print(f"refused: {where}, {refused.field}: {refused.reason}", highlight=False, markup=False)
    for held in report.held:
        console.print(f"held: {held.entity} {held.id}: {held.reason}", highlight=False, markup=False)
    for note in report.notes:
        console.print(f"note: {note.file}: {note.sentence}", highlight=False, markup=False)
