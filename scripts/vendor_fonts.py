#!/usr/bin/env python3
"""Rebuild `channels/fonts/` from the Noto fonts of Debian 12: copy the small faces, subset the large ones.

Needs fonttools (`pip install fonttools`) and the packages `fonts-noto-core` and `fonts-noto-cjk`.
Usage: python scripts/vendor_fonts.py CORE_FOLDER CJK_COLLECTION
(the folder with `NotoSans-Regular.ttf`, the file `NotoSansCJK-Regular.ttc`).
"""

import shutil
import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection, TTFont

TARGET = Path(__file__).parent.parent / "channels" / "fonts"
FAMILIES = (
    "NotoSans",
    "NotoNaskhArabic",
    "NotoNastaliqUrdu",
    "NotoSansHebrew",
    "NotoSansBengali",
    "NotoSansDevanagari",
    "NotoSansEthiopic",
    "NotoSansGujarati",
    "NotoSansGurmukhi",
    "NotoSansTamil",
)
WEIGHTS = ("Regular", "Bold")
SYMBOLS = (range(0x2190, 0x2200), range(0x2500, 0x2800), range(0x2B00, 0x2C00))
"""Arrows, shapes, ticks and crosses: what people type into lists and forms."""
SIMPLIFIED_CHINESE = 2
"""Place of the Simplified Chinese face in the collection."""
ASCII = range(0x20, 0x7F)
CJK_PUNCTUATION = range(0x3000, 0x3040)
FULL_WIDTH = range(0xFF00, 0xFFF0)


def charset(encoding: str, lead: range) -> set[int]:
    """All code points of a two-byte encoding whose lead byte lies in `lead`."""
    points = set()
    for high in lead:
        for low in range(0x40, 0xFF):
            try:
                points.add(ord(bytes((high, low)).decode(encoding)))
            except UnicodeDecodeError:
                continue
    return points


def chinese() -> set[int]:
    """GB 2312 whole, for Simplified Chinese, and Big5 level 1, for Traditional: 9,700 characters."""
    hanzi = charset("gb2312", range(0xA1, 0xFF)) | charset("big5", range(0xA1, 0xC7))
    return hanzi.union(ASCII, CJK_PUNCTUATION, FULL_WIDTH)


def subset(font: TTFont, points: set[int], features: list[str], target: Path) -> None:
    """Write `font` with these code points only, without hinting, names and licence kept."""
    options = Options()
    options.hinting = False
    options.name_IDs = ["*"]
    options.layout_features = features
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=points)
    subsetter.subset(font)
    font.save(target)


def mark_bold(path: Path) -> None:
    """Let a bold face say that it is bold: this version of Nastaliq calls itself regular (400)."""
    font = TTFont(path)
    font["OS/2"].usWeightClass = 700
    font.save(path)


def main() -> None:
    """Fill the folder of fonts and say what it weighs."""
    core, collection = Path(sys.argv[1]), Path(sys.argv[2])
    TARGET.mkdir(exist_ok=True)
    for family in FAMILIES:
        for weight in WEIGHTS:
            name = f"{family}-{weight}.ttf"
            shutil.copyfile(core / name, TARGET / name)
    mark_bold(TARGET / "NotoNastaliqUrdu-Bold.ttf")
    symbols = {point for block in SYMBOLS for point in block}
    subset(TTFont(core / "NotoSansSymbols2-Regular.ttf"), symbols, [], TARGET / "NotoSansSymbols2-Regular.ttf")
    face = TTCollection(collection, lazy=True).fonts[SIMPLIFIED_CHINESE]
    features = ["ccmp", "kern", "locl", "mark", "mkmk"]
    subset(face, chinese(), features, TARGET / "NotoSansCJKsc-Regular.otf")
    total = sum(file.stat().st_size for file in TARGET.glob("*.?tf"))
    sys.stdout.write(f"{total / 1e6:.1f} MB in {TARGET}\n")


if __name__ == "__main__":
    main()
