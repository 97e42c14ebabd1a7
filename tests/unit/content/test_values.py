"""Values are put in the reader's words, and checked against the text they are for."""

# ruff: noqa: RUF001 - letters and marks of other scripts are what these tests are about

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.bidi import isolated, with_isolated_numbers, without_isolates
from gateway.content.fragments import Form, Slot, Words, suited
from gateway.content.template import Source, parse
from gateway.content.values import PerStudent, Value, clean, combine, localise, missing, one_line, shared, unfit, words

LONDON = "Europe/London"


@pytest.mark.parametrize(
    ("value", "language", "written"),
    [
        ("2026-06-15", "en", "15 June 2026"),
        ("2026-06-15", "en-US", "June 15, 2026"),
        ("2026-06-15", "pl", "15 czerwca 2026"),
        ("2026-06-15", "ar", "15 يونيو 2026"),
        ("2026-06-15", "zh-TW", "2026年6月15日"),
        ("2026-06-15", "ht", "15 June 2026"),
        ("2026-02-30", "en", "2026-02-30"),
        ("on 2026-06-15", "en", "on 2026-06-15"),
        ("2026-06-15T15:30:00+01:00", "en", "15 June 2026, 15:30"),
        ("2026-06-15T14:30:00Z", "pl", "15 czerwca 2026 15:30"),
        ("2026-01-15T14:30", "en", "15 January 2026, 14:30"),
        ("15:30", "en", "15:30"),
        ("15:30", "en-US", "3:30\u202fPM"),
        ("25:99", "en", "25:99"),
        ("07700 900123", "en", "07700 900123"),
        ("5b", "en", "5b"),
        (1024, "de", "1024"),
        (12.5, "de", "12.5"),
        (["Ana", "Ben"], "en", "Ana and Ben"),
        (("Ms Kowalska", "Mr Kowalski"), "pl", "Ms Kowalska i Mr Kowalski"),
        (["Ana", "Emyr"], "cy", "Ana ac Emyr"),
        (["Emyr", "Siân"], "cy", "Emyr a Siân"),
        (["2026-06-15", "2026-06-16"], "en", "15 June 2026 and 16 June 2026"),
        ([], "en", ""),
        (PerStudent((("Ana", "A"), ("Ben", 7))), "en", "Ana: A; Ben: 7"),
        (PerStudent((("Ana", "A"), ("Ben", 7))), "zh-Hans", "Ana：A；Ben：7"),
        (PerStudent((("Ana", ("x", "y")), ("Ben", "2026-06-15"))), "en", "Ana: x and y; Ben: 15 June 2026"),
    ],
)
def test_in_the_readers_words(value: Value, language: str, written: str) -> None:
    """Dates, times and lists follow the reader's language; everything else stays as it is."""
    assert localise(value, language, LONDON) == written


def test_times_are_the_schools() -> None:
    """An instant is written in the school's time zone, daylight saving included."""
    assert localise("2026-07-01T23:30:00Z", "en", LONDON) == "2 July 2026, 00:30"
    assert localise("2026-07-01T23:30:00Z", "en-US", "America/Los_Angeles", "US") == "July 1, 2026, 4:30\u202fPM"


@pytest.mark.parametrize(
    ("value", "language", "isolated_text"),
    [
        ("Ana", "en", "Ana"),
        ("Ana", "ur", "\u2068Ana\u2069"),
        ("أمل", "en", "\u2068أمل\u2069"),
        ("020 7946 0123", "ur", "\u2066020 7946 0123\u2069"),
        ("+44 7700 900123", "ar", "\u2066+44 7700 900123\u2069"),
        ("https://a.example.org/x", "ar", "\u2066https://a.example.org/x\u2069"),
        (("Ana", "Ben"), "ur", "\u2068Ana\u2069 اور \u2068Ben\u2069"),
        ("2026-06-15", "ur", "\u206815 جون، 2026\u2069"),
        ("a\nb", "ur", "\u2068a\u2069\n\u2068b\u2069"),
    ],
)
def test_isolates(value: Value, language: str, isolated_text: str) -> None:
    """A value cannot be reordered by the words around it, nor reorder them."""
    assert words(value, Slot("x", language), LONDON).text == isolated_text


def test_addresses_carry_no_marks() -> None:
    """An address is for machines: no isolates in it."""
    address = "https://a.example.org/1"
    assert words(address, Slot("x", "ur", Form.ADDRESS), LONDON).text == address


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("اتصل 020 7946 0123 الآن", "اتصل \u2066020 7946 0123\u2069 الآن"),
        ("+44 20 7946 0123", "\u2066+44 20 7946 0123\u2069"),
        ("9-10", "9-10"),
        ("15/06/2026", "15/06/2026"),
        ("https://x.example.org/020-7946-0123", "https://x.example.org/020-7946-0123"),
    ],
)
def test_telephone_numbers_in_the_text(text: str, safe: str) -> None:
    """A number an author typed into a right-to-left text stays in its order; ranges and dates are left alone."""
    assert with_isolated_numbers(text) == safe


