"""The office's view of consent: every standing and answer, and answers that come by telephone or on paper (R14)."""

from typing import Any

import pytest

from gateway.store.tables import chronology, consent_answers, tasks
from tests.api.office import DIRECTORY, NOTICE, Office

SECOND_PARENT: dict[str, Any] = {
    **DIRECTORY,
    "contacts": [
        *DIRECTORY["contacts"],
        {"id": "C2", "given_name": "Dermot", "family_name": "Hale", "language": "en"},
    ],
    "contact_points": [
        *DIRECTORY["contact_points"],
        {"id": "P3", "contact": "C2", "channel": "email", "address": "dermot@example.org"},
    ],
    "relationships": [
        *DIRECTORY["relationships"],
        *({"student": student, "contact": "C2", "natural_parent": True} for student in ("S1", "S2")),
    ],
}
QUESTION = {**NOTICE, "category": "consent", "purpose": "consent", "audience": {"students": ["S1", "S2"]}}
CALL = {"student": "S1", "contact": "C1", "answer": "yes", "origin": "phone"}


async def asked(office: Office, **fields: Any) -> str:
    """Ask for consent about both children; gives the path of the answers."""
    assert (await office.call("PUT", "/v1/directory", SECOND_PARENT)).status == 200
    posted = await office.post("/v1/notifications", {**QUESTION, **fields})
    assert posted.status == 202, posted.text
    await office.deliver(posted.json["id"])
    return f"/v1/notifications/{posted.json['id']}/answers"


async def count(office: Office, table: Any) -> int:
    """Count the rows of a table."""
    async with office.gateway.database.reading() as connection:
        return len((await connection.execute(table.select())).all())


async def test_the_office_sees_every_answer(office: Office) -> None:
    """Standing by standing, with who said what, when and how, and for whom it waits."""
    path = await asked(office, consent={"needed": "all_parents"}, respond_by="2026-06-20T16:00:00Z")
    seen = (await office.call("GET", path, key="read")).json
    assert (seen["needed"], seen["respond_by"]) == ("all_parents", "2026-06-20T16:00:00Z")
    assert [(item["student"], item["standing"], item["waiting_for"]) for item in seen["items"]] == [
        ("S1", "waiting", ["C1", "C2"]),
        ("S2", "waiting", ["C1", "C2"]),
    ]
    taken = await office.post(path, {**CALL, "note": "Rang back."}, key="send")
    assert taken.status == 201
    assert (taken.json["student"], taken.json["standing"], taken.json["waiting_for"]) == ("S1", "waiting", ["C2"])
    (answer,) = taken.json["answers"]
    key = answer.pop("taken_by")
    assert key
    assert answer == {
        "contact": "C1",
        "answer": "yes",
        "at": "2026-06-15T09:00:00Z",
        "origin": "phone",
        "delivery": None,
        "note": "Rang back.",
        "latest": True,
        "counts": True,
        "reason": None,
    }
    for change in ({"answer": "no", "origin": "paper"}, {"contact": "C2", "origin": "in_person"}):
        taken = await office.post(path, {**CALL, **change})
    assert taken.json["standing"] == "disputed"
    assert [(each["contact"], each["answer"], each["latest"], each["counts"]) for each in taken.json["answers"]] == [
        ("C1", "yes", False, False),
        ("C1", "no", True, True),
        ("C2", "yes", True, True),
    ]
    assert (await office.call("GET", path)).json["items"][0] == taken.json
    (task,) = (await office.call("GET", "/v1/tasks?kind=consent_disputed")).json["items"]
    assert (task["student"], task["contact"], task["owner"]) == ("S1", None, "office")


async def test_one_yes_is_enough_unless_more_is_asked_for(office: Office) -> None:
    """Without a word about it any one parent's yes suffices."""
    path = await asked(office)
    assert (await office.call("GET", path)).json["needed"] == "any_one"
    assert (await office.post(path, CALL)).json["standing"] == "granted"


async def test_what_does_not_count_says_why(small_office: Office) -> None:
    """An answer of somebody who is barred by now stands there with the rule."""
    path = await asked(small_office)
    await small_office.post(path, {**CALL, "contact": "C2", "answer": "no"})
    order = {"id": "R1", "student": "S1", "contact": "C2", "effect": "deny", "basis": "court_order", "status": "active"}
    await small_office.call("PUT", "/v1/directory", {**SECOND_PARENT, "restrictions": [order]})
    item = (await small_office.call("GET", path)).json["items"][0]
    assert (item["standing"], item["waiting_for"]) == ("waiting", ["C1"])
    (answer,) = item["answers"]
    assert (answer["latest"], answer["counts"]) == (True, False)
    assert answer["reason"].startswith("R01: ")


async def test_students_come_in_pages(small_office: Office) -> None:
    """Page after page, each student once."""
    path = await asked(small_office)
    first = (await small_office.call("GET", f"{path}?limit=1")).json
    second = (await small_office.call("GET", first["links"]["next"])).json
    last = (await small_office.call("GET", second["links"]["next"])).json
    assert [[item["student"] for item in page["items"]] for page in (first, second, last)] == [["S1"], ["S2"], []]
    assert last["links"]["next"] is None
    for query in ("limit=0", "cursor=nonsense"):
        assert (await small_office.call("GET", f"{path}?{query}")).status == 422


