"""What a school sets for itself: shown, changed, refused with the field and the way out, and on record."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from gateway.api.examples import POLICIES
from gateway.store.tables import chronology, schools
from tests.api.office import NOTICE, Office

POLICY = "/v1/policy"
NO_TEXTS = {"categories": {"routine": {"channels": ["letter", "email"]}}}
QUESTION = {"category": "routine", "students": ["S1"]}


async def version(office: Office) -> int:
    """Give the version of the school's directory."""
    async with office.gateway.database.reading() as connection:
        return int((await connection.execute(select(schools.c.version))).scalar_one())


async def log(office: Office) -> list[Any]:
    """Tell who changed what, oldest first."""
    query = select(chronology.c.detail).where(chronology.c.event == "policy_changed").order_by(chronology.c.id)
    async with office.gateway.database.reading() as connection:
        return [msgspec.json.decode(detail) for detail in (await connection.execute(query)).scalars()]


async def test_a_school_that_has_set_nothing_works_by_the_defaults(small_office: Office) -> None:
    """All of them are shown, nothing differs, nobody has changed anything."""
    shown = (await small_office.call("GET", POLICY, key="read")).json
    assert (shown["differs"], shown["changed_by"], shown["changed_at"]) == ({}, None, None)
    assert shown["policy"]["quiet_hours"] == ["21:00", "07:00"]
    assert shown["policy"]["categories"]["attendance"] == {
        "sensitivity": 1,
        "audience": "parents",
        "statutory": True,
        "may_opt_out": False,
        "must_opt_in": False,
        "own_channels": False,
        "quiet_hours": False,
        "mode": "ladder",
        "channels": ["sms", "voice", "email"],
        "first_of_each": True,
        "unsubscribe": False,
        "ladder_minutes": 15,
    }


@pytest.mark.parametrize("document", POLICIES.values(), ids=POLICIES.keys())
async def test_what_is_set_applies_and_is_on_record(office: Office, document: dict[str, Any]) -> None:
    """The answer is the whole policy; who changed what is written down, and all that waits is decided again."""
    before = await version(office)
    put = await office.call("PUT", POLICY, document)
    assert put.status == 200
    assert put.json["differs"] == document
    assert put.json["policy"]["quiet_hours"] == ["20:00", "07:30"]
    assert put.json["policy"]["categories"]["meeting"]["channels"] == ["email", "letter"]
    assert put.json["policy"]["categories"]["report"]["channels"] == ["email", "sms", "letter"]
    assert put.json["changed_by"] == office.keys["admin"].split("_")[1]
    assert (await office.call("GET", POLICY, key="read")).json == put.json
    assert await version(office) == before + 1
    assert await log(office) == [{"by": put.json["changed_by"], "before": {}, "after": document}]


async def test_the_document_put_is_all_that_differs(office: Office) -> None:
    """A second one takes the place of the first; an empty one goes back to the defaults."""
    await office.call("PUT", POLICY, {"hold_page_minutes": 5})
    second = await office.call("PUT", POLICY, {"draft_escalation_days": 4})
    assert second.json["differs"] == {"draft_escalation_days": 4}
    assert (await office.call("PUT", POLICY, {})).json["differs"] == {}
    assert [(entry["before"], entry["after"]) for entry in await log(office)] == [
        ({}, {"hold_page_minutes": 5}),
        ({"hold_page_minutes": 5}, {"draft_escalation_days": 4}),
        ({"draft_escalation_days": 4}, {}),
    ]


async def test_what_was_shown_can_be_put_back(office: Office) -> None:
    """The whole policy is taken as well, changes nothing, and decides nothing again."""
    shown = (await office.call("PUT", POLICY, NO_TEXTS)).json
    before = await version(office)
    again = await office.call("PUT", POLICY, shown["policy"])
    assert again.json == shown
    assert await version(office) == before
    assert len(await log(office)) == 1


async def test_a_forecast_follows_the_schools_settings(small_office: Office) -> None:
    """Who would get it, and by which route, is asked of the policy as it is now."""
    usual = (await small_office.post("/v1/audience", QUESTION)).json
    assert [route["channel"] for route in usual["messages"][0]["deliveries"]] == ["email", "sms"]
    await small_office.call("PUT", POLICY, NO_TEXTS)
    own = (await small_office.post("/v1/audience", QUESTION)).json
    assert [route["channel"] for route in own["messages"][0]["deliveries"]] == ["email"]