@given(st.text())
def test_isolation_can_be_undone(text: str) -> None:
    """The marks are the only change, and always in pairs."""
    bare = clean(text)
    marked = isolated(bare, right_to_left=True)
    assert without_isolates(marked) == bare
    assert marked.count("\u2069") == marked.count("\u2066") + marked.count("\u2068")


@given(st.text())
def test_cleaning(text: str) -> None:
    """No control, embedding, isolate or half character is left, and one line is one line."""
    assert not set(clean(text)) & {"\x00", "\r", "\x1b", "\u202e", "\u2066", "\u2069", "\ud800"}
    assert len(one_line(text).splitlines()) <= 1


def test_names_keep_their_joiners() -> None:
    """Marks that belong to the spelling of Persian and Indic words stay."""
    assert clean("می\u200cخواهم क्\u200dष") == "می\u200cخواهم क्\u200dष"


TEMPLATE = parse(
    Source(language="en", subject="((when))", body="((contact_name)) ((Room no)) ((lunch??Bring lunch)) [Pay](((pay)))")
)


def test_missing_values() -> None:
    """Names are compared normalised, told as the author wrote them, and the gateway's own are never missing."""
    assert missing(TEMPLATE, {"WHEN": "x", "room_no": 1, "Lunch": False}) == ("pay",)
    assert missing(TEMPLATE, {}) == ("Room no", "lunch", "pay", "when")


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"pay": "javascript:x"}, "The value 'pay' must be a web, mail or telephone address"),
        ({"When": True}, "The value 'When' is true or false, which only ((when??text)) can show"),
        ({"roomNO": True}, "The value 'roomNO' is true or false, which only ((Room no??text)) can show"),
        ({"Contact name": "Eve"}, "The value 'Contact name' has a name that the gateway itself fills"),
    ],
)
def test_unfit_values(values: dict[str, str | bool], fault: str) -> None:
    """A value that does not suit its place is refused by name."""
    (sentence,) = unfit(TEMPLATE, values)
    assert sentence.startswith(fault)


def test_fit_values() -> None:
    """Good values raise nothing."""
    assert unfit(TEMPLATE, {"pay": "https://pay.example.org", "when": "2026-06-15", "lunch": True}) == ()


@pytest.mark.parametrize(
    ("students", "given_values", "combined"),
    [
        ([("1", "Ana")], {"1": {"Room": "A"}}, {"room": "A", "day": "Monday"}),
        ([("1", "Ana"), ("2", "Ben")], {"1": {"room": "A"}, "2": {"room": "A"}}, {"room": "A", "day": "Monday"}),
        (
            [("1", "Ana"), ("2", "Ben")],
            {"1": {"room": "A"}, "2": {"room": "B"}},
            {"room": PerStudent((("Ana", "A"), ("Ben", "B"))), "day": "Monday"},
        ),
        (
            [("1", "Ana"), ("2", "Ben")],
            {"2": {"day": "Friday"}},
            {"day": PerStudent((("Ana", "Monday"), ("Ben", "Friday")))},
        ),
        ([("1", "Ana"), ("2", "Ben")], {"2": {"room": "B"}}, {"room": PerStudent((("Ben", "B"),)), "day": "Monday"}),
        ([("1", "Ana"), ("2", "Ben")], {"1": {"n": 1}, "2": {"n": True}}, None),
    ],
)
def test_values_of_several_students(
    students: list[tuple[str, str]],
    given_values: dict[str, dict[str, str | int | bool]],
    combined: dict[str, Value] | None,
) -> None:
    """Equal values stay single; different ones are told apart by the student's name, one student's never another's."""
    found = combine(students, {"Day": "Monday"}, given_values)
    if combined is None:
        assert isinstance(found["n"], PerStudent)
    else:
        assert found == combined


def test_shared_values() -> None:
    """What any student has of their own is not shared."""
    assert shared({"Day": "Monday", "room": "X", "kit": ["a"]}, {"1": {"Room": "A"}}) == {
        "day": "Monday",
        "kit": ("a",),
    }


@pytest.mark.parametrize(
    ("slot", "value", "text"),
    [
        (Slot("x", "en", Form.ADDRESS), "javascript:x", ""),
        (Slot("x", "en", Form.ADDRESS), "https://a.example.org", "https://a.example.org"),
        (Slot("x", "en", Form.COMPONENT), "a/b c&d", "a%2Fb%20c%26d"),
        (Slot("x", "en", Form.LINE), "a\n \u2068b\u2069", "a b"),
        (Slot("x", "en", shown="Bring lunch"), "yes", "Bring lunch"),
        (Slot("x", "en", shown="Bring lunch"), True, "Bring lunch"),
        (Slot("x", "en", shown="Bring lunch"), 1, "Bring lunch"),
        (Slot("x", "en", shown="Bring lunch"), "no", ""),
        (Slot("x", "en", shown="Bring lunch"), False, ""),
    ],
)
def test_values_suit_their_place(slot: Slot, value: Value, text: str) -> None:
    """An unsafe address and a denied text leave nothing; parts of an address are encoded."""
    fitting = words(value, slot, LONDON) if slot.form is not Form.LINE else Words(str(value))
    assert suited(slot, fitting).text == text