@pytest.mark.parametrize(
    ("change", "status", "pointer"),
    [
        ({"student": "nobody"}, 422, "/student"),
        ({"student": "S1\n"}, 422, "/student"),
        ({"contact": "nobody"}, 422, "/contact"),
        ({"contact": ""}, 422, "/contact"),
        ({"answer": "perhaps"}, 422, "/answer"),
        ({"answer": None}, 422, "/answer"),
        ({"origin": "secure_page"}, 422, "/origin"),
        ({"note": "x" * 1001}, 422, "/note"),
        ({"note": "\0"}, 422, None),
        ({"delivery": "d"}, 422, None),
        ({"note": "x" * 40_000}, 413, None),
    ],
)
async def test_what_makes_no_sense_is_refused(
    small_office: Office, change: dict[str, Any], status: int, pointer: str | None
) -> None:
    """One sentence, the field, and nothing recorded."""
    path = await asked(small_office)
    refused = await small_office.post(path, {**CALL, **change})
    assert refused.status == status, refused.text
    if pointer is not None:
        assert refused.as_problem()["errors"][0]["pointer"] == pointer
    assert await count(small_office, consent_answers) == 0
    assert await count(small_office, tasks) == 0


async def test_who_was_not_asked_has_no_answer(small_office: Office) -> None:
    """A student outside the message, a contact barred from the start: nothing is taken down for them."""
    order = {"id": "R1", "student": "S1", "contact": "C2", "effect": "deny", "basis": "court_order", "status": "active"}
    await small_office.call("PUT", "/v1/directory", {**SECOND_PARENT, "restrictions": [order]})
    posted = await small_office.post("/v1/notifications", {**QUESTION, "audience": {"students": ["S1"]}})
    await small_office.deliver(posted.json["id"])
    path = f"/v1/notifications/{posted.json['id']}/answers"
    for change, pointer in (({"student": "S2"}, "/student"), ({"contact": "C2"}, "/contact")):
        refused = await small_office.post(path, {**CALL, **change})
        assert (refused.status, refused.as_problem()["errors"][0]["pointer"]) == (422, pointer)
    assert await count(small_office, consent_answers) == 0


async def test_only_questions_have_answers(small_office: Office) -> None:
    """A notice has none, and what is not there neither; nor has another school's question."""
    posted = await small_office.post("/v1/notifications", NOTICE)
    for path, status in ((f"/v1/notifications/{posted.json['id']}/answers", 409), ("/v1/notifications/x/answers", 404)):
        assert (await small_office.call("GET", path)).status == status
        assert (await small_office.post(path, CALL)).status == status


async def test_keys_need_the_scope(small_office: Office) -> None:
    """To read is one thing, to take an answer down another; parents have no key at all."""
    path = await asked(small_office)
    for key, may_read, may_write in (("read", 200, 403), ("send", 403, 201), ("directory", 403, 403), (None, 401, 401)):
        assert (await small_office.call("GET", path, key=key)).status == may_read
        assert (await small_office.post(path, CALL, key=key)).status == may_write


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_answers_are_never_changed(small_office: Office, method: str) -> None:
    """The record only grows."""
    path = await asked(small_office)
    assert (await small_office.call(method, path, CALL)).status == 405


async def test_a_late_slip_of_paper_is_taken(small_office: Office) -> None:
    """The deadline closes the page; a person at the office may still take an answer, or take a yes back."""
    path = await asked(small_office, respond_by="2026-06-16T09:00:00Z")
    small_office.clock.now = small_office.clock.now.replace(day=16)
    assert (await small_office.call("GET", path)).json["items"][0]["standing"] == "expired"
    assert (await small_office.post(path, CALL)).json["standing"] == "granted"
    assert (await small_office.post(path, {**CALL, "answer": "no"})).json["standing"] == "refused"


async def test_a_contacts_chronology_is_silent_about_the_others(small_office: Office) -> None:
    """Hers holds her own answer alone, his his."""
    path = await asked(small_office)
    await small_office.post(path, {**CALL, "note": "Between us."})
    await small_office.post(path, {**CALL, "contact": "C2", "answer": "no"})
    for contact, own in (("C1", "yes"), ("C2", "no")):
        items = (await small_office.call("GET", f"/v1/contacts/{contact}/chronology")).json["items"]
        (answer,) = [item for item in items if item["event"] == "consent_answered"]
        assert f'"answer":"{own}"' in answer["detail"]
        assert "Between us" not in str(items)
    assert await count(small_office, chronology) >= 2


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"category": "routine", "consent": {"needed": "any_one"}}, "/consent"),
        ({"category": "meeting", "consent": {}}, "/consent"),
        ({"consent": {"needed": "both"}}, "/consent/needed"),
        ({"consent": {"wanted": "any_one"}}, "/consent/wanted"),
        ({"consent": "any_one"}, "/consent"),
        ({"respond_by": "2026-06-15T08:59:00Z"}, "/respond_by"),
        ({"send_at": "2026-06-17T09:00:00Z", "respond_by": "2026-06-17T09:00:00Z"}, "/respond_by"),
    ],
)
async def test_a_question_must_make_sense(small_office: Office, fields: dict[str, Any], pointer: str) -> None:
    """Only consent asks for answers, from one or from all, and by a time after it is asked."""
    refused = await small_office.post("/v1/notifications", {**QUESTION, **fields})
    assert refused.status == 422
    assert refused.as_problem()["errors"][0]["pointer"] == pointer
