"""Print files: every letter where the printer wants it, tagged in its language, apart from its neighbours."""

# ruff: noqa: RUF001 -- letters of other scripts look like Latin ones to a linter, and are what is tested here

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from channels.base import Envelope, Sheet
from channels.letter_file import make
from channels.letter_jobs import DEADLY, NUMBER, Binding, Job, Separator
from channels.letter_press import PressError, press
from channels.letter_sheet import WORD_JOINER
from channels.letter_spool import SpoolLetters, letter_path
from tests.channels.sending import sent
from tests.channels.test_letter_sheet import LETTER, MM, PAGE_HEIGHT, paragraph

SEPARATOR = Separator(
    title="Print run of 23 November 2026", lines=("Second class", f"Letters: {NUMBER}"), mark="SEALED"
)
URDU = {"language": "ur", "right_to_left": True, "blocks": (paragraph("براہ کرم اسکول سے رابطہ کریں۔"),)}
ARABIC = {"language": "ar", "right_to_left": True, "blocks": (paragraph("يرجى الاتصال بالمدرسة."),)}
POLISH = {"language": "pl", "blocks": (paragraph("Zażółć gęślą jaźń."),)}
LONG = {"size": 20.0, "blocks": tuple(paragraph("A line of a long story. " * 40) for _ in range(3))}
LOOKS: tuple[dict[str, Any], ...] = ({}, URDU, LONG, ARABIC, POLISH, {"sealed": True}, {})


def mixed() -> list[Sheet]:
    """Make letters in several languages and sizes, each for somebody else."""
    return [
        replace(LETTER, address=(f"Parent {number}", f"{number} Weir Street", "Sampleton", "ZZ9 9ZZ"), **look)
        for number, look in enumerate(LOOKS)
    ]


async def spooled(folder: Path, sheets: Sequence[Sheet]) -> tuple[str, ...]:
    """Put letters into a spool; gives their deliveries."""
    channel = SpoolLetters(folder)
    await channel.open()
    deliveries = tuple(f"d{number}" for number in range(len(sheets)))
    pairs = zip(deliveries, sheets, strict=True)
    handovers = await sent(channel, [Envelope(delivery=each, payload=one) for each, one in pairs])
    assert all(handover.accepted for handover in handovers)
    return deliveries


def job(folder: Path, deliveries: Sequence[str], *, duplex: bool = True, name: str = "file.pdf") -> Job:
    """Ask for a file."""
    return Job(
        spool=str(folder),
        path=str(folder / name),
        separators=(SEPARATOR,),
        letters=tuple(deliveries),
        binding=Binding(title="Run 1", language="en", duplex=duplex),
    )


def elements(node: Any) -> Iterator[Any]:
    """Walk the structure tree."""
    node = node.get_object()
    if isinstance(node, list):
        for each in node:
            yield from elements(each)
    elif hasattr(node, "keys"):
        yield node
        if "/K" in node:
            yield from elements(node["/K"])


def in_window(page: Any) -> str:
    """Read what stands wholly inside the envelope's window: 24.6-120 by 39.5-66.3 mm."""
    found: list[tuple[float, str]] = []

    def note(text: str, cm: list[float], tm: list[float], _font: object, size: float) -> None:
        x, base = (tm[4] * cm[0] + cm[4]) / MM, PAGE_HEIGHT - (tm[5] * cm[3] + cm[5]) / MM
        height = abs(size * tm[0] * cm[0]) / MM
        if text.strip() and 24.6 <= x < 120 and base - 0.95 * height >= 39.5 and base + 0.24 * height <= 66.3:
            found.append((base, text.strip()))

    page.extract_text(visitor_text=note)
    return " ".join(text for _, text in found)


@pytest.mark.parametrize("duplex", [True, False])
async def test_each_letter_is_where_the_manifest_says(tmp_path: Path, *, duplex: bool) -> None:
    """Its first page has its address in the window, its last one its last number; none is on another's sheet."""
    sheets = mixed()
    deliveries = await spooled(tmp_path, sheets)
    made = make(job(tmp_path, deliveries, duplex=duplex))
    reader = PdfReader(tmp_path / "file.pdf")
    assert made.failures == ()
    assert made.pages == len(reader.pages)
    assert [place.delivery for place in made.places] == list(deliveries)
    assert [place.pages for place in made.places] == [1, 1, 3, 1, 1, 1, 1]
    taken = set()
    for place, sheet in zip(made.places, sheets, strict=True):
        assert in_window(reader.pages[place.first_page - 1]) == " ".join(sheet.address)
        assert not duplex or place.first_page % 2 == 1
        pages = range(place.first_page - 1, place.first_page - 1 + place.pages)
        for number, page in enumerate(pages, 1):
            assert f"{number}/{place.pages}" in reader.pages[page].extract_text()
            assert reader.page_labels[page].removeprefix(WORD_JOINER) == str(number)
        taken |= set(pages)
    others = [reader.pages[page].extract_text() for page in range(len(reader.pages)) if page not in taken]
    assert len([text for text in others if text]) == 1  # the separator; the others are blank backs
    assert hashlib.sha256((tmp_path / "file.pdf").read_bytes()).hexdigest() == made.sha256
    assert (tmp_path / "file.pdf").stat().st_size == made.size


