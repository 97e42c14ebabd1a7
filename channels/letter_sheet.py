"""Turn `Sheet`s into a tagged A4 PDF with each address in the envelope's window, one letter or many after another.

The PDF claims PDF/UA-1 (no validator was run). The window geometry is that of GOV.UK Notify's printer; blocks are
mappings with a `kind`: `paragraph`, `inset` (`text`: runs), `heading` (`level` from 1, `text`), `bullets`, `numbers`
(`items`: lists of runs), `rule`. A run is `{"text": str, "link": url or None}`; paper shows the link's address, too.
A block in another language than its letter has `language` and `right_to_left` besides.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import typst

from channels.base import Sheet
from channels.letter_jobs import Binding, Separator

FONTS = Path(__file__).parent / "fonts"
SOURCE = Path(__file__).with_suffix(".typ").read_bytes()
PAGE_LIMIT = 10
"""Five sheets printed on both sides."""
DEEPEST_HEADING = 4
ZERO_WIDTH_SPACE = "\u200b"
WORD_JOINER = "\u2060"
"""Stands before the page labels of every other letter, unseen."""
NASTALIQ = frozenset({"ur", "ks", "pa-arab"})
"""Languages whose readers expect the hanging style, not the level one of Arabic."""
ARABIC = frozenset({"ar", "fa", "ps", "ckb", "sd", "ug"})
CHINESE = frozenset({"zh", "yue", "cmn"})
INDIC = frozenset({"bn", "syl", "as", "hi", "ne", "mr", "gu", "pa", "ta", "he", "yi"})
"""Scripts without capitals, whose letters fill the height of a line; Hebrew is set like them."""
REGION_OF_SCRIPT = {"hans": "CN", "hant": "TW"}
REFUSALS = {
    "letter-too-long": f"The letter has more than {PAGE_LIMIT} pages; shorten it.",
    "content-outside-printable-area": "The address or the sender does not fit its place; shorten its lines.",
    "missing-font": "A font family that letters need is not installed; restore the folder channels/fonts.",
    "unable-to-read-the-file": "The letter could not be set; its blocks are not in the form the typesetter knows.",
}

# Measured, 2 cores: three threads at once are no faster than one, and typst's memory grows without end (0.57 GB after
# 4,200 letters); one after the other it stays below 0.26 GB, from a single thread at 0.14. Use processes for speed.
_one_at_a_time = Lock()
_FORGETFUL = 11
_LONG_RUN = re.compile(r"[!-~]{40,}")
_PIECE = re.compile(r".{1,10}")
_MISSING_GLYPH = re.compile(r'the text `"\\?(.)[^`]*` could not be displayed', re.DOTALL)


class LetterError(Exception):
    """A letter cannot be printed: `code` for machines, `explanation` for staff; neither holds any of its text."""

    def __init__(self, code: str, explanation: str | None = None) -> None:
        """Take the sentence of the code unless a closer one is given."""
        self.code = code
        self.explanation = explanation or REFUSALS[code]
        super().__init__(f"{code}: {self.explanation}")


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowGeometry:
    """Where a printer wants things on page 1: areas as (left, top, right, bottom), all in mm from the top left."""

    window: tuple[float, float, float, float] = (24.6, 39.5, 120, 66.3)
    sender: tuple[float, float, float, float] = (125, 5, 195, 95)
    body_top: float = 95
    margin: float = 15
    paper: str = "a4"
    """As typst names it; the gateway's own runs are A4."""
    address_printed: bool = True
    """False where the print house itself writes the address into the window."""


PRINTER_DEFAULT = WindowGeometry()

US_WINDOW = WindowGeometry(paper="us-letter", address_printed=False)
"""For a print house in the United States that writes the address itself: 15-95 by 21-72 mm stay blank for it."""


def typeset(sheet: Sheet, geometry: WindowGeometry = PRINTER_DEFAULT) -> bytes:
    """Set one letter and return its PDF; raises `LetterError`. Safe to call from several threads, one sets at a time.

    Only the addressee's lines ever stand in the window, so a sealed letter needs nothing more here:
    `sealed` is the printer's matter.
    """
    binding = Binding(title=sheet.subject, language=sheet.language, right_to_left=sheet.right_to_left)
    return typeset_together([sheet], binding, geometry)


def typeset_together(
    parts: Sequence[Sheet | Separator], binding: Binding, geometry: WindowGeometry = PRINTER_DEFAULT
) -> bytes:
    """Set letters and separator sheets one after the other in one tagged PDF; raises `LetterError`, as for one.

    Compiled directly: a PDF merged from single ones would lose their tags. Every part's pages are labelled from 1 on.
    """
    run = {
        "title": binding.title,
        "voice": _voice(binding.language, right_to_left=binding.right_to_left),
        "duplex": binding.duplex,
        "parts": [_letter(part, geometry) if isinstance(part, Sheet) else _separator(part) for part in parts],
    }
    try:
        with _one_at_a_time:
            pdf, warnings = typst.compile_with_warnings(
                SOURCE,
                font_paths=_fonts(),
                sys_inputs={"run": json.dumps(run, ensure_ascii=False)},
                pdf_standards="ua-1",
            )
    except typst.TypstError as error:
        raise _refusal(error) from None  # typst quotes the text it stumbled over: keep it out of tracebacks
    if any("unknown font family" in warning.message for warning in warnings):
        raise LetterError("missing-font")
    return pdf


