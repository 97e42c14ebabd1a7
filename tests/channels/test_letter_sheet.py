"""Letters as a printer, a screen reader and a parent see them."""

# ruff: noqa: RUF001 -- letters of other scripts look like Latin ones to a linter, and are what is tested here

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from pypdf import PdfReader

from channels.base import Sheet
from channels.letter_address import check_address
from channels.letter_sheet import LetterError, WindowGeometry, typeset

MM = 72 / 25.4
PAGE_HEIGHT = 297
ADDRESS = ("Anna Sample", "12 Sample Road", "Sampleton", "ZZ9 9ZZ")
SENDER = ("Meadow Primary School", "1 School Lane", "Sampleton", "ZZ9 9ZZ", "020 7946 0123")


def paragraph(text: str, link: str | None = None) -> dict[str, Any]:
    """One block with one run."""
    return {"kind": "paragraph", "text": [{"text": text, "link": link}]}


LETTER = Sheet(
    address=ADDRESS,
    sender=SENDER,
    date="24 November 2026",
    subject="A trip to the museum",
    blocks=(
        paragraph("We are planning a trip."),
        {"kind": "heading", "level": 2, "text": [{"text": "What to bring", "link": None}]},
        {"kind": "bullets", "items": [[{"text": "lunch", "link": None}], [{"text": "a coat", "link": None}]]},
        {"kind": "numbers", "items": [[{"text": "sign", "link": None}], [{"text": "return", "link": None}]]},
        {"kind": "inset", "text": [{"text": "Reply by Friday.", "link": None}]},
        {"kind": "rule"},
    ),
    language="en-GB",
    right_to_left=False,
    size=11,
    sealed=False,
)


def read(sheet: Sheet, geometry: WindowGeometry | None = None) -> PdfReader:
    """Set a letter and open it."""
    return PdfReader(io.BytesIO(typeset(sheet, geometry) if geometry else typeset(sheet)))


def words(sheet: Sheet) -> str:
    """All text of a letter, line ends and directional marks as blanks."""
    text = " ".join(page.extract_text() for page in read(sheet).pages)
    return " ".join("".join(" " if sign in "\u2066\u2068\u2069" else sign for sign in text).split())


def placed(sheet: Sheet, geometry: WindowGeometry | None = None) -> Iterator[tuple[str, float, float, float]]:
    """Every piece of text on page 1 with its place: x, y of its base line in mm from the top left, size in points."""
    found: list[tuple[str, float, float, float]] = []

    def note(text: str, cm: list[float], tm: list[float], _font: object, size: float) -> None:
        if text.strip():
            x = tm[4] * cm[0] + cm[4]
            y = tm[5] * cm[3] + cm[5]
            found.append((text.strip(), x / MM, PAGE_HEIGHT - y / MM, abs(size * tm[0] * cm[0])))

    read(sheet, geometry).pages[0].extract_text(visitor_text=note)
    yield from found


def test_a_letter_says_all_it_was_given() -> None:
    """Address, sender, date, subject and every kind of block are on the paper."""
    text = words(LETTER)
    expected = (*ADDRESS, *SENDER, LETTER.date, LETTER.subject, "We are planning a trip.", "What to bring")
    for part in (*expected, "lunch", "a coat", "sign", "return", "Reply by Friday.", "1/1"):
        assert part in text


@pytest.mark.parametrize("lines", [3, 5, 6, 7])
@pytest.mark.parametrize("language", ["en", "ur"])
def test_the_address_stays_in_the_window(lines: int, language: str) -> None:
    """Each line stands wholly inside 24.6-120 x 39.5-66.3 mm, whatever the letter's direction; and so big as can be."""
    address = tuple(f"Line {number} gjpqy ŚÅ" for number in range(1, lines + 1))
    sheet = replace(LETTER, address=address, language=language, right_to_left=language == "ur")
    inside = [piece for piece in placed(sheet) if 24.6 <= piece[1] < 120 and 30 < piece[2] < 80]
    assert " ".join(text for text, *_ in inside) == " ".join(address)
    for _, _, base, size in inside:
        ascent, descent = 0.95 * size / MM, 0.24 * size / MM
        assert base - ascent >= 39.5
        assert base + descent <= 66.3
        assert size >= 8.8


def test_nothing_else_is_near_the_window() -> None:
    """The sender keeps to the right of 125 mm, the body below 95 mm; the strips around the window are blank."""
    for text, x, base, size in placed(replace(LETTER, size=20)):
        top = base - 0.72 * size / MM  # the height of a capital
        in_window = x >= 24.6 and 39.5 <= base <= 66.3 and text in ADDRESS
        by_the_sender = 125 <= x <= 195 and top >= 5 and base <= 95
        assert in_window or by_the_sender or (x >= 14.9 and top >= 94.9)


