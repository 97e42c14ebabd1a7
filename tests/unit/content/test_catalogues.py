"""The fixed sentences: complete in English, strict in every translation."""

from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from gateway.content.catalogues import CatalogueError, Catalogues
from gateway.content.phrases import COMMENT_TAG, EXTRACTION

ROOT = Path(__file__).parents[3]
HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
POLISH_PLURALS = (
    '"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\\n"\n'
)


def catalogue(*entries: tuple[str, str], head: str = HEADER) -> bytes:
    """Write a small `.po` file."""
    return (head + "".join(f'\nmsgid "{one}"\nmsgstr "{other}"\n' for one, other in entries)).encode()


def test_the_template_of_the_catalogues_is_up_to_date() -> None:
    """`locales/messages.pot` holds exactly the sentences of the code, with what translators are told."""
    with (ROOT / "gateway/content/phrases.py").open("rb") as source:
        found = extract("python", source, EXTRACTION, (COMMENT_TAG,), {}, strip_comment_tags=True)
        sentences = {sentence: " ".join(comments) for _, sentence, comments, _ in found}
    template = read_po(BytesIO((ROOT / "locales/messages.pot").read_bytes()))
    assert {m.id: " ".join(m.auto_comments) for m in template if m.id} == {
        sentence if isinstance(sentence, str) else tuple(sentence): comment for sentence, comment in sentences.items()
    }


def test_english_needs_no_catalogue() -> None:
    """Without any catalogue the sentences are English, plurals and values in place."""
    phrases = Catalogues({}).phrases("pl")
    assert phrases.language == "en"
    assert phrases.voice_opening("St Anne's") == "This is a message from St Anne's."
    assert [phrases.your_children(count) for count in (1, 2)] == ["your child", "your children"]


def test_a_missing_sentence_comes_from_the_fallbacks() -> None:
    """Each sentence is looked up along the chain: Brazilian, Portuguese, English."""
    catalogues = Catalogues.from_files(
        {
            "pt_BR": catalogue(("Date of birth", "Data de nascimento (BR)")),
            "pt": catalogue(("Date of birth", "Data de nascimento"), ("DRILL", "SIMULACRO")),
        }
    )
    phrases = catalogues.phrases("pt-BR")
    assert phrases.language == "pt-BR"
    assert phrases.date_of_birth() == "Data de nascimento (BR)"
    assert phrases.drill() == "SIMULACRO"
    assert phrases.open_document() == "Open the document"
    assert catalogues.languages == {"en", "pt", "pt-BR"}


def test_a_neighbours_language_is_no_fallback() -> None:
    """Readers of Ukrainian get English, not Russian, where a translation is missing."""
    catalogues = Catalogues.from_files({"ru": catalogue(("DRILL", "УЧЕНИЯ"))})
    assert catalogues.phrases("uk").drill() == "DRILL"


def test_a_school_without_the_readers_language() -> None:
    """A reader whose language has no catalogue gets the school's."""
    catalogues = Catalogues.from_files({"cy": catalogue(("DRILL", "YMARFER"))})
    assert catalogues.phrases("hmn", "cy").drill() == "YMARFER"


def test_plural_forms() -> None:
    """Polish has its own plurals."""
    entry = 'msgid "your child"\nmsgid_plural "your children"\n'
    forms = 'msgstr[0] "dziecko"\nmsgstr[1] "dzieci"\nmsgstr[2] "dzieci (5)"\n'
    po = (HEADER + POLISH_PLURALS + "\n" + entry + forms).encode()
    phrases = Catalogues.from_files({"pl": po}).phrases("pl")
    assert [phrases.your_children(count) for count in (1, 2, 5)] == ["dziecko", "dzieci", "dzieci (5)"]


@pytest.mark.parametrize(
    ("sentence", "translation"),
    [
        ("Dear %(name)s,", "Szanowni Państwo,"),
        ("Dear %(name)s,", "Drogi %(nazwa)s,"),
        ("Dear %(name)s,", "Drogi %(name)d,"),
        ("Dear %(name)s,", "Drogi %(name)s %s,"),
        ("Dear %(name)s,", "Drogi %(name)s 100%,"),
        ("DRILL", "ĆWICZENIE %(name)s"),
    ],
)
def test_placeholders_must_be_those_of_the_sentence(sentence: str, translation: str) -> None:
    """A translation that loses or invents a value is refused, naming language and sentence."""
    with pytest.raises(CatalogueError) as refused:
        Catalogues.from_files({"pl": catalogue((sentence, translation))})
    assert "'pl'" in str(refused.value)
    assert f"'{sentence}'" in str(refused.value)


def test_an_unreadable_catalogue_is_refused() -> None:
    """A file that is no catalogue is refused by language."""
    with pytest.raises(CatalogueError, match="'pl'"):
        Catalogues.from_files({"pl": HEADER.encode() + b'\nmsgid "DRILL"\nmsgstr "\xff"\n'})


def test_the_catalogues_that_ship_are_sound() -> None:
    """Every catalogue in the tree compiles, and none leaves a sentence untranslated."""
    files = {path.parts[-3]: path.read_bytes() for path in sorted((ROOT / "locales").glob("*/LC_MESSAGES/messages.po"))}
    catalogues = Catalogues.from_files(files)
    assert catalogues.languages > {"en"}
    for language in catalogues.languages - {"en"}:
        assert catalogues.phrases(language).link_ended() != catalogues.phrases("en").link_ended(), language
