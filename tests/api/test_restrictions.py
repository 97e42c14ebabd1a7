"""The restrictions register over the API: two people, evidence, history, and a record of who looked."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.access import Scope
from tests.api.office import DIRECTORY, Answer, Office, opened

ORDER: dict[str, Any] = {
    "student": "S1",
    "contact": "C2",
    "effect": "deny",
    "basis": "court_order",
    "until": "2027-06-15",
    "evidence": "Safe 2, order of 12 June, page 3",
    "note": "Handed in by the mother.",
}

SCHOOL = DIRECTORY | {
    "contacts": [*DIRECTORY["contacts"], {"id": "C2", "given_name": "Dan", "family_name": "Quill"}],
    "relationships": [
        *DIRECTORY["relationships"],
        {"student": "S1", "contact": "C2", "relation": "father", "parental_responsibility": "yes"},
    ],
}


@pytest_asyncio.fixture
async def office(database_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """Give an office where two people keep the register: the lead and the head."""
    async with opened(database_url, tmp_path, directory=SCHOOL) as office:
        await office.make_key("lead", Scope.ADMIN)
        await office.make_key("head", Scope.ADMIN)
        yield office


async def begin(office: Office, *, key: str = "lead", **change: Any) -> Any:
    """Begin a restriction and give it."""
    answer = await office.post("/v1/restrictions", ORDER | change, key=key)
    assert answer.status == 201, answer.text
    return answer.json


async def in_force(office: Office, **change: Any) -> str:
    """Begin a restriction, have the head approve it, and give its id."""
    begun = await begin(office, **change)
    approved = await act(office, begun["id"], "approve", key="head")
    assert approved.status == 200, approved.text
    return str(begun["id"])


async def act(office: Office, restriction: str, verb: str, body: Any = None, *, key: str = "lead") -> Answer:
    """Take one step."""
    return await office.call("POST", f"/v1/restrictions/{restriction}/{verb}", body, key=key)


async def seen(office: Office, restriction: str, *, key: str = "lead") -> Any:
    """Look at a restriction."""
    return (await office.call("GET", f"/v1/restrictions/{restriction}", key=key)).json


async def test_a_restriction_begins_as_a_draft_that_acts(office: Office) -> None:
    """From the moment it is handed in it bars, and says what it waits for."""
    begun = await begin(office)
    assert (begun["status"], begun["live"]) == ("draft", True)
    assert begun["waiting"]["step"] == "created"
    assert begun["waiting"]["status"] == "active"
    assert begun["evidence"] == ORDER["evidence"]


async def test_nobody_approves_their_own_draft(office: Office) -> None:
    """The second person is another one."""
    begun = await begin(office)
    refused = await act(office, begun["id"], "approve")
    assert refused.status == 409
    assert "second person" in refused.as_problem()["detail"]
    approved = await act(office, begun["id"], "approve", key="head")
    assert approved.status == 200
    assert approved.json["status"] == "active"
    assert approved.json["waiting"] is None
    assert approved.json["created_by"] != approved.json["approved_by"]


async def test_nobody_lifts_a_bar_alone(office: Office) -> None:
    """Neither by rejecting one's own draft nor by superseding what is in force."""
    begun = await begin(office)
    assert (await act(office, begun["id"], "reject")).status == 409
    assert (await act(office, begun["id"], "supersede", key="lead")).status == 409
    assert (await seen(office, begun["id"]))["live"]
    order = await in_force(office)
    asked = await act(office, order, "supersede", {"note": "The order was lifted."}, key="head")
    assert (asked.json["status"], asked.json["live"]) == ("active", True)
    assert (await act(office, order, "approve", key="head")).status == 409
    lifted = await act(office, order, "approve", key="lead")
    assert (lifted.json["status"], lifted.json["live"]) == ("superseded", False)


async def test_a_second_person_finds_a_draft_unfounded(office: Office) -> None:
    """A rejected draft is superseded, and nothing can be done with it any more."""
    begun = await begin(office)
    rejected = await act(office, begun["id"], "reject", {"note": "The order is about another child."}, key="head")
    assert (rejected.json["status"], rejected.json["live"]) == ("superseded", False)
    for verb in ("approve", "reject", "supersede", "review"):
        assert (await act(office, begun["id"], verb, key="head")).status == 409


async def test_a_wish_that_does_not_act_yet_can_be_taken_back(office: Office) -> None:
    """Whoever asked to lift a bar may think better of it; the bar never stopped."""
    order = await in_force(office)
    await act(office, order, "supersede")
    back = await act(office, order, "reject")
    assert (back.status, back.json["status"], back.json["waiting"]) == (200, "active", None)
    assert (await act(office, order, "approve", key="head")).status == 409