def test_the_window_moves_with_the_printer() -> None:
    """Another printer's geometry is a setting."""
    geometry = WindowGeometry(window=(20, 50, 110, 80), body_top=105)
    places = {text: (x, base) for text, x, base, _ in placed(LETTER, geometry)}
    assert places["Anna Sample"][0] == pytest.approx(20, abs=0.3)
    assert 50 < places["Anna Sample"][1] < places["ZZ9 9ZZ"][1] or places["ZZ9 9ZZ"][0] > 120
    assert places[LETTER.date][1] > 105


def test_a_long_address_line_shrinks_until_it_is_unreadable() -> None:
    """Down to 8 points a line is made to fit; beyond that the letter is refused rather than cut."""
    long = replace(LETTER, address=("The Parents and Carers of a Rather Long Double-Barrelled", *ADDRESS[1:]))
    sizes = {size for text, x, _, size in placed(long) if text.startswith("The Parents") and x < 120}
    assert all(8 <= size < 10.5 for size in sizes)
    assert sizes
    with pytest.raises(LetterError) as refused:
        typeset(replace(LETTER, address=("M" * 90, *ADDRESS[1:])))
    assert refused.value.code == "content-outside-printable-area"


def test_a_letter_is_tagged_for_screen_readers() -> None:
    """It has a structure tree, a language, a title, and claims PDF/UA-1."""
    reader = read(replace(LETTER, language="pt-PT"))
    catalogue: Any = reader.trailer["/Root"]
    assert "/StructTreeRoot" in catalogue
    assert catalogue["/MarkInfo"]["/Marked"]
    assert str(catalogue["/Lang"]).casefold() == "pt-pt"
    assert reader.metadata is not None
    assert reader.metadata.title == LETTER.subject
    assert b"pdfuaid:part" in catalogue["/Metadata"].get_object().get_data()


def test_the_same_letter_is_the_same_file() -> None:
    """No date of making gets in, so that a repeated hand-over can be recognised."""
    assert typeset(LETTER) == typeset(LETTER)


def test_large_print_is_larger_and_longer_but_for_the_address() -> None:
    """At 20 points the body grows and flows on; the address keeps its size."""
    story = replace(LETTER, blocks=tuple(paragraph("A sentence of a story that goes on. " * 12) for _ in range(4)))
    large = replace(story, size=20)
    assert len(read(large).pages) > len(read(story).pages)
    assert [size for text, _, _, size in placed(large) if text == LETTER.date] == pytest.approx([20])
    address_size = [size for text, x, _, size in placed(large) if text == "Anna Sample" and x < 120]
    assert address_size == [size for text, x, _, size in placed(story) if text == "Anna Sample" and x < 120]


@pytest.mark.parametrize(
    ("language", "right_to_left", "text", "fonts"),
    [
        ("ur", True, "محترم والدین، اسکول کل بند رہے گا۔", {"NotoNastaliqUrdu-Regular"}),
        ("ar", True, "السادة أولياء الأمور، المدرسة مغلقة غدًا.", {"NotoNaskhArabic-Regular"}),
        ("fa", True, "والدین گرامی، مدرسه فردا تعطیل است؛ پ چ ژ گ.", {"NotoNaskhArabic-Regular"}),
        ("ps", True, "ښوونځی سبا بند دی. ټ ډ ړ ږ ګ ڼ ې ۍ", {"NotoNaskhArabic-Regular"}),
        ("ckb", True, "قوتابخانە سبەی داخراوە. ڕ ڵ ۆ ێ", {"NotoNaskhArabic-Regular"}),
        ("he", True, "הורים יקרים, בית הספר סגור מחר.", {"NotoSansHebrew-Regular"}),
        ("bn", False, "প্রিয় অভিভাবক, আগামীকাল স্কুল বন্ধ থাকবে।", {"NotoSansBengali-Regular"}),
        ("zh-Hans", False, "尊敬的家长：学校明天停课。", {"NotoSansCJKsc-Regular"}),
        ("zh-Hant", False, "尊敬的家長：學校明天停課。", {"NotoSansCJKsc-Regular"}),
        ("pa", False, "ਪਿਆਰੇ ਮਾਪਿਓ, ਸਕੂਲ ਕੱਲ੍ਹ ਬੰਦ ਹੈ।", {"NotoSansGurmukhi-Regular"}),
        ("gu", False, "પ્રિય વાલીઓ, શાળા આવતીકાલે બંધ છે.", {"NotoSansGujarati-Regular"}),
        ("hi", False, "प्रिय अभिभावक, विद्यालय कल बंद रहेगा।", {"NotoSansDevanagari-Regular"}),
        ("ta", False, "அன்பான பெற்றோரே, பள்ளி நாளை மூடப்படும்.", {"NotoSansTamil-Regular"}),
        ("ti", False, "ክቡራት ወለዲ፣ ቤት ትምህርቲ ጽባሕ ዕጹው እዩ።", {"NotoSansEthiopic-Regular"}),
        ("uk", False, "Шановні батьки, школу завтра зачинено: ґ є і ї.", set()),
        ("el", False, "Αγαπητοί γονείς, το σχολείο είναι κλειστό αύριο.", set()),
        ("cy", False, "Annwyl rieni: ŵ ŷ â ê î ô û", set()),
        ("ro", False, "Stimați părinți: ș ț ă â î", set()),
        ("vi", False, "Kính gửi quý phụ huynh, ngày mai trường đóng cửa.", set()),
        ("yo", False, "Ẹ̀yin òbí ọ̀wọ́n, ilé-ìwé máa tì lọ́la.", set()),
        ("so", False, "Waalidiinta sharafta leh, dugsigu berri waa xiran yahay.", set()),
        ("en", False, "To do: ☐ sign → return ✓ ★ • £12.50 €9 “quoted” – …", {"NotoSansSymbols2-Regular"}),
    ],
)
def test_every_script_has_its_font(language: str, *, right_to_left: bool, text: str, fonts: set[str]) -> None:
    """A letter in each script compiles (a missing glyph would refuse it) and uses the font its readers expect."""
    sheet = replace(LETTER, language=language, right_to_left=right_to_left, subject=text, blocks=(paragraph(text),))
    reader = read(sheet)
    fonts_used = {str(font["/BaseFont"]) for page in reader.pages for font in _fonts_of(page)}
    used = {name.split("+")[1].removesuffix("-Identity-H") for name in fonts_used}
    assert used >= fonts | {"NotoSans-Regular"}


