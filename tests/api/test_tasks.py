"""The decision list: what waits, for whom, until when, what can be done, and who did it."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.access import Scope
from tests.api.office import DIRECTORY, NOTICE, Office

DOUBTFUL = {
    **DIRECTORY,
    "contacts": [*DIRECTORY["contacts"], {"id": "C2", "given_name": "Dorian", "family_name": "Moss"}],
    "contact_points": [
        *DIRECTORY["contact_points"],
        {"id": "P3", "contact": "C2", "channel": "email", "address": "dorian@example.org"},
    ],
    "relationships": [
        *DIRECTORY["relationships"],
        {"student": "S1", "contact": "C2", "lives_with": True},
        {"student": "S2", "contact": "C2", "lives_with": True},
    ],
}
"""The mother's partner lives with them; nobody knows whether he has parental responsibility (R13)."""


async def held(office: Office, *students: str, category: str = "emergency", **fields: Any) -> str:
    """Post a notification whose copies to the partner are held; gives its id."""
    assert (await office.call("PUT", "/v1/directory", DOUBTFUL, key="directory")).status == 200
    asked = {**NOTICE, "category": category, "audience": {"students": students or ("S1",)}, **fields}
    posted = await office.post("/v1/notifications", asked, key="alerts" if category == "emergency" else "send")
    assert posted.status == 202, posted.text
    await office.deliver(posted.json["id"])
    return str(posted.json["id"])


async def listed(office: Office, **filters: str) -> list[Any]:
    """List tasks as a reader."""
    items: list[Any] = (await office.call("GET", f"/v1/tasks?{urlencode(filters)}", key="read")).json["items"]
    return items


async def test_a_hold_is_on_the_list_at_once_with_the_way_out(office: Office) -> None:
    """Owner, deadline, and what a person can do; overdue as soon as its time is over."""
    notification = await held(office)
    (task,) = await listed(office)
    assert (task["kind"], task["owner"], task["student"], task["contact"]) == (
        "decide_hold", "safeguarding", "S1", "C2",
    )  # fmt: skip
    assert task["notification"] == notification
    assert (task["overdue"], task["paged_at"], task["acknowledged_at"]) == (False, None, None)
    assert [(action["method"], action["href"]) for action in task["actions"]] == [
        ("PUT", "/v1/directory"),
        ("POST", f"/v1/tasks/{task['id']}/acknowledge"),
        ("POST", f"/v1/tasks/{task['id']}/done"),
    ]
    assert "parental responsibility" in task["actions"][0]["does"]
    office.clock.now += dt.timedelta(minutes=2)
    assert (await listed(office))[0]["overdue"]


@pytest.mark.parametrize("key", ["alerts", "send"])
async def test_whoever_acknowledges_is_named_and_stays_named(office: Office, key: str) -> None:
    """The first answer stands; all holds of the alert are answered with it, and the chronology knows."""
    await held(office, "S1", "S2")
    first, second = await listed(office)
    answered = await office.call("POST", f"/v1/tasks/{first['id']}/acknowledge", key=key)
    assert answered.status == 200
    assert answered.json["acknowledged_by"] == office.keys[key].split("_")[1]
    again = await office.call("POST", f"/v1/tasks/{first['id']}/acknowledge", key="admin")
    assert again.json["acknowledged_by"] == answered.json["acknowledged_by"]
    assert {task["acknowledged_by"] for task in await listed(office)} == {answered.json["acknowledged_by"]}
    assert not any("acknowledge" in action["href"] for action in answered.json["actions"])
    for student in (first["student"], second["student"]):
        told = (await office.call("GET", f"/v1/students/{student}/chronology", key="read")).json["items"]
        assert "task_acknowledged" in [item["event"] for item in told]


async def test_what_is_done_leaves_the_list_with_its_note(office: Office) -> None:
    """Who did it and what they did is on record; it is done once."""
    await held(office)
    (task,) = await listed(office)
    done = await office.post(f"/v1/tasks/{task['id']}/done", {"note": "Telephoned him at work."}, key="alerts")
    assert done.status == 200
    assert (done.json["note"], done.json["done_by"]) == (
        "Telephoned him at work.", office.keys["alerts"].split("_")[1],
    )  # fmt: skip
    assert done.json["actions"] == []
    assert await listed(office) == []
    assert [item["id"] for item in await listed(office, open="false")] == [task["id"]]
    for path in ("done", "acknowledge"):
        body = {"note": "Again."}
        assert (await office.post(f"/v1/tasks/{task['id']}/{path}", body)).status == 409
    told = (await office.call("GET", "/v1/contacts/C2/chronology", key="read")).json["items"]
    assert "task_done" in [item["event"] for item in told]