async def test_one_change_waits_at_a_time(office: Office) -> None:
    """An approval can only mean what its giver looked at."""
    order = await in_force(office)
    asked = await act(office, order, "supersede")
    assert (await act(office, order, "review", {"until": "2028-01-01"}, key="head")).status == 409
    waiting = asked.json["waiting"]["change"]
    other = await act(office, order, "approve", {"change": waiting - 1}, key="head")
    assert other.status == 409
    assert (await act(office, order, "approve", {"change": waiting}, key="head")).status == 200


async def test_two_second_persons_at_once_decide_once(office: Office) -> None:
    """Of an approval and a rejection at the same moment one wins and the other is told."""
    await office.make_key("deputy", Scope.ADMIN)
    begun = await begin(office)
    answers = await asyncio.gather(
        act(office, begun["id"], "approve", key="head"), act(office, begun["id"], "reject", key="deputy")
    )
    assert sorted(answer.status for answer in answers) == [200, 409]
    assert len((await seen(office, begun["id"]))["history"]) == 2


async def test_a_later_end_bars_at_once_and_a_rejection_takes_it_back(office: Office) -> None:
    """What protects does not wait for the second person, who may still say no."""
    order = await in_force(office)
    longer = await act(office, order, "review", {"until": "2028-06-15", "evidence": "Order of 1 June"})
    assert longer.json["until"] == "2028-06-15"
    assert longer.json["waiting"]["step"] == "review_asked"
    assert (await act(office, order, "reject")).status == 409
    back = await act(office, order, "reject", key="head")
    assert (back.json["until"], back.json["reviewed_on"]) == ("2027-06-15", None)


async def test_an_earlier_end_waits_for_the_second_person(office: Office) -> None:
    """A shorter bar is a weaker one."""
    order = await in_force(office)
    shorter = await act(office, order, "review", {"until": "2026-12-31"})
    assert shorter.json["until"] == "2027-06-15"
    assert shorter.json["waiting"]["until"] == "2026-12-31"
    agreed = await act(office, order, "approve", key="head")
    assert (agreed.json["until"], agreed.json["reviewed_on"]) == ("2026-12-31", "2026-06-15")


async def test_a_review_that_lets_a_bar_end_waits(office: Office) -> None:
    """Reviewed in its last month a bar ends instead of lapsing: that takes two people."""
    order = await in_force(office, until="2026-06-20")
    reviewed = await act(office, order, "review")
    assert reviewed.json["reviewed_on"] is None
    assert (await act(office, order, "approve", key="head")).json["reviewed_on"] == "2026-06-15"


async def test_a_longer_order_to_send_waits(office: Office) -> None:
    """An order to send reaches somebody against a wish or a flag, so more of it takes two people."""
    order = await in_force(office, effect="must_send", until="2026-12-31")
    longer = await act(office, order, "review", {"until": "2028-06-15"})
    assert longer.json["until"] == "2026-12-31"


async def test_a_safeguarding_restriction_is_reviewed_within_90_days(office: Office) -> None:
    """It has a reason, and without an end of its own it runs from the day it was made (R02)."""
    body = {key: value for key, value in ORDER.items() if key not in {"until", "evidence"}}
    begun = await office.post("/v1/restrictions", body | {"basis": "safeguarding"}, key="lead")
    assert (begun.json["from"], begun.json["last_day"]) == ("2026-06-15", "2026-09-13")
    without = {key: value for key, value in body.items() if key != "note"}
    refused = await office.post("/v1/restrictions", without | {"basis": "safeguarding"}, key="lead")
    assert refused.as_problem()["errors"][0]["pointer"] == "/note"


