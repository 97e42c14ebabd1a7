"""What is said round the text of a call: complete in every language, and never about anybody (R41)."""

import pytest

from gateway.content.call_words import call_words
from gateway.content.catalogues import Catalogues
from gateway.content.policy import Policy
from gateway.content.prepared import prepare
from gateway.content.reader import SchoolFacts
from gateway.content.template import Source, parse
from locales import catalogue_files

CATALOGUES = Catalogues.from_files(catalogue_files())


@pytest.mark.parametrize("language", sorted(CATALOGUES.languages))
def test_the_words_are_those_of_the_language(language: str) -> None:
    """The note names the school; the keys are named by their signs."""
    words = call_words(CATALOGUES.phrases(language), "Oak School", drill=False)
    assert "Oak School" in words.voicemail
    assert "1" in words.keys
    assert "2" in words.keys
    assert words.keys.index("1") < words.keys.index("2")
    english = call_words(CATALOGUES.phrases("en"), "Oak School", drill=False)
    assert language == "en" or not {words.invitation, words.keys, words.thanks} & {
        english.invitation,
        english.keys,
        english.thanks,
    }


@pytest.mark.parametrize("sensitivity", [0, 1, 2])
def test_a_machine_hears_nothing_of_the_text(sensitivity: int) -> None:
    """Neither subject nor body, neither reader nor child, whatever the channel else may carry."""
    prepared = prepare(
        parse(
            Source(language="pl", subject="Sekret", body="Sekret ((contact_name)) ((student_names))", short="Sekret")
        ),
        policy=Policy(sensitivity=sensitivity, in_full=sensitivity == 1),
        reader_language="pl",
        catalogues=CATALOGUES,
        school=SchoolFacts(name="Oak School", zone="Europe/London"),
    )
    words = prepared.call_words
    assert words == call_words(CATALOGUES.phrases("pl"), "Oak School", drill=False, tells=sensitivity < 2)
    assert "Sekret" not in str(words)
    assert "((" not in str(words)


@pytest.mark.parametrize(
    ("policy", "tells"),
    [
        (Policy(sensitivity=0), True),
        (Policy(sensitivity=0, bare=True), False),
        (Policy(sensitivity=1), False),
        (Policy(sensitivity=1, in_full=True), True),
        (Policy(sensitivity=1, in_full=True, bare=True), False),
        (Policy(sensitivity=2, in_full=True), False),
    ],
)
def test_a_note_is_neither_offered_again_nor_confirmed(policy: Policy, *, tells: bool) -> None:
    """Who has heard only that there is a message cannot confirm it, and no key would bring more of it."""
    words = prepare(
        parse(Source(language="en", subject="A", body="B")),
        policy=policy,
        reader_language="en",
        catalogues=CATALOGUES,
        school=SchoolFacts(name="Oak School", zone="Europe/London"),
    ).call_words
    assert words.voicemail
    assert [bool(words.invitation), bool(words.keys), bool(words.thanks)] == [tells] * 3


def test_a_machine_hears_that_it_is_an_exercise() -> None:
    """Whoever comes home first must not take a drill for an emergency."""
    words = call_words(CATALOGUES.phrases("en"), "Oak School", drill=True)
    assert words.voicemail.startswith("DRILL. This is a message from Oak School.")
