"""Letters: a print run from the spool to its folder, beside one compilation each in one process.

As a program, in a process of its own whose memory counts: python -m tests.bench.letters run|single NUMBER
"""

import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from datetime import date
from pathlib import Path

import msgspec

import locales
from channels.base import Envelope, Sheet
from channels.letter_press import LETTERS_A_FILE, press
from channels.letter_sheet import typeset
from channels.letter_spool import SpoolLetters
from gateway.content.catalogues import Catalogues
from gateway.dispatch.print_folder import put_together, read_letters, write_lists
from gateway.dispatch.print_plan import job_of, plan_files
from tests.bench.installation import Servers
from tests.bench.options import Options
from tests.bench.table import Result, say
from tests.bench.usage import memory

SECONDS, MEGABYTES = 60, 500
"""What a run of 10,000 may take, on two cores."""

_BATCH = 200
_SAMPLE_EVERY = 0.05

TEXTS = {
    "en-GB": "We are planning a visit to the museum, and every child needs a packed lunch and a coat. " * 4,
    "ur": "ہم عجائب گھر جانے کا منصوبہ بنا رہے ہیں اور ہر بچے کو کھانا ساتھ لانا ہے " * 4,
    "pl": "Planujemy wycieczkę do muzeum, a każde dziecko potrzebuje drugiego śniadania i kurtki. " * 4,
    "ar": "نخطط لزيارة المتحف ويحتاج كل طفل إلى وجبة غداء ومعطف. " * 4,
}


class Figures(msgspec.Struct):
    """What one process and those it started took."""

    seconds: float
    megabytes: float
    bytes: int


def sheet(number: int) -> Sheet:
    """Write a letter of one page: four languages in turn, a heading, three paragraphs and a list."""
    language = list(TEXTS)[number % len(TEXTS)]

    def run(text: str) -> list[dict[str, object]]:
        return [{"text": text, "link": None}]

    paragraphs = [{"kind": "paragraph", "text": run(TEXTS[language])} for _ in range(3)]
    heading = {"kind": "heading", "level": 2, "text": run("2026")}
    items = {"kind": "bullets", "items": [run("1"), run("2"), run("3")]}
    return Sheet(
        address=(f"Parent {number}", f"{number} Weir Street", "Sampleton", "ZZ9 9ZZ"),
        sender=("Meadow Primary School", "1 School Lane", "Sampleton", "ZZ9 9ZZ"),
        date="23 November 2026",
        subject=f"Letter {number}",
        blocks=({"kind": "paragraph", "text": run(f"{number}")}, heading, *paragraphs, items),
        language=language,
        right_to_left=language in {"ur", "ar"},
        size=11,
        sealed=number % 10 == 0,
    )


class _Watch(threading.Thread):
    """Adds up what this process and its children hold, again and again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        self._over = threading.Event()

    def run(self) -> None:
        """Sample until told that it is over."""
        own = Path("/proc/self/task")
        while not self._over.wait(_SAMPLE_EVERY):
            children = [name for task in own.iterdir() for name in _children(task)]
            total = 0.0
            for process in ["self", *children]:
                with suppress(FileNotFoundError, ProcessLookupError, StopIteration):
                    total += memory(process)  # type: ignore[arg-type]  # a name below /proc
            self.peak = max(self.peak, total)

    def stop(self) -> float:
        """Give the peak in megabytes."""
        self._over.set()
        self.join()
        return self.peak


def _children(task: Path) -> list[str]:
    try:
        return (task / "children").read_text().split()
    except OSError:
        return []


async def print_run(number: int, folder: Path) -> Figures:
    """Spool letters, then print them; the time counts from the closing of the run to its folder's last list."""
    spool = SpoolLetters(folder)
    await spool.open()
    deliveries = [f"d{each:06}" for each in range(number)]
    for start in range(0, number, _BATCH):
        part = deliveries[start : start + _BATCH]
        batch = [Envelope(delivery=each, payload=sheet(start + index)) for index, each in enumerate(part)]
        assert all([handover.accepted async for handover in spool.send(batch)])
    words = Catalogues.from_files(locales.catalogue_files()).phrases("en")
    target = folder / "work"
    await asyncio.to_thread(target.mkdir)
    watch, started = _Watch(), time.perf_counter()
    watch.start()
    letters, lost = read_letters(folder, deliveries)
    files = plan_files(letters, most=LETTERS_A_FILE)
    jobs = [
        job_of(
            file,
            run="bench",
            day=date(2026, 11, 23),
            country="GB",
            words=words,
            duplex=True,
            spool=str(folder),
            folder=str(target),
        )
        for file in files
    ]
    printed = put_together(list(zip(files, await press(jobs), strict=True)), lost, duplex=True)
    write_lists(target, "bench", printed)
    seconds = time.perf_counter() - started
    assert len(printed.rows) == number
    return Figures(seconds, watch.stop(), sum(file["size"] for file in printed.files))


def one_by_one(number: int) -> Figures:
    """Typeset letters in this process, one compilation each."""
    sheets = [sheet(each) for each in range(number)]
    watch, started = _Watch(), time.perf_counter()
    watch.start()
    size = sum(len(typeset(each)) for each in sheets)
    return Figures(time.perf_counter() - started, watch.stop(), size)


def measure(options: Options, running: Servers) -> list[Result]:
    """Print a run of 10,000, and a tenth of it one by one, each in a process of its own."""
    del running
    number = options.size(10_000, quick=60)
    single = max(20, number // 10)
    ours, each = _in_own_process("run", number), _in_own_process("single", single)
    say(f"a run of {number}: {_in_words(ours, number)}")
    say(f"one compilation each, {single}: {_in_words(each, single)}")
    gain = (each.seconds / single) / (ours.seconds / number)
    return [
        Result(
            what="a print run of 10,000 letters",
            figure=ours.seconds * 10_000 / number, unit="s", goal=SECONDS, at_least=False,
            note=f"{number / ours.seconds:,.0f} letters/s",
        ),
        Result(
            what="its memory in all processes together",
            figure=ours.megabytes, unit="MB", goal=MEGABYTES, at_least=False,
        ),
        Result(what="a print run against one compilation each in one process", figure=gain, unit="x", goal=1),
    ]  # fmt: skip


def _in_own_process(kind: str, number: int) -> Figures:
    command = [sys.executable, "-m", "tests.bench.letters", kind, str(number)]
    answer = subprocess.run(command, check=True, capture_output=True)
    return msgspec.json.decode(answer.stdout, type=Figures)


def _in_words(figures: Figures, number: int) -> str:
    return (
        f"{figures.seconds:.1f} s, {number / figures.seconds:,.0f} letters/s, "
        f"{figures.megabytes:.0f} MB, {figures.bytes / number / 1024:.1f} KB a letter"
    )


def main() -> None:
    """Do what the command line says, and print the figures as JSON."""
    kind, number = sys.argv[1], int(sys.argv[2])
    if kind == "single":
        figures = one_by_one(number)
    else:
        with tempfile.TemporaryDirectory() as folder:
            figures = asyncio.run(print_run(number, Path(folder)))
    sys.stdout.buffer.write(msgspec.json.encode(figures))


if __name__ == "__main__":
    main()
