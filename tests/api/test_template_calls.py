"""Templates: written by one person, approved by another, and used only then."""

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from gateway.access import Scope
from gateway.api.examples import TEMPLATE
from tests.api.office import DIRECTORY, NOTICE, Office

TRIP = "/v1/templates/trip"
APPROVAL = f"{TRIP}/versions/1/approve"
USE = {name: value for name, value in NOTICE.items() if name != "content"} | {
    "template": "trip",
    "values": {"place": "Elm Wood", "day": "2026-06-20"},
}


@pytest_asyncio.fixture
async def pair(office: Office) -> Office:
    """Give an office where two people may write and approve."""
    await office.make_key("author", Scope.ADMIN)
    await office.make_key("second", Scope.ADMIN)
    return office


async def test_the_life_of_a_template(pair: Office) -> None:
    """Written, it waits; its author cannot approve it; approved by another person it can be used."""
    written = await pair.call("PUT", TRIP, TEMPLATE, key="author")
    assert written.status == 201
    assert (written.json["usable"], written.json["shown"]) == (False, 1)
    assert written.json["placeholders"] == ["day", "place"]
    assert written.json["document"] == TEMPLATE | {
        "sources": {language: {"short": None, **source} for language, source in TEMPLATE["sources"].items()}
    }

    waiting = await pair.post("/v1/notifications", USE, key="send")
    assert waiting.status == 422
    assert "waits for its approval" in waiting.as_problem()["detail"]

    own = await pair.post(APPROVAL, None, key="author")
    assert own.status == 409
    assert "a second person" in own.as_problem()["detail"]

    first, again = [await pair.post(APPROVAL, None, key="second") for _ in range(2)]
    assert first.status == again.status == 200
    assert first.json == again.json
    (version,) = first.json["versions"]
    assert version["status"] == "approved"
    assert version["author"] != version["approved_by"]
    assert (await pair.post("/v1/notifications", USE, key="send")).status == 202


async def test_a_new_version_does_not_disturb_the_one_in_use(pair: Office) -> None:
    """While the second version waits the first is used; the second can be read by its number."""
    await pair.call("PUT", TRIP, TEMPLATE, key="author")
    await pair.post(APPROVAL, None, key="second")
    other = TEMPLATE | {"categories": ["newsletter"]}
    assert (await pair.call("PUT", TRIP, other, key="author")).json["shown"] == 2

    in_use = (await pair.call("GET", TRIP, key="read")).json
    assert (in_use["shown"], in_use["usable"], in_use["categories"]) == (1, True, ["routine"])
    draft = (await pair.call("GET", f"{TRIP}?version=2", key="read")).json
    assert (draft["shown"], draft["categories"]) == (2, ["newsletter"])
    assert [version["status"] for version in draft["versions"]] == ["draft", "approved"]
    listed = (await pair.call("GET", "/v1/templates", key="send")).json["items"]
    assert next(item for item in listed if item["name"] == "trip")["categories"] == ["routine"]


async def test_the_same_text_put_again_stays_one_version(pair: Office) -> None:
    """A repeated PUT changes nothing, even when it comes many times at once."""
    answers = await asyncio.gather(*(pair.call("PUT", TRIP, TEMPLATE, key="author") for _ in range(5)))
    assert {answer.status for answer in answers} <= {200, 201, 409}
    again = await pair.call("PUT", TRIP, TEMPLATE, key="second")
    assert again.status == 200
    assert [version["version"] for version in again.json["versions"]] == [1]


@pytest.mark.asyncio(loop_scope="module")
async def test_the_built_in_templates_are_listed(quiet_office: Office) -> None:
    """Each with its categories, languages and the values it needs."""
    items = (await quiet_office.call("GET", "/v1/templates", key="read")).json["items"]
    absence = next(item for item in items if item["name"] == "absence")
    assert (absence["built_in"], absence["usable"], absence["versions"]) == (True, True, [])
    assert absence["categories"] == ["attendance"]
    assert {"en", "pl", "ur"} <= set(absence["languages"])
    assert absence["placeholders"] == ["absence_date"]
    one = (await quiet_office.call("GET", "/v1/templates/absence", key="read")).json
    assert "((absence_date))" in one["document"]["sources"]["en"]["subject"]