async def test_a_restriction_gives_way_to_another_of_the_same_pair(office: Office) -> None:
    """The successor is one that can bar the same contact."""
    old, new = await in_force(office), await in_force(office)
    other = await in_force(office, student="S2", contact="C1")
    for by in ("none", old, other):
        refused = await act(office, old, "supersede", {"by": by})
        assert refused.as_problem()["errors"][0]["pointer"] == "/by"
    asked = await act(office, old, "supersede", {"by": new})
    assert asked.json["history"][-1]["successor"] == new


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"student": "S9"}, "/student"),
        ({"contact": "C9"}, "/contact"),
        ({"effect": "whisper"}, "/effect"),
        ({"basis": "hearsay"}, "/basis"),
        ({"categories": ["report", "zebra"]}, "/categories/1"),
        ({"channels": ["pigeon"]}, "/channels/0"),
        ({"channels": []}, "/channels"),
        ({"from": "2026-07-02", "until": "2026-07-01"}, "/until"),
        ({"from": "soon"}, "/from"),
        ({"evidence": None}, "/evidence"),
        ({"evidence": "  "}, "/evidence"),
        ({"evidence": None, "basis": "statute"}, "/evidence"),
        ({"evidence": None, "basis": "binding_agreement"}, "/evidence"),
        ({"status": "active"}, "/status"),
        ({"id": "mine"}, "/id"),
    ],
)
async def test_what_a_restriction_may_not_say(office: Office, change: dict[str, Any], pointer: str) -> None:
    """Each mistake is named by its field, and nothing is put on record."""
    refused = await office.post("/v1/restrictions", ORDER | change, key="lead")
    assert refused.status == 422, refused.text
    assert refused.as_problem()["errors"][0]["pointer"] == pointer
    assert (await office.call("GET", "/v1/restrictions")).json["items"] == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reviewed_on": "2026-06-16"}, "/reviewed_on"),
        ({"until": "2026-06-14"}, "/until"),
        ({"zebra": 1}, "/zebra"),
    ],
)
async def test_what_a_review_may_not_say(office: Office, body: dict[str, Any], pointer: str) -> None:
    """A review is no promise, and no way to end a bar in the past."""
    order = await in_force(office)
    refused = await act(office, order, "review", body)
    assert refused.status == 422
    assert refused.as_problem()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("scope", [scope.value for scope in Scope if scope is not Scope.ADMIN])
async def test_the_register_is_for_those_who_keep_it(office: Office, scope: str) -> None:
    """No other key reads or changes a restriction."""
    order = await in_force(office)
    for method, path in (
        ("GET", "/v1/restrictions"),
        ("GET", f"/v1/restrictions/{order}"),
        ("GET", f"/v1/restrictions/{order}/views"),
        ("POST", f"/v1/restrictions/{order}/supersede"),
        ("POST", f"/v1/restrictions/{order}/approve"),
    ):
        assert (await office.call(method, path, key=scope)).status == 403
    assert (await office.post("/v1/restrictions", ORDER, key=scope)).status == 403


async def test_who_saw_what_is_recorded(office: Office) -> None:
    """A look at one restriction and a look at the list leave the same trace."""
    order = await in_force(office)
    lead, head = (await seen(office, order))["created_by"], (await seen(office, order, key="head"))["approved_by"]
    await office.call("GET", "/v1/restrictions?student=S1", key="head")
    await office.call("GET", "/v1/restrictions?student=S2", key="head")
    first = (await office.call("GET", f"/v1/restrictions/{order}/views?limit=2")).json
    rest = (await office.call("GET", first["links"]["next"])).json
    assert [view["viewer"] for view in first["items"] + rest["items"]] == [lead, head, head]
    assert rest["links"]["next"] is None


async def test_the_list_is_found_by_student_and_contact_and_paged(office: Office) -> None:
    """A page's successor keeps the filter; a misspelt id does not read as if nobody were barred."""
    wanted = sorted([(await begin(office))["id"] for _ in range(3)])
    await begin(office, student="S2", contact="C1")
    found: list[str] = []
    page: str | None = "/v1/restrictions?contact=C2&limit=2"
    while page is not None:
        answer = (await office.call("GET", page)).json
        found += [item["id"] for item in answer["items"]]
        page = answer["links"]["next"]
    assert sorted(found) == wanted
    assert len((await office.call("GET", "/v1/restrictions?student=S2")).json["items"]) == 1
    for name in ("student", "contact"):
        for nobody in ("S9", "a%00b"):
            refused = await office.call("GET", f"/v1/restrictions?{name}={nobody}")
            assert refused.status == 422
            assert refused.as_problem()["errors"][0]["pointer"] == name


async def test_every_version_is_kept(office: Office) -> None:
    """The history shows each step, whose it was, and what acted from then on."""
    order = await in_force(office)
    await act(office, order, "review", {"until": "2026-12-31", "note": "The court shortened it."})
    await act(office, order, "approve", key="head")
    history = (await seen(office, order))["history"]
    assert [step["step"] for step in history] == ["created", "approved", "review_asked", "approved"]
    assert [step["number"] for step in history] == [1, 2, 3, 4]
    assert [step["document"].get("status", "draft") for step in history] == ["draft", "active", "active", "active"]
    assert [step["document"]["until"] for step in history] == ["2027-06-15"] * 3 + ["2026-12-31"]
    assert [step["note"] for step in history] == [ORDER["note"], None, "The court shortened it.", None]