async def test_a_held_text_leads_to_its_release(office: Office) -> None:
    """For what the text check keeps back the way out is a confirmation."""
    both = [{"student": "S1", "contact": "C2", "parental_responsibility": "yes"}, *DIRECTORY["relationships"]]
    put = await office.call("PUT", "/v1/directory", {**DOUBTFUL, "relationships": both}, key="directory")
    assert put.status == 200
    text = {**NOTICE["content"], "body": "Dorian Moss will bring the cake."}
    posted = await office.post("/v1/notifications", {**NOTICE, "content": text}, key="send")
    await office.deliver(posted.json["id"])
    (task,) = await listed(office, kind="decide_hold")
    assert task["actions"][0]["href"] == f"/v1/notifications/{posted.json['id']}/release"
    assert (await office.post(task["actions"][0]["href"], {"reason": "They know."}, key="send")).status == 200
    assert await listed(office) == []


async def test_a_task_of_the_register_goes_with_its_step_alone(office: Office) -> None:
    """A draft is not decided by ticking it off: the answer says where it is decided."""
    wanted = {
        "student": "S1", "contact": "C1", "effect": "deny", "basis": "court_order", "evidence": "Safe 1, folder 2",
    }  # fmt: skip
    assert (await office.post("/v1/restrictions", wanted)).status == 201
    await office.gateway.clock.round()
    (task,) = await listed(office)
    assert [action["href"] for action in task["actions"]] == [
        "/v1/restrictions?student=S1&contact=C1",
        f"/v1/tasks/{task['id']}/acknowledge",
    ]
    assert (await office.call("GET", task["actions"][0]["href"])).status == 200
    refused = await office.post(f"/v1/tasks/{task['id']}/done", {"note": "Seen."})
    assert refused.status == 409
    assert "register" in refused.as_problem()["detail"]


async def test_the_list_is_paged_by_deadline_within_its_filters(office: Office) -> None:
    """The alert's two minutes come before the meeting's day, whichever was first; pages keep the question."""
    await held(office, "S1", "S2", category="meeting")
    await held(office, "S1", "S2")
    everything = await listed(office)
    assert [item["due_at"] for item in everything] == sorted(item["due_at"] for item in everything)
    assert len(everything) == 4
    seen, path = [], "/v1/tasks?kind=decide_hold&owner=safeguarding&limit=1"
    while path:
        page = (await office.call("GET", path, key="read")).json
        seen += [item["id"] for item in page["items"]]
        path = page["links"]["next"]
    assert seen == [item["id"] for item in everything]
    assert await listed(office, owner="office") == []
    assert await listed(office, kind="reach_by_hand") == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("query", ["open=perhaps", "cursor=x", "limit=0", "kind=%00"])
async def test_an_odd_question_is_refused(quiet_office: Office, query: str) -> None:
    """One sentence that names the parameter."""
    refused = await quiet_office.call("GET", f"/v1/tasks?{query}")
    assert refused.as_problem()["errors"][0]["pointer"] == query.partition("=")[0]


async def test_a_reader_settles_nothing_and_another_school_sees_nothing(office: Office) -> None:
    """Tasks are one school's own, and a key that may only read changes none."""
    await held(office)
    (task,) = await listed(office)
    await office.make_key("elm", Scope.ADMIN, school="elm")
    elm = {"school": {"id": "elm", "name": "Elm School"}}
    assert (await office.call("PUT", "/v1/directory", elm, key="elm")).status == 200
    for key, status in (("read", 403), ("elm", 404)):
        assert (await office.call("POST", f"/v1/tasks/{task['id']}/acknowledge", key=key)).status == status
        assert (await office.post(f"/v1/tasks/{task['id']}/done", {"note": "x"}, key=key)).status == status
    assert (await office.call("GET", "/v1/tasks", key="elm")).json["items"] == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("body", [{}, {"note": ""}, {"note": 1}, {"note": "x", "by": "me"}])
async def test_a_settled_task_has_a_note(quiet_office: Office, body: Any) -> None:
    """Without a word about what was done nothing is done."""
    assert (await quiet_office.post("/v1/tasks/none/done", body)).status == 422
