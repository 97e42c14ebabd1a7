"""Voices: the right one for each language, and none for what no voice can read."""

import pytest

from channels.voice_languages import VOICES, voice_for


@pytest.mark.parametrize(
    ("tag", "spoken"),
    [
        ("en", "en-GB"),
        ("en-GB", "en-GB"),
        ("en-US", "en-US"),
        ("en-ZW", "en-GB"),
        ("cy", "cy-GB"),
        ("ar", "ar-XA"),
        ("pl", "pl-PL"),
        ("ro", "ro-RO"),
        ("pt", "pt-PT"),
        ("pt-BR", "pt-BR"),
        ("pt_BR", "pt-BR"),
        ("zh-Hans", "cmn-CN"),
        ("zh-Hant", "cmn-TW"),
        ("bn", "bn-IN"),
        ("uk", "uk-UA"),
        ("tr", "tr-TR"),
        ("fr", "fr-FR"),
        ("es-419", "es-MX"),
        ("pa", "pa-IN"),
    ],
)
def test_a_language_has_its_voice(tag: str, spoken: str) -> None:
    """A territory chooses the accent where there is one, else the language's own voice reads."""
    voice = voice_for(tag)
    assert voice is not None
    assert voice.language == spoken


@pytest.mark.parametrize(
    "tag", ["ur", "so", "fa", "fa-AF", "ps", "ckb", "ku", "sq", "ti", "sw", "syl", "lt", "", "hmn"]
)
def test_some_languages_have_none(tag: str) -> None:
    """Staff call then; nobody is read to in a wrong voice."""
    assert voice_for(tag) is None


@pytest.mark.parametrize("tag", ["pa-Arab", "sr-Latn", "ar-Latn", "uz-Cyrl"])
def test_another_script_has_no_voice(tag: str) -> None:
    """The voice of Panjabi reads Gurmukhi; Shahmukhi would come out as nothing."""
    assert voice_for(tag) is None


def test_a_voice_speaks_its_own_language() -> None:
    """Where a voice's name tells its language, it is the one asked for."""
    for voice in VOICES.values():
        if voice.name.startswith("Google."):
            assert voice.name.startswith(f"Google.{voice.language}-")
