"""Readers get a language they read, and never a neighbour's."""

import pytest

from gateway.content.languages import canonical, choose, direction, display_name, fallback_chain, locale_of, same


@pytest.mark.parametrize(
    ("tag", "spelling"),
    [
        ("EN_gb", "en-GB"),
        ("zh", "zh-Hans"),
        ("zh_TW", "zh-Hant"),
        ("zh-HK", "zh-Hant"),
        ("cmn", "zh-Hans"),
        ("cmn-TW", "zh-Hant"),
        ("pa", "pa"),
        ("pa-Guru", "pa"),
        ("pa_PK", "pa-Arab"),
        ("pnb", "pa-Arab"),
        ("prs", "fa-AF"),
        ("tl", "fil"),
        ("urd", "ur"),
        ("pol", "pl"),
        ("iw", "he"),
        ("kmr", "ku"),
        ("ku_Arab", "ckb"),
        ("mww", "hmn"),
        ("syl", "syl"),
        ("ksw", "ksw"),
        ("sr-Latn", "sr-Latn"),
        ("es-419", "es-419"),
        ("de-DE-1996", "de-DE"),
    ],
)
def test_one_spelling(tag: str, spelling: str) -> None:
    """Tags from registers of every kind come to one spelling, which is stable."""
    assert canonical(tag) == spelling
    assert canonical(spelling) == spelling


@pytest.mark.parametrize("tag", ["", "x", "German language", "ж", "e1"])
def test_no_tag(tag: str) -> None:
    """What is no tag is refused."""
    with pytest.raises(ValueError, match="language tag"):
        canonical(tag)


@pytest.mark.parametrize(
    ("language", "school", "chain"),
    [
        ("pt-BR", "en", ("pt-BR", "pt", "en")),
        ("pt-BR", "cy", ("pt-BR", "pt", "cy", "en")),
        ("es-MX", "en", ("es-MX", "es-419", "es", "en")),
        ("syl", "en", ("syl", "bn", "en")),
        ("yue", "en", ("yue", "zh-Hant", "en")),
        ("prs", "en", ("fa-AF", "fa", "en")),
        ("ht", "en", ("ht", "en")),
        ("uk", "en", ("uk", "en")),
        ("ru", "en", ("ru", "en")),
        ("zh-TW", "en", ("zh-Hant", "en")),
        ("pa-Arab", "en", ("pa-Arab", "en")),
        ("en-US", "en-GB", ("en-US", "en", "en-GB")),
    ],
)
def test_fallbacks(language: str, school: str, chain: tuple[str, ...]) -> None:
    """Wider forms first, then the school's language, then English; no other script, no neighbour."""
    assert fallback_chain(language, school) == chain


@pytest.mark.parametrize(
    ("wanted", "available", "language", "fell_back"),
    [
        ("pl", {"pl", "en"}, "pl", False),
        ("en-US", {"en-GB", "fr"}, "en-GB", False),
        ("pt-BR", {"pt-PT", "en"}, "pt-PT", False),
        ("pt-BR", {"pt", "pt-PT"}, "pt", False),
        ("zh_TW", {"zh-Hans", "en"}, "en", True),
        ("zh_TW", {"zh_Hant", "en"}, "zh_Hant", False),
        ("syl", {"bn", "en"}, "bn", False),
        ("ht", {"fr", "en"}, "en", True),
        ("uk", {"ru", "en"}, "en", True),
        ("pl", {"cy", "en"}, "cy", True),
        ("pl", {"de", "fr"}, "de", True),
    ],
)
def test_choice(wanted: str, available: set[str], language: str, *, fell_back: bool) -> None:
    """The nearest language is chosen, and it is known when it is not the reader's."""
    assert choose(wanted, available, "cy") == (language, fell_back)


def test_nothing_to_choose_from() -> None:
    """A text in no language is a mistake."""
    with pytest.raises(ValueError, match="at least one"):
        choose("en", [])


@pytest.mark.parametrize(
    ("language", "way"),
    [
        ("ur", "rtl"),
        ("ar", "rtl"),
        ("fa-AF", "rtl"),
        ("ps", "rtl"),
        ("he", "rtl"),
        ("ckb", "rtl"),
        ("ku-Arab", "rtl"),
        ("pa-Arab", "rtl"),
        ("pa", "ltr"),
        ("ku", "ltr"),
        ("ti", "ltr"),
        ("hmn", "ltr"),
        ("rom", "ltr"),
        ("xx", "ltr"),
    ],
)
def test_direction(language: str, way: str) -> None:
    """Arabic and Hebrew scripts run to the left, those of languages Babel does not know included."""
    assert direction(language) == way


@pytest.mark.parametrize(
    ("language", "in_language", "name"),
    [
        ("pl", "en", "Polish"),
        ("en", "pl", "angielski"),
        ("fa-AF", "en", "Dari"),
        ("zh-Hant", "en", "Traditional Chinese"),
        ("syl", "en", "Sylheti"),
        ("hmn", "en", "Hmong"),
        ("ksw", "en", "S'gaw Karen"),
        ("pl", "hmn", "Polish"),
    ],
)
def test_names(language: str, in_language: str, name: str) -> None:
    """A language has a name in every reader's language, at worst the English one."""
    assert display_name(language, in_language) == name


@pytest.mark.parametrize(
    ("language", "territory", "locale"),
    [
        ("en", "GB", "en_GB"),
        ("en", "US", "en_US"),
        ("en-US", "GB", "en_US"),
        ("pl", "GB", "pl"),
        ("cy", "GB", "cy_GB"),
        ("ht", "US", "en_US"),
        ("hmn", "US", "en_US"),
        ("syl", "GB", "bn"),
        ("zh-Hant", "GB", "zh_Hant"),
    ],
)
def test_conventions(language: str, territory: str, locale: str) -> None:
    """Dates follow the reader's language in the school's country."""
    assert str(locale_of(language, territory)) == locale


@pytest.mark.parametrize(
    ("language", "other", "alike"),
    [("en-US", "en-GB", True), ("syl", "bn", True), ("zh-Hant", "zh-Hans", False), ("uk", "ru", False)],
)
def test_reading_the_same(language: str, other: str, *, alike: bool) -> None:
    """A note about a foreign language is for readers who cannot read it."""
    assert same(language, other) is alike