@pytest.mark.parametrize("person", ["students/S1", "contacts/C2"])
async def test_chronologies_tell_the_steps_and_never_the_reasons(office: Office, person: str) -> None:
    """Whoever may read chronologies learns that something was done, not on what ground."""
    order = await in_force(office)
    await act(office, order, "supersede", {"note": "The father sent a letter."})
    answer = await office.call("GET", f"/v1/{person}/chronology", key="read")
    events = [item["event"] for item in answer.json["items"] if item["event"].startswith("restriction_")]
    assert events == ["restriction_created", "restriction_approved", "restriction_supersede_asked"]
    for word in ("Safe 2", "court", "mother", "letter", "deny"):
        assert word not in answer.text


async def test_a_file_changes_nothing_that_two_people_decided(office: Office) -> None:
    """A directory that does not know of a restriction, or knows it otherwise, leaves it as it is."""
    order = await in_force(office)
    lifted = {key: ORDER[key] for key in ("student", "contact", "effect", "basis")} | {
        "id": order,
        "status": "superseded",
    }
    for restrictions in ([], [lifted]):
        put = await office.call("PUT", "/v1/directory", SCHOOL | {"restrictions": restrictions}, key="directory")
        assert put.status == 200
        assert (await seen(office, order))["status"] == "active"


async def test_a_draft_from_a_file_awaits_a_decision_too(office: Office) -> None:
    """Nobody is known to have asked for it, so whoever keeps the register decides."""
    draft = {key: ORDER[key] for key in ("student", "contact", "effect", "basis")} | {"id": "order-7"}
    await office.call("PUT", "/v1/directory", SCHOOL | {"restrictions": [draft]}, key="directory")
    found = await seen(office, "order-7")
    assert (found["status"], found["waiting"]["by"], found["history"]) == ("draft", None, [])
    approved = await act(office, "order-7", "approve", {"change": found["waiting"]["change"]}, key="head")
    assert (approved.status, approved.json["status"]) == (200, "active")


async def test_another_school_has_its_own_register(office: Office) -> None:
    """A key of one school finds nothing of another's."""
    order = await in_force(office)
    await office.make_key("elm", Scope.ADMIN, school="elm")
    elm = {"school": {"id": "elm", "name": "Elm School"}}
    assert (await office.call("PUT", "/v1/directory", elm, key="elm")).status == 200
    assert (await office.call("GET", f"/v1/restrictions/{order}", key="elm")).status == 404
    assert (await act(office, order, "approve", key="elm")).status == 404
    assert (await office.call("GET", "/v1/restrictions", key="elm")).json["items"] == []


async def test_an_objection_is_noted_and_becomes_a_task(office: Office) -> None:
    """A telephone call makes a note for the safeguarding lead, and no restriction (R03)."""
    said = {"student": "S1", "contact": "C2", "by": "C1", "note": "Wants him cut out."}
    noted = await office.post("/v1/objections", said, key="lead")
    assert noted.status == 201
    assert (await office.call("GET", f"/v1/objections/{noted.json['id']}")).json["note"] == said["note"]
    assert (await office.call("GET", "/v1/restrictions")).json["items"] == []
    (task,) = (await office.call("GET", "/v1/tasks", key="read")).json["items"]
    assert (task["kind"], task["owner"], task["student"], task["contact"]) == (
        "look_into_objection", "safeguarding", "S1", "C2",
    )  # fmt: skip
    for path in ("/v1/tasks", "/v1/students/S1/chronology", "/v1/contacts/C2/chronology"):
        assert "cut out" not in (await office.call("GET", path, key="read")).text
    father = (await office.call("GET", "/v1/contacts/C2/chronology", key="read")).json["items"]
    assert "objection_noted" in [item["event"] for item in father]


@pytest.mark.parametrize("name", ["student", "contact", "by"])
async def test_an_objection_names_people_of_the_school(office: Office, name: str) -> None:
    """A misspelt id is refused."""
    said = {"student": "S1", "contact": "C2", "by": "C1"} | {name: "X9"}
    refused = await office.post("/v1/objections", said)
    assert refused.status == 422
    assert refused.as_problem()["errors"][0]["pointer"] == f"/{name}"


async def test_dates_are_the_schools_own(office: Office) -> None:
    """Half past midnight in London is the next day there, although it is still the 15th in UTC."""
    order = await in_force(office)
    office.clock.now = dt.datetime(2026, 6, 15, 23, 30, tzinfo=dt.UTC)  # 00:30 on the 16th in London
    assert (await act(office, order, "review", {"reviewed_on": "2026-06-16"})).status == 200


async def test_without_a_directory_there_is_nobody_to_bar(new_office: Office) -> None:
    """The register says what is missing."""
    refused = await new_office.post("/v1/restrictions", ORDER)
    assert refused.status == 409
    assert "directory" in refused.as_problem()["detail"]
