"""The folder of a print run: what is in it, and how it is written so that the printer finds it whole or not at all."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from channels.letter_jobs import Failure, Made
from channels.letter_spool import read_letter, sync_folder, write_durably
from gateway.dispatch.print_plan import (
    CHECKSUMS,
    MANIFEST,
    TOTALS,
    Letter,
    PrintFile,
    checksums,
    manifest,
    rows_of,
    totals,
)

LISTS = (TOTALS, CHECKSUMS, MANIFEST)
"""In the order in which they are uploaded: whoever finds the manifest finds all."""

_LOST = "The letter is no longer in the spool, so it cannot be printed."


@dataclass(frozen=True, kw_only=True)
class Printed:
    """What a run has come to."""

    files: list[dict[str, Any]]
    """Each with `name`, `letters`, `pages`, `size` and `sha256`."""
    rows: list[dict[str, Any]]
    """Letters by the columns of the manifest."""
    failures: list[Failure]


def read_letters(spool: Path, deliveries: Sequence[str]) -> tuple[list[Letter], list[Failure]]:
    """Read the classes of letters off the spool; those that are lost cannot be printed."""
    letters: list[Letter] = []
    lost: list[Failure] = []
    for delivery in deliveries:
        sheet = read_letter(spool, delivery)
        if sheet is None:
            lost.append(Failure(delivery=delivery, code="letter_lost", explanation=_LOST))
        else:
            letters.append(Letter.of(delivery, sheet))
    return letters, lost


def put_together(made: Sequence[tuple[PrintFile, Made]], lost: Sequence[Failure], *, duplex: bool) -> Printed:
    """Put together what the press says of each file; one without letters is not there."""
    return Printed(
        files=[
            {"name": file.name, "letters": len(one.places), "pages": one.pages, "size": one.size, "sha256": one.sha256}
            for file, one in made
            if one.pages
        ],
        rows=[row for file, one in made for row in rows_of(file, one, duplex=duplex)],
        failures=[*lost, *(failure for _, one in made for failure in one.failures)],
    )


def write_lists(folder: Path, run: str, printed: Printed) -> None:
    """Write manifest, totals and checksums beside the files; raises OSError."""
    digests = {file["name"]: str(file["sha256"]) for file in printed.files}
    for name, content in ((MANIFEST, manifest(printed.rows)), (TOTALS, totals(run, printed.files, printed.rows))):
        write_durably(folder / name, content)
        digests[name] = hashlib.sha256(content).hexdigest()
    write_durably(folder / CHECKSUMS, checksums(digests))
    sync_folder(folder)


def publish(work: Path, final: Path) -> bool:
    """Give a folder its place, at once and whole; harmless when repeated; False when it is nowhere. Raises OSError."""
    if not final.exists():
        if not work.exists():
            return False
        final.parent.mkdir(exist_ok=True)
        work.rename(final)
        sync_folder(final.parent)
    return True


def clear_work(work: Path, run: str) -> None:
    """Remove what workers that died in the middle of a run have left."""
    for folder in work.glob(f"{run}.*"):
        shutil.rmtree(folder, ignore_errors=True)
