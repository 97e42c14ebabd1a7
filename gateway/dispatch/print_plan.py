"""What a print run is made of: which letters share a file, what its sheets and lists say. Pure."""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec
from babel.dates import format_date

from channels.base import Sheet
from channels.letter_jobs import NUMBER, Binding, Job, Made, Place, Separator
from gateway.content.languages import direction, locale_of
from gateway.content.phrases import Phrases
from gateway.rules.postage import Postage

MANIFEST = "manifest.csv"
TOTALS = "totals.json"
CHECKSUMS = "SHA256SUMS"

_COLUMNS = ("delivery", "file", "first_page", "pages", "sheets", "postage", "sealed", "country")


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class LetterClass:
    """Letters that a printer treats alike."""

    postage: Postage
    sealed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """What decides about a letter's place in a run."""

    delivery: str
    postage: Postage
    sealed: bool
    country: str
    language: str

    @classmethod
    def of(cls, delivery: str, sheet: Sheet) -> "Letter":
        """Read it off the letter itself."""
        return cls(
            delivery=delivery,
            postage=Postage(sheet.postage),
            sealed=sheet.sealed,
            country=sheet.country,
            language=sheet.language,
        )

    @property
    def kind(self) -> LetterClass:
        """Its class."""
        return LetterClass(postage=self.postage, sealed=self.sealed)


@dataclass(frozen=True, kw_only=True, slots=True)
class PrintFile:
    """One file of a run."""

    name: str
    kind: LetterClass
    number: int
    of: int
    """How many files its class has."""
    letters: tuple[Letter, ...]


def plan_files(letters: Iterable[Letter], *, most: int) -> list[PrintFile]:
    """Divide letters into files of one class each; the same letters give the same files, whoever asks.

    Languages stay together: a file then needs few fonts.
    """
    ordered = sorted(letters, key=lambda letter: (letter.kind, letter.language, letter.delivery))
    files: list[PrintFile] = []
    for kind, group in groupby(ordered, key=lambda letter: letter.kind):
        of_kind = list(group)
        parts = [tuple(of_kind[start : start + most]) for start in range(0, len(of_kind), most)]
        mark = "-sealed" if kind.sealed else ""
        files += [
            PrintFile(
                name=f"{kind.postage}{mark}-{number:04}.pdf", kind=kind, number=number, of=len(parts), letters=part
            )
            for number, part in enumerate(parts, 1)
        ]
    return files


def job_of(
    file: PrintFile, *, run: str, day: dt.date, country: str, words: Phrases, duplex: bool, spool: str, folder: str
) -> Job:
    """Say how a file is set; its first sheet speaks the school's language."""
    date = format_date(day, "long", locale=locale_of(words.language, country))
    title = words.print_run(date)
    lines = (
        run,
        words.postage(file.kind.postage),
        words.print_file(str(file.number), str(file.of)),
        words.print_letters(NUMBER),
        words.print_sides(duplex=duplex),
    )
    mark = words.print_sealed() if file.kind.sealed else None
    return Job(
        spool=spool,
        path=f"{folder}/{file.name}",
        separators=(Separator(title=title, lines=lines, mark=mark),),
        letters=tuple(letter.delivery for letter in file.letters),
        binding=Binding(
            title=f"{title}: {file.name}",
            language=words.language,
            right_to_left=direction(words.language) == "rtl",
            duplex=duplex,
        ),
    )


def sheets_of(pages: int, *, duplex: bool) -> int:
    """Count the sheets of paper that pages take."""
    return (pages + 1) // 2 if duplex else pages


def rows_of(file: PrintFile, made: Made, *, duplex: bool) -> list[dict[str, object]]:
    """List where each printed letter of a file is, by the names of the manifest's columns."""
    places: Mapping[str, Place] = {place.delivery: place for place in made.places}
    return [
        {
            "delivery": letter.delivery,
            "file": file.name,
            "first_page": place.first_page,
            "pages": place.pages,
            "sheets": sheets_of(place.pages, duplex=duplex),
            "postage": letter.postage.value,
            "sealed": letter.sealed,
            "country": letter.country,
        }
        for letter in file.letters
        if (place := places.get(letter.delivery)) is not None
    ]


def manifest(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Write the list of all letters as CSV (RFC 4180): ids, places and classes; no name, address or text."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        cells = [row[name] for name in _COLUMNS]
        writer.writerow(["yes" if cell is True else "no" if cell is False else cell for cell in cells])
    return lines.getvalue().encode()


def totals(run: str, files: Sequence[Mapping[str, object]], rows: Sequence[Mapping[str, object]]) -> bytes:
    """Write the sums by class, for whoever counts the envelopes."""
    counted: dict[str, dict[str, int]] = {}
    for row in rows:
        name = f"{row['postage']}{'-sealed' if row['sealed'] else ''}"
        sums = counted.setdefault(name, {"letters": 0, "sheets": 0})
        sums["letters"] += 1
        sums["sheets"] += int(str(row["sheets"]))
    document = {"run": run, "letters": len(rows), "files": len(files), "classes": dict(sorted(counted.items()))}
    return msgspec.json.format(msgspec.json.encode(document))


def checksums(digests: Mapping[str, str]) -> bytes:
    """Write checksums as `sha256sum --check` reads them."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()
