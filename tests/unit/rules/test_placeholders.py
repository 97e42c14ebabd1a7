"""R35: placeholders that ask for another person's data, and those that only look like it."""

import tomllib
from pathlib import Path

import pytest

from gateway.rules.placeholders import another_persons, asks_for_another

LIBRARY = Path(__file__).parents[3] / "gateway" / "content" / "library"


@pytest.mark.parametrize(
    "name",
    [
        "mother_name", "Mother's phone", "mothers name", "MotherEmail", "motherphone", "mum", "mum-address", "step_mum",
        "stepfather_name", "father_answer", "fathers_booking", "dad_language", "grandma_phone", "spouse_email",
        "other_parent", "other_parent_name", "otherParentEmail", "otherparentphone", "another carer", "ex parent",
        "parent2", "parent_2_name", "parent1", "carer2_phone", "Carer 2", "guardian1email", "contact_2",
        "contact2phone",
        "second_contact", "second_contact_address", "secondary carer", "2nd_parent", "primary_contact_name",
        "name_of_other_parent", "answer_of_the_other", "phone of another", "address_of_mother",
        "parent_name", "parents_names", "carer phone", "guardian_email", "parent_answer", "parentname",
        "mãe_nome", "père", "matka_telefon", "telefon_ojca", "rodzic2", "tad_enw",
    ],
)  # fmt: skip
def test_names_that_ask_for_another_person(name: str) -> None:
    """In any spelling: whoever it is called after, everybody would read it."""
    assert asks_for_another(name)
    (sentence,) = another_persons([name, "place"])
    assert f"(({name}))" in sentence
    assert sentence.endswith("((contact_name)).")


@pytest.mark.parametrize(
    "name",
    [
        "contact_name", "student_names", "school_name", "link", "unsubscribe_link", "place", "day", "Room no",
        "mother_tongue", "mothers_day_date", "Mother's Day", "fathers day", "parents_evening", "parents_evening_2",
        "second_parents_evening_date", "parent_portal_link", "guardian_consent_deadline", "parent_booking_link",
        "contact_number", "contact_email", "teacher_name", "teacher2", "other", "other_information", "another_date",
        "number_of_days", "state_of_play", "summary", "mammals", "padlock", "dadaism", "moment", "badminton", "amount",
        "list_of_parents_needed", "secondary_school", "first_day", "primary_year", "attendance_percent", "", "--",
    ],
)  # fmt: skip
def test_names_that_ask_for_nobody(name: str) -> None:
    """The reader's own, the school's, and words in which a person's happens to stand."""
    assert not asks_for_another(name)


def test_the_built_in_templates_ask_for_nobody() -> None:
    """Every value of the library has a sample, by which its name is known."""
    names = [
        name
        for about in sorted(LIBRARY.glob("*/template.toml"))
        for name in tomllib.loads(about.read_text(encoding="utf-8"))["sample"]
    ]
    assert names
    assert another_persons(names) == []