def _fonts_of(page: Any) -> Iterator[Any]:
    for font in page["/Resources"]["/Font"].values():
        yield font.get_object()


def test_what_people_type_is_never_code() -> None:
    """Typesetter's code in any value is printed as it stands."""
    code = '#panic("x") $a$ *b* _c_ @d <e> \\f `g` = h // i [j] {k} ~ \''
    sheet = replace(
        LETTER,
        address=("#panic()", "$1$ \\ @x", "<y>", "ZZ9 9ZZ"),
        sender=("#panic()", "*1*"),
        date="#panic()",
        subject=code,
        blocks=(paragraph(code), {"kind": "bullets", "items": [[{"text": code, "link": None}]]}),
    )
    text = words(sheet)
    assert text.count(code) == 3
    assert text.count("#panic()") == 3
    assert "$1$ \\ @x" in text


def test_a_link_is_printed_so_that_paper_can_be_typed_from() -> None:
    """The address follows the words, once; no scheme but a page's, a mailbox's or a telephone's becomes a link."""
    text = words(
        replace(
            LETTER,
            blocks=(
                paragraph("Our page", "https://example.org/a/b"),
                paragraph("https://example.org/c", "https://example.org/c"),
                paragraph("Do not", "javascript:alert(1)"),
            ),
        )
    )
    assert "Our page (example.org/a/b)" in text
    assert text.count("example.org/c") == 1
    assert "javascript" not in text


@pytest.mark.parametrize("link", [None, "https://example.org/" + "a" * 300])
def test_a_long_address_does_not_leave_the_paper(link: str | None) -> None:
    """A run without blanks breaks anywhere rather than be cut off at the edge."""
    sheet = replace(LETTER, size=20, blocks=(paragraph("https://example.org/" + "b" * 300, link), paragraph("c", link)))
    body = [(text, x, size) for text, x, base, size in placed(sheet) if base > 100]
    assert len(body) > 5
    for text, x, size in body:
        assert x + 0.45 * size / MM * len(text) < 200


def test_a_block_may_be_in_another_language() -> None:
    """An Urdu note in an English letter is set as Urdu is."""
    note = paragraph("براہ کرم اسکول سے رابطہ کریں۔") | {"language": "ur", "right_to_left": True}
    reader = read(replace(LETTER, blocks=(note, *LETTER.blocks)))
    assert any("Nastaliq" in str(font["/BaseFont"]) for font in _fonts_of(reader.pages[0]))


@pytest.mark.parametrize("levels", [(2, 2, 1, 2), (1, 3, 1), (2,), (1, 2, 3, 4, 5, 6), (3, 1, 2)])
def test_headings_never_skip_a_level(levels: tuple[int, ...]) -> None:
    """PDF/UA-1 refuses a skipped level, so any order an author chooses must be mapped."""
    blocks = tuple({"kind": "heading", "level": level, "text": [{"text": "Part", "link": None}]} for level in levels)
    assert words(replace(LETTER, blocks=blocks)).count("Part") == len(levels)


