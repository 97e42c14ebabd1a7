"""What a person wrote, apart from what their mail program put below it; together always the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.quoting import parted

CASES = {
    "nothing below": ("Yes.", "Yes.", ""),
    "English": (
        "Yes.\n\nOn Mon, 15 Jun 2026 at 10:00, School wrote:\n> Will he come?\n>\n> Regards",
        "Yes.",
        "On Mon, 15 Jun 2026 at 10:00, School wrote:\n> Will he come?\n>\n> Regards",
    ),
    "Polish, two lines": (
        "Tak.\n\nW dniu pon., 15 cze 2026 o 10:00 Szkoła\n<school@example.org> napisał(a):\n\n> Przyjdzie?",
        "Tak.",
        "W dniu pon., 15 cze 2026 o 10:00 Szkoła\n<school@example.org> napisał(a):\n\n> Przyjdzie?",
    ),
    "between the lines": (
        "On Monday School wrote:\n> Will he come?\nYes.\n> At what time?\nAt ten.",
        "On Monday School wrote:\n> Will he come?\nYes.\n> At what time?\nAt ten.",
        "",
    ),
    "no announcement": ("Yes.\n> Will he come?", "Yes.", "> Will he come?"),
    "words that end with a colon": (
        "Here is what I think:\n> Will he come?",
        "Here is what I think:",
        "> Will he come?",
    ),
    "Outlook": (
        "Ja.\n\n-----Ursprüngliche Nachricht-----\nVon: Schule\nKommt er?",
        "Ja.",
        "-----Ursprüngliche Nachricht-----\nVon: Schule\nKommt er?",
    ),
    "Outlook on the web": (
        "Oui.\n________________________________\nDe : École\nVient-il ?",
        "Oui.",
        "________________________________\nDe : École\nVient-il ?",
    ),
    "signature": ("Yes.\n-- \nZinnia\n020 7946 0000", "Yes.", "-- \nZinnia\n020 7946 0000"),
    "only a quotation": ("> Will he come?", "> Will he come?", ""),
    "empty": ("", "", ""),
}


@pytest.mark.parametrize("name", CASES)
def test_parting(name: str) -> None:
    """Parted where that is safe, left together where somebody may have answered between the lines."""
    text, written, below = CASES[name]
    assert parted(text) == (written, below)


@given(st.lists(st.sampled_from(["Yes.", "> no", "", "On Monday somebody wrote:", "-- ", "_" * 30, "  "]), max_size=12))
def test_no_word_is_lost(lines: list[str]) -> None:
    """Whatever stands in an answer stands in one of the two, in its order."""
    text = "\n".join(lines)
    written, below = parted(text)
    assert "".join((written + below).split()) == "".join(text.split())