async def test_the_reports_follow_the_schools_settings(small_office: Office) -> None:
    """By letter alone the mother cannot be told of anything routine, and the contact map says so."""
    await small_office.call("PUT", POLICY, {"categories": {"routine": {"channels": ["letter"]}}})
    shown = (await small_office.call("GET", "/v1/students/S1/contact-map", key="read")).json
    told = {entry["category"]: entry["outcome"] for entry in shown["contacts"][0]["entitlements"]}
    assert (told["routine"], told["meeting"]) == ("unreachable", "send")


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"categories": {"zebra": {}}}, "/categories/zebra", "no field 'zebra'"),
    ({"categories": {"report": {"channels": ["fax"]}}}, "/categories/report/channels/0", "one of email, letter"),
    ({"categories": {"report": {"channels": []}}}, "/categories/report/channels", "at least 1"),
    ({"categories": {"report": {"sensitivity": 0}}}, "/categories/report/sensitivity", "is fixed at 2"),
    ({"categories": {"report": {"may_opt_out": True}}}, "/categories/report/may_opt_out", "the law requires"),
    ({"categories": {"emergency": {"quiet_hours": True}}}, "/categories/emergency/quiet_hours", "An alert knows"),
    ({"categories": {"reply": {"audience": "parents"}}}, "/categories/reply/audience", "can only be person"),
    ({"categories": {"attendance": {"ladder_minutes": 0}}}, "/categories/attendance/ladder_minutes", "at least 1"),
    ({"safeguarding_review_days": 4000}, "/safeguarding_review_days", "at most 3650"),
    ({"draft_escalation_days": 0}, "/draft_escalation_days", "at least 1"),
    ({"quiet_hours": ["22:00", "7 o'clock"]}, "/quiet_hours/1", "two times of day"),
    ({"united_states_prefixes": ["Texas"]}, "/united_states_prefixes/0", "country code"),
    ({"ladder_minutes": {}}, "/ladder_minutes", "no field"),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("document", "pointer", "words"), REFUSED, ids=[row[1] for row in REFUSED])
async def test_what_may_not_be_set_is_named(
    quiet_office: Office, document: dict[str, Any], pointer: str, words: str
) -> None:
    """A problem with the field and the way out; nothing is changed."""
    put = await quiet_office.call("PUT", POLICY, document)
    problem = put.as_problem()
    assert (put.status, problem["errors"][0]["pointer"]) == (422, pointer)
    assert words in problem["errors"][0]["detail"]
    assert (await quiet_office.call("GET", POLICY, key="read")).json["differs"] == {}


async def test_before_there_is_a_directory_nothing_can_be_set(new_office: Office) -> None:
    """There is no school yet whose setting it would be."""
    put = await new_office.call("PUT", POLICY, {"hold_page_minutes": 5})
    assert put.status == 409
    assert "PUT /v1/directory" in put.as_problem()["detail"]
    assert (await new_office.call("GET", POLICY)).json["differs"] == {}


@pytest.mark.parametrize(("method", "allowed"), [("GET", {"read", "admin"}), ("PUT", {"admin"})])
async def test_who_may_look_and_who_may_change(small_office: Office, method: str, allowed: set[str]) -> None:
    """Reading keys see it; only an administrator's changes it."""
    for key in small_office.keys:
        answer = await small_office.call(method, POLICY, {} if method == "PUT" else None, key=key)
        assert (key, answer.status) == (key, 200 if key in allowed else 403)


async def test_a_notification_goes_by_the_schools_routes(small_office: Office) -> None:
    """Her mailbox is not among the routes that the school has left: a text message goes."""
    await small_office.call("PUT", POLICY, {"categories": {"routine": {"channels": ["sms"]}}})
    identifier = (await small_office.post("/v1/notifications", NOTICE)).json["id"]
    await small_office.deliver(identifier)
    (delivery,) = (await small_office.call("GET", f"/v1/notifications/{identifier}/deliveries")).json["items"]
    assert (delivery["channel"], delivery["state"]) == ("sms", "sent")