SOURCE = TEMPLATE["sources"]["en"]
MISTAKES: list[tuple[str, Any, str, str]] = [
    ("no categories", TEMPLATE | {"categories": []}, "/categories", "Name at least one category"),
    ("unknown category", TEMPLATE | {"categories": ["zebra"]}, "/categories/0", "one of account, attendance"),
    ("no sources", TEMPLATE | {"sources": {}}, "/sources", "in at least one language"),
    ("no subject", TEMPLATE | {"sources": {"en": SOURCE | {"subject": " "}}}, "/sources/en", "The subject is empty"),
    ("no body", TEMPLATE | {"sources": {"en": SOURCE | {"body": ""}}}, "/sources/en", "The body is empty"),
    ("no language", TEMPLATE | {"sources": {"zebra crossing": SOURCE}}, "/sources/zebra crossing", "BCP 47"),
    ("other language", TEMPLATE | {"sources": {"pl": SOURCE}}, "/sources/pl", "Write the language as pl"),
    ("other spelling", TEMPLATE | {"sources": {"EN": SOURCE}}, "/sources/EN", "Write the language as en"),
    (
        "placeholder lost in translation",
        TEMPLATE | {"sources": {"en": SOURCE, "pl": SOURCE | {"language": "pl", "body": "((place)), ((Bus No))"}}},
        "/sources/en",
        "lacks placeholders that other languages have: Bus No.",
    ),
    (
        "another person's data",
        {"categories": ["routine"], "sources": {"en": SOURCE | {"body": "((contact_name)), ring ((Mother phone))."}}},
        "/sources/en",
        "The placeholder ((Mother phone)) asks for data of one of the student's people",
    ),
    ("unsafe link", TEMPLATE | {"sources": {"en": SOURCE | {"body": "[a](javascript:b)"}}}, "/sources/en", "Line 1:"),
    ("unknown field", TEMPLATE | {"zebra": 1}, "/zebra", "There is no field 'zebra' here"),
    ("text for source", TEMPLATE | {"sources": {"en": "Hello"}}, "/sources/*", "must be an object, not a text"),
]  # fmt: skip


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("document", "pointer", "sentence"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES]
)
async def test_a_mistake_in_a_template_is_named(
    quiet_office: Office, document: Any, pointer: str, sentence: str
) -> None:
    """Nothing is kept of a template that could not be shown as meant."""
    answer = await quiet_office.call("PUT", TRIP, document)
    assert answer.status == 422, answer.text
    problem = answer.as_problem()
    assert problem["errors"][0]["pointer"] == pointer
    assert sentence in problem["detail"]
    assert (await quiet_office.call("GET", TRIP)).status == 404


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ["Trip", "a b", "%C3%A9", "-x", "x" * 101])
async def test_a_name_is_plain(quiet_office: Office, name: str) -> None:
    """A template's name can be said on the telephone and stands in a URL as it is."""
    answer = await quiet_office.call("PUT", f"/v1/templates/{name}", TEMPLATE)
    assert answer.status == 422
    assert answer.as_problem()["errors"][0]["pointer"] == "name"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/templates/absence?version=1"),
        ("GET", "/v1/templates/none?version=1"),
        ("POST", "/v1/templates/absence/versions/1/approve"),
        ("POST", "/v1/templates/none/versions/zebra/approve"),
        ("POST", "/v1/templates/none/versions/99999999999999999999/approve"),
    ],
)
async def test_a_version_that_is_none(quiet_office: Office, method: str, path: str) -> None:
    """Built-in templates have no versions of the school's, and others are not found."""
    assert (await quiet_office.call(method, path)).status == 404


def saying(body: str, **parts: str) -> Any:
    """Make a template that says this."""
    return TEMPLATE | {"sources": {"en": {"language": "en", "subject": "News", "body": body, **parts}}}


TELLING = [
    (saying("Hello,\n\nplease ask Cleo  QUILL."), "/sources/en/body", "Line 3 has the name of a contact"),
    (saying("Ring 07700 900001."), "/sources/en/body", "Line 1 has a telephone number of a contact"),
    (saying("Write to\nCleo@Example.org, please."), "/sources/en/body", "Line 2 has an e-mail address of a contact"),
    (saying("Ask Cleo\nQuill."), "/sources/en/body", "The text has the name of a contact"),
    (saying("Ask.", subject="Ask Cleo Quill"), "/sources/en/subject", "Line 1 has the name of a contact"),
    (saying("Ask.", short="Ring +44 7700 900001"), "/sources/en/short", "Line 1 has a telephone number of a contact"),
]


@pytest.mark.parametrize(("document", "pointer", "sentence"), TELLING)
async def test_a_template_tells_of_nobody(small_office: Office, document: Any, pointer: str, sentence: str) -> None:
    """Whoever reads it would learn it (R35): refused by its place, never its value, unless somebody else is meant."""
    answer = await small_office.call("PUT", TRIP, document)
    assert answer.status == 422, answer.text
    (error,) = answer.as_problem()["errors"]
    assert error["pointer"] == pointer
    assert error["detail"].startswith(sentence)
    assert not any(value in answer.text for value in ("Cleo", "cleo", "QUILL", "900001"))
    assert (await small_office.call("GET", TRIP)).status == 404
    assert (await small_office.call("PUT", f"{TRIP}?confirmed=true", document)).status == 201


async def test_what_is_confidential_cannot_be_confirmed(small_office: Office) -> None:
    """Not even its postcode."""
    refuge = {
        "id": "P3", "contact": "C1", "channel": "letter", "confidential": True,
        "address": {"lines": ["7 Quiet Lane"], "postcode": "ZZ9 9ZZ"},
    }  # fmt: skip
    hidden = DIRECTORY | {"contact_points": [*DIRECTORY["contact_points"], refuge]}
    assert (await small_office.call("PUT", "/v1/directory", hidden)).json["refused"] == []
    for body in ("Meet at zz99zz.", "Meet at 7, quiet lane."):
        answer = await small_office.call("PUT", f"{TRIP}?confirmed=true", saying(body))
        assert answer.status == 422, answer.text
        assert "it is confidential" in answer.as_problem()["detail"]


async def test_a_single_name_is_nobodys(small_office: Office) -> None:
    """The month, the flower and a teacher are not the contact of that name."""
    assert (await small_office.call("PUT", TRIP, saying("Mrs Quill and Cleo the cat will come."))).status == 201
