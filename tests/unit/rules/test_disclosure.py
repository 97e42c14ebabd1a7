"""R38: what a text would give away of another contact."""

import time
from typing import Any

import pytest

from gateway.directory.indexing import DirectoryIndex
from gateway.rules.disclosure import DirectorySearch, find_disclosures
from tests.unit.rules.households import directory, email, letter, mobile, relation

INDEX = DirectoryIndex(
    directory(
        students=[
            {"id": "kid", "given_name": "Ravi", "family_name": "Menon"},
            {"id": "other", "given_name": "Tom", "family_name": "Hale"},
        ],
        contacts=[
            {"id": "mum", "given_name": "Déepa", "family_name": "Iyer"},
            {"id": "dad", "given_name": "Suresh", "family_name": "Menon"},
            {"id": "may", "given_name": "May", "family_name": "Menon"},
            {"id": "hale", "given_name": "Zora", "family_name": "Hale"},
        ],
        relationships=[relation(), relation("dad"), relation("may"), relation("hale", "other")],
        contact_points=[
            email("mum"),
            mobile("mum", "07700 900123"),
            {**letter("mum", "9 Undisclosed Way"), "confidential": True},
            {**letter("dad", "55 Weir Street"), "address": {"lines": ["55 Weir Street"], "postcode": "ZZ8 8ZZ"}},
            {**letter("may", "55 Weir Street"), "address": {"lines": ["55 Weir Street"], "postcode": "ZZ8 8ZZ"}},
        ],
    )
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ravi was late twice this week.", []),
        ("Please talk to Deepa Iyer about it.", [("name", False)]),
        ("please talk to DÉEPA about it.", [("name", False)]),
        ("Mrs Iyer has been told.", [("name", False)]),
        ("Menon is on the list; so is Suresh.", []),
        ("May Menon will bring him.", [("name", False)]),
        ("He may come in May.", [("name", False)]),
        ("He may come in June.", []),
        ("Call 07700-900 123 today.", [("number", False)]),
        ("Call +44 (0) 7700 900123, or 07700 900999.", [("number", False)]),
        ("Call 07700 900124.", []),
        ("Write to MUM@example.org.", [("email", False)]),
        ("Write to mum@example.organisation.", []),
        ("x@example.org,mum@example.org", [("email", False)]),
        ("Her postcode is zz9-9zz now.", [("postcode", True)]),
        ("She moved to 9, undisclosed way.", [("address", True)]),
        ("You live at 55 Weir Street, ZZ8 8ZZ.", []),
        ("Zora Hale sends her regards.", []),
    ],
)
def test_a_text_to_the_father(text: str, expected: list[tuple[str, bool]]) -> None:
    """What is his own, his child's or shared with him may stand; what is another contact's is found."""
    found = find_disclosures(text, recipient="dad", students=["kid"], index=INDEX)
    assert [(disclosure.kind.value, disclosure.confidential) for disclosure in found] == expected


def test_a_long_text_without_blanks_takes_no_time() -> None:
    """As long as anything that is looked at; a search that begins anew at each letter would take half an hour."""
    started = time.process_time()
    assert find_disclosures("a" * 500_000, recipient="dad", students=["kid"], index=INDEX) == []
    assert time.process_time() - started < 5


def test_her_own_confidential_address_may_stand_in_her_own_letter() -> None:
    """Invariant 11: a confidential value may reach its owner."""
    text = "Dear Déepa Iyer, 9 Undisclosed Way, ZZ9 9ZZ"
    assert find_disclosures(text, recipient="mum", students=["kid"], index=INDEX) == []


def test_each_students_contacts_count() -> None:
    """A message about two students is searched for the contacts of both."""
    options: Any = {"recipient": "dad", "index": INDEX}
    assert find_disclosures("Zora asked.", students=["kid"], **options) == []
    assert len(find_disclosures("Zora asked.", students=["kid", "other"], **options)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ask Déepa  Iyer, or deepa iyer.", [("name", False)]),
        ("Zora\nHale has it.", [("name", False)]),
        ("Mrs Iyer, May and Zora have it.", []),
        ("Iyer Deepa", []),
        ("Call +44 (0) 7700 900123.", [("number", False)]),
        ("Call 07700 900124.", []),
        ("Write to MUM@example.org, not to mum@example.organisation.", [("email", False)]),
        ("It is zz9-9zz now.", [("postcode", True)]),
        ("It is 55 Weir Street, ZZ8 8ZZ.", [("postcode", False)]),
        ("She moved to 9, undisclosed way.", [("address", True)]),
        ("Way 9 is undisclosed.", []),
        ("", []),
    ],
)
def test_a_text_for_nobody_in_particular(text: str, expected: list[tuple[str, bool]]) -> None:
    """Anybody's full name and places are found, a part of a name is not."""
    search = DirectorySearch(INDEX.directory.contacts, INDEX.directory.contact_points, "GB")
    assert [(disclosure.kind.value, disclosure.confidential) for disclosure in search.find(text)] == expected