@pytest.mark.parametrize("duplex", [True, False])
async def test_letters_of_every_length_follow_each_other(tmp_path: Path, *, duplex: bool) -> None:
    """One, two, three or four pages, in every order of two: each begins where its own address stands."""
    lengths = [1, 2, 3, 4]
    pages = [each for pair in product(lengths, repeat=2) for each in pair]
    sheets = [
        replace(LETTER, address=(f"Parent {number}", "1 Weir Street", "ZZ9 9ZZ"), blocks=_story(length))
        for number, length in enumerate(pages)
    ]
    made = make(job(tmp_path, await spooled(tmp_path, sheets), duplex=duplex))
    assert [place.pages for place in made.places] == pages
    reader = PdfReader(tmp_path / "file.pdf")
    for count, (place, sheet) in enumerate(zip(made.places, sheets, strict=True), 1):
        assert in_window(reader.pages[place.first_page - 1]) == " ".join(sheet.address)
        for number in range(1, place.pages + 1):
            # Pages of two families that got mixed up can be told apart.
            text = reader.pages[place.first_page + number - 2].extract_text()
            assert text.strip().endswith(f"{count} \N{MIDDLE DOT} {number}/{place.pages}")


async def test_a_print_file_is_tagged_in_every_language(tmp_path: Path) -> None:
    """PDF/UA-1 with one heading a letter, each part of the tree in its own language; nothing was merged."""
    deliveries = await spooled(tmp_path, mixed())
    make(job(tmp_path, deliveries))
    root = PdfReader(tmp_path / "file.pdf").trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert b"pdfuaid" in root["/Metadata"].get_object().get_data()
    tags = list(elements(root["/StructTreeRoot"]["/K"]))
    assert sum(1 for tag in tags if tag.get("/S") == "/H1") == 1 + len(deliveries)
    assert {str(tag["/Lang"]) for tag in tags if "/Lang" in tag} >= {"en-GB", "ur", "ar", "pl"}
    assert str(root["/Lang"]) == "en"


async def test_nastaliq_stays_nastaliq_between_others(tmp_path: Path) -> None:
    """The letter in Urdu uses its own hand, its neighbours theirs."""
    made = make(job(tmp_path, await spooled(tmp_path, mixed())))
    reader = PdfReader(tmp_path / "file.pdf")

    def fonts(place: Any) -> set[str]:
        page = reader.pages[place.first_page - 1]
        return {str(font.get_object()["/BaseFont"]).partition("+")[2] for font in page["/Resources"]["/Font"].values()}

    assert any("Nastaliq" in font for font in fonts(made.places[1]))
    assert not any("Nastaliq" in font for font in fonts(made.places[0]) | fonts(made.places[3]))
    assert any("Naskh" in font for font in fonts(made.places[3]))


async def test_the_separator_tells_the_printer_and_names_nobody(tmp_path: Path) -> None:
    """What it is, how many letters are really in the file, and that they travel sealed."""
    sheets = [*mixed()[:2], replace(LETTER, blocks=(paragraph("\N{PARTY POPPER}"),))]
    made = make(job(tmp_path, await spooled(tmp_path, sheets)))
    text = PdfReader(tmp_path / "file.pdf").pages[0].extract_text()
    assert "Print run of 23 November 2026" in text
    assert "Letters: 2" in text
    assert "SEALED" in text
    assert "Parent" not in text
    [failure] = made.failures
    assert (failure.delivery, failure.code) == ("d2", "missing-glyph")


async def test_what_cannot_be_printed_is_left_out_and_named(tmp_path: Path) -> None:
    """A lost file, a torn one, one of too many pages: the others are printed all the same."""
    endless = replace(LETTER, blocks=tuple(paragraph("A line of a very long story.\n" * 44) for _ in range(14)))
    deliveries = await spooled(tmp_path, [*mixed()[:2], endless, LETTER, LETTER])
    letter_path(tmp_path, "d3").unlink()
    letter_path(tmp_path, "d4").write_bytes(letter_path(tmp_path, "d4").read_bytes()[:50])
    made = make(job(tmp_path, deliveries))
    assert [place.delivery for place in made.places] == ["d0", "d1"]
    assert {failure.delivery: failure.code for failure in made.failures} == {
        "d2": "letter-too-long",
        "d3": "letter_lost",
        "d4": "letter_lost",
    }


