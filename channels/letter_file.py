"""Sets one file of a print run: a separator sheet and some fifty letters in one tagged PDF.

Run as a program it is a worker of the press: one job a line on standard input, one answer a line on standard output,
until the input ends, be it by the death of whoever started it.
"""

import hashlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
from pypdf import PdfReader

from channels.base import Sheet
from channels.letter_jobs import DEADLY, FAILS_AT_IT, NUMBER, Failure, Job, Made, Place
from channels.letter_sheet import WORD_JOINER, LetterError, forget, typeset, typeset_together
from channels.letter_spool import read_letter, write_durably

LOST = "The letter is no longer in the spool, so it cannot be printed."
NOBODYS_FAULT = frozenset({"missing-font"})
"""Faults of the installation, which no letter must pay for."""

_AT_FAULT = (LetterError, LookupError, TypeError, ValueError, AttributeError)
"""What a letter raises that cannot be set, also one whose blocks have a form that this release does not know."""


def make(job: Job) -> Made:
    """Set the letters of a job; one that cannot be set is left out and reported."""
    sheets = {delivery: read_letter(Path(job.spool), delivery) for delivery in job.letters}
    failures = [
        Failure(delivery=key, code="letter_lost", explanation=LOST) for key, sheet in sheets.items() if sheet is None
    ]
    readable = {delivery: sheet for delivery, sheet in sheets.items() if sheet is not None}
    try:
        pdf = _set(job, readable, failures)
    except LetterError as error:
        return Made(fault=error.explanation)
    if pdf is None:
        return Made(failures=tuple(failures))
    labels = [label.removeprefix(WORD_JOINER) for label in PdfReader(io.BytesIO(pdf)).page_labels]
    write_durably(Path(job.path), pdf)
    return Made(
        places=tuple(_places(list(readable), labels)),
        failures=tuple(failures),
        pages=len(labels),
        size=len(pdf),
        sha256=hashlib.sha256(pdf).hexdigest(),
    )


def _set(job: Job, sheets: dict[str, Sheet], failures: list[Failure]) -> bytes | None:
    """Set what can be set: `sheets` loses the others, and `failures` gains them."""
    if not sheets:
        return None
    try:
        return _together(job, sheets)
    except _AT_FAULT as error:
        if getattr(error, "code", None) in NOBODYS_FAULT:
            raise
    for delivery, sheet in list(sheets.items()):
        try:
            typeset(sheet)
        except _AT_FAULT as error:
            del sheets[delivery]
            known = error if isinstance(error, LetterError) else LetterError(DEADLY, FAILS_AT_IT)
            failures.append(Failure(delivery=delivery, code=known.code, explanation=known.explanation))
    return _together(job, sheets) if sheets else None


def _together(job: Job, sheets: Mapping[str, Sheet]) -> bytes:
    separators = [
        replace(part, lines=tuple(line.replace(NUMBER, str(len(sheets))) for line in part.lines))
        for part in job.separators
    ]
    return typeset_together((*separators, *sheets.values()), job.binding)


def _places(deliveries: Sequence[str], labels: Sequence[str]) -> list[Place]:
    """Find each letter by the labels of its pages: 1, 2, …; separators have Roman ones, blank backs none."""
    starts = [index for index, label in enumerate(labels) if label == "1"]
    if len(starts) != len(deliveries):
        raise RuntimeError("the pages of a print file do not tell where its letters begin")
    places = []
    for delivery, start, end in zip(deliveries, starts, [*starts[1:], len(labels)], strict=True):
        pages = [label for label in labels[start:end] if label]
        if pages != [str(number) for number in range(1, len(pages) + 1)]:
            raise RuntimeError("the pages of a letter in a print file are not in order")
        places.append(Place(delivery=delivery, first_page=start + 1, pages=len(pages)))
    return places


def main() -> None:
    """Answer jobs until there are no more."""
    os.nice(10)  # whoever waits for a print run can wait for an alert to leave first
    decoder = msgspec.json.Decoder(Job)
    for line in sys.stdin.buffer:
        try:
            made = make(decoder.decode(line))
        except Exception as error:  # noqa: BLE001  # the press must hear of it, in words that quote no letter
            made = Made(fault=f"A print file could not be made ({type(error).__name__}).")
        sys.stdout.buffer.write(msgspec.json.encode(made) + b"\n")
        sys.stdout.buffer.flush()
        forget()


if __name__ == "__main__":
    main()
