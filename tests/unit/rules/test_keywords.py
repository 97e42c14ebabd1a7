"""STOP, START and HELP in the languages of the catalogues, as people really type them."""

# ruff: noqa: RUF001  # letters of other scripts are what these tests are about

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import locales
from gateway.content.catalogues import Catalogues
from gateway.content.languages import same
from gateway.directory.model import Category
from gateway.rules.keywords import KINDS, WORDS, Asked, Wish, asked_by, confirms

CATALOGUES = Catalogues.from_files(locales.catalogue_files())


@pytest.mark.parametrize(
    ("body", "wish", "language"),
    [
        ("STOP", Wish.STOP, "en"),
        ("  stop\n", Wish.STOP, "en"),
        ("Stop!!!", Wish.STOP, "en"),
        ("St.op", Wish.STOP, "en"),
        ("ＳＴＯＰ", Wish.STOP, "en"),
        ("stop 🛑", Wish.STOP, "en"),
        ("Opt-out", Wish.STOP, "en"),
        ("UNSTOP", Wish.START, "en"),
        ("Help?", Wish.HELP, "en"),
        ("Stopiwch", Wish.STOP, "cy"),
        ("rezygnuje", Wish.STOP, "pl"),
        ("Rezygnuję.", Wish.STOP, "pl"),
        ("wznow", Wish.START, "pl"),
        ("بند کریں", Wish.STOP, "ur"),
        ("مدد", Wish.HELP, "ur"),
        ("OPRITI", Wish.STOP, "ro"),
        ("Opriți", Wish.STOP, "ro"),
        ("ايقاف", Wish.STOP, "ar"),
        ("إِيقَاف", Wish.STOP, "ar"),
        ("ابدأ", Wish.START, "ar"),
        ("Jooji", Wish.STOP, "so"),
        ("comecar", Wish.START, "pt-PT"),
        ("বন্ধ করুন।", Wish.STOP, "bn"),
        ("退订", Wish.STOP, "zh-Hans"),
        ("帮助！", Wish.HELP, "zh-Hans"),
        ("СТОП", Wish.STOP, "uk"),
        ("відновити", Wish.START, "uk"),
    ],
)
def test_a_word_alone_asks_for_something(body: str, wish: Wish, language: str) -> None:
    """Capitals, accents, punctuation, blanks and emoji make no difference."""
    assert asked_by(body) == Asked(wish, language)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "🛑",
        "!",
        "please stop by the office",
        "Stop the bus, he forgot his bag",
        "We start at nine",
        "Can you help?",
        "the end",
        "YES",
        "1",
        "stop news all",
        "news",
        "start news",
        "stop" + " " * 100,
        "Nie, nie rezygnuję z wycieczki",
    ],
)
def test_anything_else_is_a_reply(body: str) -> None:
    """One of these words among others means nothing."""
    assert asked_by(body) is None


@pytest.mark.parametrize(
    ("body", "category"),
    [
        ("STOP NEWS", Category.NEWSLETTER),
        ("stop newsletter.", Category.NEWSLETTER),
        ("News: stop", Category.NEWSLETTER),
        ("stop fundraising", Category.FUNDRAISING),
        ("STOP PRAISE", Category.CELEBRATION),
        ("STOP AKTUALNOŚCI", Category.NEWSLETTER),
        ("rezygnuję zbiórki", Category.FUNDRAISING),
        ("خبریں بند کریں", Category.NEWSLETTER),
        ("退订新闻", Category.NEWSLETTER),
        ("СТОП новини", Category.NEWSLETTER),
    ],
)
def test_stop_with_a_kind_of_news_ends_that_kind(body: str, category: Category) -> None:
    """In either order, with the reader's own word or the one that all know."""
    asked = asked_by(body)
    assert asked is not None
    assert (asked.wish, asked.category) == (Wish.STOP, category)


def test_every_language_of_the_catalogues_has_its_words() -> None:
    """For each wish, and for each kind of news that can be refused with one click in a mail."""
    assert set(WORDS) == set(KINDS)
    assert all(any(same(own, language) for own in WORDS) for language in CATALOGUES.languages)
    assert all(set(wishes) == set(Wish) for wishes in WORDS.values())
    assert all(len(kinds) == 3 for kinds in KINDS.values())


def test_no_word_means_two_things() -> None:
    """Whatever the language: who wants an end must not get a beginning."""
    for words in WORDS.values():
        for wish, listed in words.items():
            for word in listed.split(", "):
                asked = asked_by(word)
                assert asked is not None
                assert (asked.wish, asked.category) == (wish, None), word
    for language, kinds in KINDS.items():
        for category, listed in kinds.items():
            for word in listed.split(", "):
                assert asked_by(word) is None, word
                assert asked_by(f"STOP {word}") == Asked(Wish.STOP, language, category), word


@pytest.mark.parametrize("language", sorted(CATALOGUES.languages))
def test_our_own_texts_name_words_that_we_understand(language: str) -> None:
    """What a confirmation tells people to reply is read as what it says."""
    phrases = CATALOGUES.phrases(language)
    texts = {Wish.START: phrases.texts_stopped("X"), Wish.STOP: phrases.texts_start_again("X")}
    for wish, text in (*texts.items(), (Wish.STOP, phrases.texts_help("X", "y@example.org"))):
        word = re.search(r"\b(START|STOP)\.$", text) or re.search(r"[:：] *([^:：]+)$", text)
        assert word is not None
        asked = asked_by(word[1])
        assert asked is not None
        assert asked.wish is wish
        assert asked_by(text) is None


@pytest.mark.parametrize(
    ("body", "yes"),
    [("YES", True), ("ok", True), ("Okay!", True), ("1", True), ("1️⃣", True), ("yes please", False), ("11", False)],
)
def test_a_word_confirms(body: str, *, yes: bool) -> None:
    """One word or figure, nothing more."""
    assert confirms(body) is yes


@given(st.text(max_size=80))
def test_any_text_can_be_read(body: str) -> None:
    """Whatever somebody sends, the same words around it make it a reply."""
    assert asked_by(f"Dear school, {body} kind regards") is None
    assert asked_by(body) is None or len(body) <= 60
