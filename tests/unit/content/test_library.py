"""The built-in templates say the same in every language, and fit where they are sent."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from channels.sms_segments import count
from gateway.content.template import Source, Template, parse, read_source
from gateway.content.values import RESERVED, localise
from gateway.directory.model import Category

LIBRARY = Path(__file__).parents[3] / "gateway" / "content" / "library"
LANGUAGES = ("ar", "bn", "cy", "en", "pl", "pt-PT", "ro", "so", "uk", "ur", "zh-Hans")
NAMES = (
    "absence",
    "all_clear",
    "details_updated",
    "emergency_closure",
    "meeting_invitation",
    "newsletter",
    "payment_reminder",
    "report_ready",
    "trip_consent",
)
PURPOSES = {
    "information",
    "action",
    "safety",
    "attendance",
    "progress",
    "consent",
    "payment",
    "feedback",
    "celebration",
}
ALWAYS_THERE = {"contactname", "studentnames", "schoolname"}
SAMPLE_SCHOOL = "Meadow Primary School"
TEXTS = [(name, language) for name in NAMES for language in LANGUAGES]


@cache
def facts(name: str) -> dict[str, Any]:
    """Read `template.toml`."""
    return tomllib.loads((LIBRARY / name / "template.toml").read_text(encoding="utf-8"))


@cache
def source(name: str, language: str) -> Source:
    """One text as it was written."""
    return read_source(language, (LIBRARY / name / f"{language}.md").read_text(encoding="utf-8"))


@cache
def template(name: str, language: str) -> Template:
    """One text, parsed."""
    return parse(source(name, language))


def fields(text: str) -> set[str]:
    """List the placeholders as they are spelt."""
    return set(re.findall(r"\(\(([^()]+)\)\)", text))


def test_the_library_holds_what_schools_send_most() -> None:
    """Nine templates, eleven languages each, nothing half done."""
    assert sorted(path.name for path in LIBRARY.iterdir() if path.is_dir()) == sorted(NAMES)
    for name in NAMES:
        assert sorted(path.stem for path in (LIBRARY / name).glob("*.md")) == sorted(LANGUAGES)


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_described(name: str) -> None:
    """Name, version, category and purpose are known ones; every value has a sample."""
    about = facts(name)
    assert about["name"] == name
    assert about["version"] >= 1
    assert about["description"]
    assert set(about["category"]) <= set(Category)
    assert about["category"]
    assert set(about["purpose"]) <= PURPOSES
    assert about["purpose"]
    assert set(about.get("student_values", [])) <= set(about["sample"])
    samples = {value.replace("_", "") for value in about["sample"]}
    assert samples == template(name, "en").placeholders - RESERVED


@pytest.mark.parametrize(("name", "language"), TEXTS)
def test_every_language_uses_the_same_values_in_the_same_parts(name: str, language: str) -> None:
    """Body, short text and all together need what the English ones need; names stay English."""
    ours, english = source(name, language), source(name, "en")
    assert template(name, language).placeholders == template(name, "en").placeholders
    assert template(name, language).placeholders >= ALWAYS_THERE
    assert fields(ours.body) == fields(english.body)
    assert fields(ours.short or "") == fields(english.short or "")


@pytest.mark.parametrize(("name", "language"), TEXTS)
def test_every_language_has_the_same_build(name: str, language: str) -> None:
    """Headings, insets and lists stand in the same order, so that nobody gets less."""
    ours = [type(block).__name__ for block in template(name, language).blocks if type(block).__name__ != "Paragraph"]
    english = [type(block).__name__ for block in template(name, "en").blocks if type(block).__name__ != "Paragraph"]
    assert ours == english
    assert abs(len(template(name, language).blocks) - len(template(name, "en").blocks)) <= 1


@pytest.mark.parametrize(("name", "language"), TEXTS)
def test_a_short_text_fits_two_segments_and_names_no_child(name: str, language: str) -> None:
    """With the sample values it costs at most two segments; a lock screen shows no student, contact or amount (R41)."""
    short = source(name, language).short
    assert short is not None
    assert not fields(short) & {"student_names", "contact_name", "amount", "attendance_percent", "teacher_comment"}
    filled = short.replace("((school_name))", SAMPLE_SCHOOL)
    for value, sample in facts(name)["sample"].items():
        filled = filled.replace(f"(({value}))", localise(sample, language, "Europe/London"))
    assert "((" not in filled
    assert count(filled).segments <= 2
    assert not re.search(r"\.\.|。。|\u06d4\u06d4", filled)


@pytest.mark.parametrize(("name", "language"), TEXTS)
def test_a_subject_shows_nothing_personal(name: str, language: str) -> None:
    """Subjects are read on lock screens and over shoulders."""
    assert not fields(source(name, language).subject) & {
        "student_names",
        "contact_name",
        "amount",
        "item",
        "attendance_percent",
        "teacher_comment",
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", ["ar", "bn", "uk", "ur", "zh-Hans"])
def test_no_latin_word_is_left_in_another_script(name: str, language: str) -> None:
    """A forgotten English word shows at once where the script is another one."""
    text = source(name, language)
    for part in (text.subject, text.short or "", text.body):
        assert not re.search("[A-Za-z]", re.sub(r"\(\(\w+\)\)", "", part))


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_left_in_english(name: str) -> None:
    """No two languages share a subject or a body."""
    for other in (language for language in LANGUAGES if language != "en"):
        assert source(name, other).subject != source(name, "en").subject
        assert source(name, other).body != source(name, "en").body
