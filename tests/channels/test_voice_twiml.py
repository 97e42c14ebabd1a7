"""TwiML: words stay words, and no `<Say>` is longer than its voice can bear."""

from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.voice_languages import VOICES
from channels.voice_twiml import LONGEST_SAY, pieces, said_last, said_with_keys
from tests.channels.twilio_calls_server import checked

ENGLISH = VOICES["en"]


@given(st.text(max_size=3_000))
def test_any_text_is_well_formed_and_short_enough(text: str) -> None:
    """Whatever a school writes, Twilio can read the document; signs that XML forbids are pauses."""
    for piece in pieces(text):
        assert piece.strip()
        assert len(quote(piece)) <= LONGEST_SAY
    if pieces(text):
        checked(said_last(text, ENGLISH).decode())


@pytest.mark.parametrize("words", ["<Hangup/>", "</Say><Dial>+447700900123</Dial>", "a & b", '"', "]]>", "&lt;"])
def test_text_is_never_markup(words: str) -> None:
    """What looks like an instruction is read out."""
    document = ET.fromstring(said_last(words, ENGLISH))  # noqa: S314  # our own answer
    assert [verb.tag for verb in document] == ["Say", "Hangup"]
    assert document[0].text == words


def test_an_address_is_never_markup() -> None:
    """The address of the next question has an ampersand."""
    document = ET.fromstring(said_with_keys("Hello.", ENGLISH, then="https://a.example.org/?a=1&b=2", seconds=1))  # noqa: S314  # our own answer
    assert document[0].attrib["action"] == "https://a.example.org/?a=1&b=2"


def test_long_texts_are_cut_between_sentences() -> None:
    """A listener hears whole sentences, all of them and in order."""
    sentences = [f"This is sentence number {number}." for number in range(300)]
    cut = pieces("\n".join(sentences))
    assert len(cut) > 1
    assert all(piece.endswith(".") for piece in cut)
    assert " ".join(cut).split() == " ".join(sentences).split()


@pytest.mark.parametrize(
    "text", ["বাংলা লেখা। " * 400, "学校今天关闭。" * 400, "مغلق اليوم؟ " * 400, "x" * 9_000, "😀" * 900]
)
def test_other_scripts_are_longer_in_a_url(text: str) -> None:
    """Twilio counts what a letter becomes in a URL; nothing is lost however it has to be cut."""
    cut = pieces(text)
    assert all(len(quote(piece)) <= LONGEST_SAY for piece in cut)
    assert "".join("".join(cut).split()) == "".join(text.split())


def test_a_decimal_point_ends_no_sentence() -> None:
    """Words are not torn apart where there is room for them."""
    assert pieces("It costs 3.50 pounds. Bring it.", most=30) == ["It costs 3.50 pounds.", "Bring it."]
