"""What a text message costs, and how typography is kept from making it dearer."""

# ruff: noqa: RUF001 - letters and marks of other scripts are what these tests are about

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms_segments import Encoding, Segments, count, smart

GSM, UCS = Encoding.GSM7, Encoding.UCS2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments(GSM, 0, 0)),
        ("a", Segments(GSM, 1, 1)),
        ("a" * 160, Segments(GSM, 160, 1)),
        ("a" * 161, Segments(GSM, 161, 2)),
        ("a" * 306, Segments(GSM, 306, 2)),
        ("a" * 307, Segments(GSM, 307, 3)),
        ("a" * 918, Segments(GSM, 918, 6)),
        ("@£$¥èéùìòÇØøÅåÆæßÉÄÖÑÜ§¿äöñüàΔΩ\n", Segments(GSM, 32, 1)),
        ("€" * 80, Segments(GSM, 160, 1)),
        ("a" + "€" * 80, Segments(GSM, 161, 2)),
        ("^{}\\[~]|€\f", Segments(GSM, 20, 1)),
        ("a" * 152 + "€" * 7, Segments(GSM, 166, 2)),
        ("a" * 152 + "€" + "a" * 152, Segments(GSM, 306, 3)),  # the escape pair moves whole to the second part
        ("ê", Segments(UCS, 1, 1)),
        ("ж" * 70, Segments(UCS, 70, 1)),
        ("ж" * 71, Segments(UCS, 71, 2)),
        ("ж" * 134, Segments(UCS, 134, 2)),
        ("ж" * 135, Segments(UCS, 135, 3)),
        ("😀" * 35, Segments(UCS, 70, 1)),
        ("😀" * 36, Segments(UCS, 72, 2)),
        ("ж" * 66 + "😀" + "ж" * 66, Segments(UCS, 134, 3)),  # the surrogate pair moves whole to the second part
        ("€ж", Segments(UCS, 2, 1)),
    ],
)
def test_counting(text: str, expected: Segments) -> None:
    """Units and parts follow the alphabets, and no pair is split over two parts."""
    assert count(text) == expected


@given(st.text(alphabet=st.sampled_from("a€ж😀"), max_size=400))
def test_parts_against_cutting(text: str) -> None:
    """The count equals what cutting the message into parts gives."""
    gsm = not set(text) & set("ж😀")
    single, joined = (160, 153) if gsm else (70, 67)
    double = "€" if gsm else "😀"
    sizes = [2 if character in double else 1 for character in text]
    parts: list[int] = [0] if sizes else []
    for size in sizes:
        if sum(sizes) > single and parts[-1] + size > joined:
            parts.append(0)
        parts[-1] += size
    assert count(text) == (GSM if gsm else UCS, sum(sizes), len(parts))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("‘It’s’ “fine” – now…", "'It's' \"fine\" - now..."),
        ("15:30\u00a0Uhr, 3:30\u202fPM", "15:30 Uhr, 3:30 PM"),
        ("Café – Ñandú", "Café – Ñandú"),  # ú is not in the alphabet: nothing would be saved
        ("Café – Ñoño", "Café - Ñoño"),
        ("“Привіт”", "“Привіт”"),
        ("naïve", "naïve"),
        ("plain", "plain"),
    ],
)
def test_typography(text: str, plain: str) -> None:
    """Quotes, dashes, dots and blanks become plain when that makes the message cheaper; letters never change."""
    assert smart(text) == plain


@pytest.mark.parametrize(
    ("text", "names", "written"),
    [
        ("Dear Mr O’Brien – come…", ["Mr O’Brien"], "Dear Mr O’Brien – come…"),
        ("Dear Mr O’Brien – come…", ["Mr O'Brien"], "Dear Mr O'Brien - come..."),
        ("Anne–Marie isn’t here", ["Anne–Marie"], "Anne–Marie isn’t here"),
        ("Anne-Marie isn’t here", ["Anne-Marie"], "Anne-Marie isn't here"),
        ("Ben isn’t here", ["Ben", "Anne–Marie"], "Ben isn't here"),
        ("O’Brien isn’t here", ["Ms O’Brien"], "O’Brien isn’t here"),
        ("Zoë isn’t here", ["Zoë"], "Zoë isn’t here"),
        ("Ben isn’t here", ["", " "], "Ben isn't here"),
    ],
)
def test_names_stay(text: str, names: list[str], written: str) -> None:
    """A name is written as its owner writes it, wherever it stands; without such names the rest becomes cheap."""
    assert smart(text, names) == written


@given(st.text(alphabet="aé’–…«\u00a0 "), st.lists(st.text(alphabet="aé’–", min_size=1), max_size=2))
def test_no_name_is_ever_altered(text: str, names: list[str]) -> None:
    """Every name that stood in a text still stands there, as often."""
    assert all(smart(text, names).count(name) >= text.count(name) for name in names)


@given(st.text())
def test_letters_stay(text: str) -> None:
    """No letter is ever replaced or lost, and a message never gets dearer."""
    assert [c for c in smart(text) if c.isalpha()] == [c for c in text if c.isalpha()]
    assert smart(text) == text or count(smart(text)).encoding is GSM
