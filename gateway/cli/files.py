"""`gateway import`: takes a directory from a file and prints what came of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.table import Table

from gateway.assembly import LIBRARY, utc_now
from gateway.directory.documents import Reading, RestrictionsRefusedError, read_directory, without_problems
from gateway.directory.importing import ImportRefusedError, Note
from gateway.directory.importing import Refused as RefusedLine
from gateway.directory.json_rows import parse
from gateway.directory.model import School
from gateway.directory.uploads import read_uploads
from gateway.directory.validation import is_zone
from gateway.dispatch.built_in import read_library
from gateway.dispatch.library import Library
from gateway.dispatch.roster import Roster, RosterReport
from gateway.rules.documents import sentence_for
from gateway.settings import Settings
from gateway.store.database import Database
from gateway.store.migrate import migrate
from gateway.store.people import load_school, only_school


async def import_files(settings: Settings, paths: Sequence[Path], *, dry_run: bool, force: bool) -> int:
    """Import a directory document, or the exports of one or more systems of a school, and print the report."""
    database = Database(settings.database_url)
    try:
        if settings.sqlite:
            await migrate(database)
        reading, lines, notes = await asyncio.to_thread(read_files, paths, await _school_on_record(database))
        if not is_zone(reading.directory.school.timezone):
            raise ImportRefusedError("school.timezone is not known: use one such as Europe/London.")
        today = utc_now().astimezone(ZoneInfo(reading.directory.school.timezone)).date()
        roster = Roster(database, Library(read_library(LIBRARY)), now=utc_now)
        report = await roster.replace(reading, today=today, dry_run=dry_run, force=force, lines=lines, notes=notes)
    finally:
        await database.close()
    print_report(report, Console())
    return 0


async def _school_on_record(database: Database) -> School | None:
    """Give the installation's school, for formats that do not say whose they are; None before the first directory."""
    async with database.reading() as connection:
        name = await only_school(connection)
        found = await load_school(connection, name) if name else None
    return found[0] if found else None


def read_files(
    paths: Sequence[Path], school: School | None
) -> tuple[Reading, tuple[RefusedLine, ...], tuple[Note, ...]]:
    """Read uploads: a single JSON object with a school is a directory document, all else are exports."""
    files = [(path.name, path.read_bytes()) for path in paths]
    today = utc_now().date()
    if len(files) == 1 and _is_document(paths[0], files[0][1]):
        try:
            return read_directory(files[0][1], today=today), (), ()
        except RestrictionsRefusedError as error:
            raise ImportRefusedError(str(error), paths[0].name) from None
        except msgspec.DecodeError as error:
            raise ImportRefusedError(sentence_for(error, "directory"), paths[0].name) from None
    imported = read_uploads(files, today=today, school=school)
    reading = without_problems(imported.directory, today=today, mentioned=imported.mentioned)
    return reading, imported.refused, imported.notes


def _is_document(path: Path, content: bytes) -> bool:
    if path.suffix.lower() != ".json":
        return False
    document = parse(content, file=path.name)
    return isinstance(document, dict) and "school" in document


def print_report(report: RosterReport, console: Console) -> None:
    """Print what changed and every line that was refused."""
    table = Table("", "added", "changed", "ended", title="Dry run: nothing was written" if report.dry_run else None)
    for name, counts in report.entities.items():
        table.add_row(name.replace("_", " "), str(counts.added), str(counts.changed), str(counts.ended))
    console.print(table)
    for refused in report.refused:
        if isinstance(refused, RefusedLine):
            where = f"{refused.file} line {refused.line}"
        else:
            where = f"{refused.entity} {refused.id}"
        console.print(f"refused: {where}, {refused.field}: {refused.reason}", highlight=False, markup=False)
    for held in report.held:
        console.print(f"held: {held.entity} {held.id}: {held.reason}", highlight=False, markup=False)
    for note in report.notes:
        console.print(f"note: {note.file}: {note.sentence}", highlight=False, markup=False)