def test_a_character_without_a_glyph_refuses_the_letter() -> None:
    """Staff learn which character it is, and nothing of the text around it."""
    with pytest.raises(LetterError) as refused:
        typeset(replace(LETTER, blocks=(paragraph("For Bartholomew \N{PARTY POPPER} only"),)))
    assert refused.value.code == "missing-glyph"
    assert "U+1F389 PARTY POPPER" in refused.value.explanation
    assert "Bartholomew" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_letter_of_more_than_ten_pages_is_refused() -> None:
    """Ten pages are five sheets; more does not fit the envelope."""
    page = "A line of a very long story.\n" * 44
    assert len(read(replace(LETTER, blocks=tuple(paragraph(page) for _ in range(8)))).pages) <= 10
    with pytest.raises(LetterError) as refused:
        typeset(replace(LETTER, blocks=tuple(paragraph(page) for _ in range(14))))
    assert refused.value.code == "letter-too-long"


def test_an_unknown_block_is_refused_without_its_text() -> None:
    """A mistake of ours is an error with a code, never a letter with a hole."""
    with pytest.raises(LetterError) as refused:
        typeset(replace(LETTER, blocks=({"kind": "table", "text": [{"text": "Bartholomew", "link": None}]},)))
    assert refused.value.code == "unable-to-read-the-file"
    assert "Bartholomew" not in str(refused.value)


def test_letters_may_be_set_in_parallel() -> None:
    """Threads do not mix up each other's letters."""
    sheets = [replace(LETTER, address=(f"Person {number}", *ADDRESS[1:])) for number in range(12)]
    alone = [typeset(sheet) for sheet in sheets]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(typeset, sheets)) == alone


@pytest.mark.parametrize(
    ("lines", "country", "problems"),
    [
        (("Anna Sample", "1 Sample Road", "SW1A 1AA"), "GB", []),
        (("Anna Sample", "1 Sample Road", "sw1a1aa"), "GB", []),
        (("Anna Sample", "1 Sample Road", "St Helier", "JE2 3AB"), "JE", []),
        (ADDRESS, "GB", ["not-a-real-uk-postcode-or-country"]),
        (("Anna Sample", "1 Sample Road", "SW1A 1CC"), "GB", ["not-a-real-uk-postcode-or-country"]),
        (("Anna Sample", "Rue 1", "75001 Paris", "France"), "FR", []),
        (("Anna Sample", "Rue 1", "75001 Paris", "Frankreich"), "FR", ["not-a-real-uk-postcode-or-country"]),
        (("Anna Sample", "Rue 1", "75001 Paris", "Germany"), "FR", ["not-a-real-uk-postcode-or-country"]),
        (("Anna Sample", "1 Main Street", "Springfield", "USA"), "US", []),
        (("", " "), "GB", ["address-is-empty"]),
        (("Anna Sample", "SW1A 1AA"), "GB", ["not-enough-address-lines"]),
        (("A", "B", "C", "D", "E", "F", "G", "SW1A 1AA"), "GB", ["too-many-address-lines"]),
        (("Anna Sample", "--", "SW1A 1AA"), "GB", ["invalid-address-line-1-or-2"]),
        (("Anna Sample", "(rear)", "SW1A 1AA"), "GB", ["invalid-char-in-address"]),
        (("Anna Sample", "No fixed abode", "SW1A 1AA"), "GB", ["no-fixed-abode-address"]),
        (("Anna Sample", "NFA", "SW1A 1AA"), "GB", ["no-fixed-abode-address"]),
        (("Cpl Sample", "A Company", "BFPO 105"), "GB", []),
        (("Cpl Sample", "A Company", "BFPO 105", "Germany"), "DE", ["has-country-for-bfpo-address"]),
    ],
)
def test_an_address_is_checked_as_printers_do(lines: tuple[str, ...], country: str, problems: list[str]) -> None:
    """Each rule of the printer has its code."""
    assert check_address(lines, country) == problems


def test_invented_postcodes_pass_for_sample_data_only() -> None:
    """`ZZ9 9ZZ` belongs to nobody: fine in a demonstration, never in the post."""
    assert check_address(ADDRESS, "GB", real_postcodes=False) == []
    assert check_address((*ADDRESS[:3], "12345"), "GB", real_postcodes=False) == ["not-a-real-uk-postcode-or-country"]


def test_a_contract_without_foreign_post_says_so() -> None:
    """Abroad is refused by its own code, and a wrong postcode by the stricter one."""
    abroad = ("Anna Sample", "Rue 1", "75001 Paris", "France")
    assert check_address(abroad, "FR", international=False) == ["cant-send-international-letters"]
    assert check_address(ADDRESS, "GB", international=False) == ["not-a-real-uk-postcode"]
