"""Recognises what an uploaded file is by what is in it, and has the right importer read it."""

import datetime as dt
from collections.abc import Sequence

from gateway.directory import edfi
from gateway.directory.archive import unpack
from gateway.directory.edfi import read_edfi
from gateway.directory.feeds import Disagreement, merge_feeds
from gateway.directory.importing import Import, ImportRefusedError, Note
from gateway.directory.json_rows import parse
from gateway.directory.model import School
from gateway.directory.oneroster import read_oneroster
from gateway.directory.oneroster_tables import MANIFEST, USERS
from gateway.directory.school_data_sync import RELATIONSHIPS, read_school_data_sync
from gateway.directory.wonde import read_wonde

_TAKEN = (
    "Upload a zip of OneRoster CSV files (manifest.csv, users.csv), of School Data Sync v2.1 CSV files "
    "(relationships.csv) or of Ed-Fi JSON files (students.json), or the JSON of Ed-Fi or of Wonde students."
)
_DOCUMENT_KEYS = frozenset({"school", "contact_points", "relationships"})
"""What only our own directory document has; it shares other names with Ed-Fi."""
_ZIP = b"PK"
_JSON = (b"{", b"[")
_MARK = b"\xef\xbb\xbf"


def read_upload(name: str, content: bytes, *, today: dt.date, school: School | None) -> Import:
    """Read an upload of any format that is taken; `school` is the one on record, for formats that do not name theirs.

    Raises ImportRefusedError, with one sentence that lists what is taken when the file is none of it.
    """
    if content.startswith(_ZIP):
        return _read_zip(content, today=today, school=school)
    if content.removeprefix(_MARK).lstrip()[:1] in _JSON:
        return _read_json(content, today=today, school=school)
    if name.lower().endswith(".csv"):
        raise ImportRefusedError(f"One CSV file is not a whole export. {_TAKEN}")
    raise ImportRefusedError(f"The file is of no kind that is taken here. {_TAKEN}")


def _read_zip(content: bytes, *, today: dt.date, school: School | None) -> Import:
    names = set(unpack(content, wanted=()).ignored)
    if RELATIONSHIPS in names and MANIFEST not in names:
        return read_school_data_sync(content, today=today, school=school)
    if names & {MANIFEST, USERS}:
        return read_oneroster(content, today=today)
    if names & {f"{name}.json" for name in edfi.LISTS}:
        return read_edfi(content, today=today, school=school)
    raise ImportRefusedError(f"The zip holds no export that is taken here. {_TAKEN}")


def _read_json(content: bytes, *, today: dt.date, school: School | None) -> Import:
    document = parse(content)
    keys = document.keys() if isinstance(document, dict) else set()
    if keys & _DOCUMENT_KEYS:
        raise ImportRefusedError("This looks like a directory document: put it, school and all, to /v1/directory.")
    if keys & edfi.LISTS:
        return read_edfi(content, today=today, school=school)
    if isinstance(document, list) or "data" in keys:
        return read_wonde(content, today=today, school=school)
    raise ImportRefusedError(f"The JSON is no export that is taken here. {_TAKEN}")


def read_uploads(files: Sequence[tuple[str, bytes]], *, today: dt.date, school: School | None) -> Import:
    """Read one file, or several feeds of one school, which are joined; each is a name and its content.

    Where feeds disagree about a parent the parent is held, and a note says so.
    """
    imports = [read_upload(name, content, today=today, school=school) for name, content in files]
    directory, notes = imports[0].directory, list(imports[0].notes)
    for further in imports[1:]:
        merged = merge_feeds(directory, further.directory)
        directory = merged.directory
        notes += [*further.notes, *(_note(disagreement) for disagreement in merged.disagreements)]
    return Import(
        directory=directory,
        refused=tuple(line for one in imports for line in one.refused),
        notes=tuple(notes),
        mentioned=frozenset().union(*(one.mentioned for one in imports)),
    )


def _note(disagreement: Disagreement) -> Note:
    where = f"{disagreement.entity} {disagreement.id}"
    return Note(file="feeds", sentence=f"{where}: {disagreement.sentence}", field=", ".join(disagreement.fields))