def forget() -> None:
    """Let typst give back the memory of what it has set.

    It drops what it has not used for ten compilations, so that ten files of 50 letters would stay in memory: 440 MB
    against 134 with this after each file, for half a millisecond a letter (measured).
    """
    with _one_at_a_time:
        for _ in range(_FORGETFUL):
            typst.compile(b"#let nothing = 0", font_paths=_fonts())


def _letter(sheet: Sheet, geometry: WindowGeometry) -> dict[str, Any]:
    voice = _voice(sheet.language, right_to_left=sheet.right_to_left)
    return {
        "kind": "letter",
        "address": sheet.address,
        "sender": sheet.sender,
        "date": sheet.date,
        "subject": sheet.subject,
        "blocks": [_printable(block, voice) for block in _with_level_steps(sheet.blocks)],
        "voice": voice,
        "size": sheet.size,
        "geometry": asdict(geometry),
        "page_limit": PAGE_LIMIT,
    }


def _separator(part: Separator) -> dict[str, Any]:
    return {"kind": "separator", "title": part.title, "lines": part.lines, "mark": part.mark}


@cache
def _fonts() -> typst.Fonts:
    """Scan the vendored fonts once for all letters, and no others."""
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS])


def _voice(tag: str, *, right_to_left: bool) -> dict[str, Any]:
    """Split a BCP-47 tag into what typst takes, and choose the style of setting."""
    language, *rest = tag.lower().split("-")
    region = next((part.upper() for part in rest if len(part) == 2), None)
    script = next((part for part in rest if len(part) == 4), "")
    if language in NASTALIQ or f"{language}-{script}" in NASTALIQ:
        style = "nastaliq"
    else:
        styles = {"arabic": ARABIC, "chinese": CHINESE, "indic": INDIC}
        style = next((style for style, languages in styles.items() if language in languages), "latin")
    region = region or REGION_OF_SCRIPT.get(script)
    return {"lang": language, "region": region, "right_to_left": right_to_left, "style": style}


def _with_level_steps(blocks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Put headings below the subject (level 1) and let none skip a level, as PDF/UA-1 asks."""
    above: list[int] = []
    steps: list[Mapping[str, Any]] = []
    for block in blocks:
        if block["kind"] == "heading":
            above = [level for level in above if level < block["level"]] + [block["level"]]
            steps.append({**block, "level": min(len(above) + 1, DEEPEST_HEADING)})
        else:
            steps.append(block)
    return steps


def _printable(block: Mapping[str, Any], voice: dict[str, Any]) -> dict[str, Any]:
    """Give a block its language and its links the words that paper needs to show them."""
    if "language" in block:
        voice = _voice(block["language"], right_to_left=block["right_to_left"])
    shown = {**block, "voice": voice}
    if "text" in shown:
        shown["text"] = [_printable_run(run) for run in shown["text"]]
    if "items" in shown:
        shown["items"] = [[_printable_run(run) for run in item] for item in shown["items"]]
    return shown


def _printable_run(run: Mapping[str, Any]) -> dict[str, str]:
    """Name the address to print after a link's text: empty when the text already says it, absent without a link."""
    link = run.get("link")
    if not link or not link.startswith(("https://", "http://", "mailto:", "tel:")):
        return {"text": _breakable(run["text"])}
    address = re.sub(r"^(https?://|mailto:|tel:)", "", link).rstrip("/")
    shown = "" if address in run["text"] else _breakable(address)
    return {"text": _breakable(run["text"]), "link": link, "shown": shown}


def _breakable(text: str) -> str:
    """Let a long run without blanks, such as a web address, continue on the next line instead of leaving the paper."""
    return _LONG_RUN.sub(lambda run: ZERO_WIDTH_SPACE.join(_PIECE.findall(run[0])), text)


def _refusal(error: typst.TypstError) -> LetterError:
    """Translate typst's error without repeating the letter's text, but for the one character nobody can print."""
    for code in ("letter-too-long", "content-outside-printable-area"):
        if code in error.message:
            return LetterError(code)
    if missing := _MISSING_GLYPH.search(error.message):
        sign = missing[1]
        name = f"U+{ord(sign):04X} {unicodedata.name(sign, '')}".strip()
        return LetterError("missing-glyph", f"The letter has a character that no installed font can print: {name}.")
    return LetterError("unable-to-read-the-file")
