"""Every fixed sentence exists in every language we offer, with the same values in it."""

import re
from io import BytesIO

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po

from gateway.content.catalogues import Catalogues
from locales import FOLDER, catalogue_files

LANGUAGES = ("ar", "bn", "cy", "pl", "pt", "ro", "so", "uk", "ur", "zh_Hans")
TEMPLATE = read_po(BytesIO((FOLDER / "messages.pot").read_bytes()))
SENTENCES = [message for message in TEMPLATE if message.id]
NO_LATIN_WORDS = ("ar", "bn", "uk", "ur", "zh_Hans")


def catalogue(language: str) -> Catalog:
    """Read one language."""
    return read_po(BytesIO(catalogue_files()[language]), locale=language, abort_invalid=True)


def forms(message: Message) -> tuple[str, ...]:
    """All plural forms of a translation, or the one there is."""
    return tuple(message.string) if isinstance(message.string, (list, tuple)) else (message.string,)


def values(text: str) -> list[str]:
    """List the `%(name)s` in a sentence, sorted."""
    return sorted(re.findall(r"%\(\w+\)s", text))


def test_there_is_a_catalogue_for_each_language_we_offer() -> None:
    """English is the source; the others are these, no more and no fewer."""
    assert sorted(catalogue_files()) == sorted(LANGUAGES)
    assert SENTENCES


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_translates_every_sentence(language: str) -> None:
    """Nothing is missing, unsure, left in English or left over from an older template."""
    translated = catalogue(language)
    assert {message.id for message in translated if message.id} == {message.id for message in SENTENCES}
    for sentence in SENTENCES:
        message = translated.get(sentence.id)
        assert message is not None
        assert not message.fuzzy
        sources = sentence.id if isinstance(sentence.id, tuple) else (sentence.id,)
        for form in forms(message):
            assert form.strip()
            assert form not in sources


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_keeps_the_values(language: str) -> None:
    """Each `%(name)s` of the sentence stands in its translation as often as in the source."""
    translated = catalogue(language)
    for sentence in SENTENCES:
        source = sentence.id[-1] if isinstance(sentence.id, tuple) else sentence.id
        message = translated.get(sentence.id)
        assert message is not None
        for form in forms(message):
            assert values(form) == values(source)


@pytest.mark.parametrize("language", LANGUAGES)
def test_plurals_are_those_of_the_language(language: str) -> None:
    """The header is Babel's, and there are as many forms as it announces."""
    translated = catalogue(language)
    assert translated.num_plurals == get_plural(language).num_plurals
    for sentence in SENTENCES:
        if isinstance(sentence.id, tuple):
            message = translated.get(sentence.id)
            assert message is not None
            assert len(forms(message)) == translated.num_plurals


@pytest.mark.parametrize("language", NO_LATIN_WORDS)
def test_no_latin_word_is_left_in_another_script(language: str) -> None:
    """A forgotten English word shows at once where the script is another one."""
    for message in catalogue(language):
        if message.id:
            for form in forms(message):
                assert not re.search("[A-Za-z]", re.sub(r"%\(\w+\)s", "", form))


def test_the_gateway_reads_all_of_them() -> None:
    """The catalogues load, and one and many children differ where the language tells them apart."""
    catalogues = Catalogues.from_files(catalogue_files())
    assert len(catalogues.languages) == len(LANGUAGES) + 1
    for language in LANGUAGES:
        phrases = catalogues.phrases(language.replace("_", "-"))
        assert phrases.drill() != "DRILL"
        if language != "zh_Hans":
            assert phrases.your_children(1) != phrases.your_children(3)