async def test_a_letter_of_an_unknown_form_holds_up_no_other(tmp_path: Path) -> None:
    """Blocks that this release does not know, left by another one: that letter is named, the others are printed."""
    odd = replace(LETTER, blocks=({"kind": "heading", "text": 7}, {"text": []}))
    made = make(job(tmp_path, await spooled(tmp_path, [LETTER, odd])))
    assert [place.delivery for place in made.places] == ["d0"]
    assert [(failure.delivery, failure.code) for failure in made.failures] == [("d1", DEADLY)]


async def test_a_letter_that_keeps_a_worker_for_ever_holds_up_no_other(tmp_path: Path) -> None:
    """Its file, and those behind it, are printed without it; the letter is reported."""
    deliveries = await spooled(tmp_path, mixed())
    _endless(tmp_path, "d2")
    jobs = [job(tmp_path, deliveries, name="first.pdf"), job(tmp_path, ["d1"], name="second.pdf")]
    first, second = await press(jobs, processes=1, patience=3)
    assert [place.delivery for place in first.places] == [each for each in deliveries if each != "d2"]
    assert [(failure.delivery, failure.code) for failure in first.failures] == [("d2", DEADLY)]
    assert "Letters: 6" in PdfReader(tmp_path / "first.pdf").pages[0].extract_text()
    assert [place.delivery for place in second.places] == ["d1"]
    assert _children() == []


async def test_where_nothing_can_be_set_no_letter_is_to_blame(tmp_path: Path) -> None:
    """Every worker dies: it is the machine that lacks something, and all letters wait for the operator."""
    deliveries = await spooled(tmp_path, mixed()[:2])
    for delivery in deliveries:
        _endless(tmp_path, delivery)
    with pytest.raises(PressError, match="too little memory"):
        await press([job(tmp_path, deliveries)], patience=0.5)
    assert _children() == []


async def test_a_file_without_letters_is_no_file(tmp_path: Path) -> None:
    """A separator alone would be a riddle to the printer."""
    made = make(job(tmp_path, ["gone"]))
    assert (made.pages, made.places) == (0, ())
    assert not (tmp_path / "file.pdf").exists()


async def test_the_press_makes_every_file_in_order(tmp_path: Path) -> None:
    """More files than processes: each job has its own answer."""
    deliveries = await spooled(tmp_path, mixed())
    jobs = [job(tmp_path, [each], name=f"{each}.pdf") for each in deliveries]
    made = await press(jobs, processes=2)
    assert [one.places[0].delivery for one in made] == list(deliveries)
    assert all((tmp_path / f"{each}.pdf").is_file() for each in deliveries)


async def test_a_press_that_is_stopped_leaves_no_process(tmp_path: Path) -> None:
    """Told to stop in the middle, it takes its workers along."""
    deliveries = await spooled(tmp_path, mixed())
    jobs = [job(tmp_path, deliveries, name=f"{number}.pdf") for number in range(200)]
    printing = asyncio.ensure_future(press(jobs))
    await asyncio.to_thread(_wait_for_one, tmp_path)
    printing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await printing
    assert len(_files(tmp_path)) < 200
    assert _children() == []


async def test_a_fault_of_the_press_is_told_in_one_sentence(tmp_path: Path) -> None:
    """A folder that is not there is the operator's matter; no letter pays for it."""
    [delivery] = await spooled(tmp_path, [LETTER])
    wrong = replace(job(tmp_path, [delivery]), path=str(tmp_path / "nowhere" / "file.pdf"))
    with pytest.raises(PressError, match="could not be made"):
        await press([wrong])
    assert _children() == []


def _story(pages: int) -> tuple[dict[str, Any], ...]:
    """Write so much that it fills this many pages."""
    return tuple(paragraph("\n".join(["A line of a story."] * lines)) for lines in ([30] + [45] * (pages - 1))[-pages:])


def _endless(folder: Path, delivery: str) -> None:
    """Put a letter into the spool that no process ever comes to the end of."""
    letter_path(folder, delivery).unlink()
    os.mkfifo(letter_path(folder, delivery))


def _files(folder: Path) -> list[Path]:
    return list(folder.glob("*.pdf"))


def _wait_for_one(folder: Path) -> None:
    while not _files(folder):
        time.sleep(0.01)


def _children() -> list[str]:
    """List the processes that this one has started and not heard the end of, but for resource trackers."""
    found = []
    for process in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError):
            command = Path(f"/proc/{process}/cmdline").read_text()
            if "letter_file" in command:
                found.append(process)
    return found
