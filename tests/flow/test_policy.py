"""What a school sets for itself acts on everything that is planned, and again on what still waits (R44)."""

import datetime as dt
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from gateway.access import Principal, Scope
from gateway.dispatch.requests import NotificationRequest
from gateway.dispatch.withdrawing import BACKLOG
from gateway.rules.policy import Policy
from gateway.rules.policy_document import PolicyDocument
from gateway.rules.policy_faults import policy_faults
from gateway.store.policies import save_settings
from gateway.store.tables import deliveries, schools
from tests.flow.families import DAD, DAD_NUMBER, HOUSE, MUM, MUM_NUMBER, parents
from tests.flow.installation import CONTENT, MONDAY, Installation, id_of
from tests.unit.rules.households import Row, deny, directory, letter, mobile

ELSEWHERE = Principal(key="flow", name="flow", school="elsewhere", scopes=frozenset(Scope))
NO_TEXTS = {"categories": {"meeting": {"channels": ["email", "letter"]}}}
SWEPT = pytest.mark.parametrize("swept", [False, True], ids=["sender", "sweep"])
"""Who notices first: the sender that comes to take it, or the clock on its round."""


async def put_school(gateway: Installation, school: str = "school", **entities: list[Row]) -> None:
    """Put a school of one mother with a mobile and a house."""
    rows: dict[str, list[Row]] = {
        "school": [{"id": school}],
        "relationships": parents("mum"),
        "contacts": [MUM],
        "contact_points": [mobile("mum", MUM_NUMBER), letter("mum", HOUSE)],
    }
    await gateway.put(directory(**{**rows, **entities}))


async def sets(gateway: Installation, document: dict[str, Any]) -> None:
    """Let the school set something for itself, as the API does."""
    wanted = msgspec.convert(document, PolicyDocument)
    assert policy_faults(wanted, Policy()) == []
    async with gateway.front.database.writing() as connection:
        await save_settings(connection, "school", wanted, before=PolicyDocument(), by="head", at=gateway.time())


async def post_elsewhere(gateway: Installation, category: str) -> str:
    """Post the same at the other school."""
    document = {
        "category": category,
        "purpose": "information",
        "audience": {"students": ["kid"]},
        "content": CONTENT,
    }
    request = msgspec.convert(document, NotificationRequest)
    return id_of((await gateway.front.services.intake.accept(ELSEWHERE, request, key=None)).body)


async def test_a_school_goes_by_its_own_routes_and_another_is_untouched(gateway: Installation) -> None:
    """Without text messages about meetings hers comes as a letter; the other school's mother gets a text."""
    for school in ("school", "elsewhere"):
        await put_school(gateway, school)
    await sets(gateway, NO_TEXTS)
    ours, theirs = await gateway.post("meeting"), await post_elsewhere(gateway, "meeting")
    await gateway.at_rest()
    assert await gateway.states(ours) == {"mum-l": "sent"}
    assert await gateway.states(theirs) == {"mum-m": "sent"}


async def test_a_school_moves_its_quiet_hours(gateway: Installation) -> None:
    """At ten in the morning one school is quiet until noon and the other is not (R32)."""
    for school in ("school", "elsewhere"):
        await put_school(gateway, school)
    await sets(gateway, {"quiet_hours": ["09:00", "12:00"]})
    ours, theirs = await gateway.post("meeting"), await post_elsewhere(gateway, "meeting")
    await gateway.at_rest()
    assert await gateway.states(theirs) == {"mum-m": "sent"}
    (waiting,) = await gateway.deliveries(ours)
    assert (waiting.state, waiting.due_at) == ("queued", MONDAY + dt.timedelta(hours=2))


@SWEPT
async def test_a_change_is_asked_of_what_still_waits(idle: Installation, swept: bool) -> None:  # noqa: FBT001  # a table's column
    """Planned as a text, it is withdrawn and goes as a letter; the other school's text stays as it was planned."""
    for school in ("school", "elsewhere"):
        await put_school(idle, school)
    ours, theirs = await idle.post("meeting"), await post_elsewhere(idle, "meeting")
    for notification in (ours, theirs):
        await idle.back.planner.plan(notification)
    assert await idle.states(ours) == await idle.states(theirs) == {"mum-m": "queued"}
    (before,) = await idle.deliveries(theirs)
    await sets(idle, NO_TEXTS)
    assert "policy_changed" in await idle.events()
    if swept:
        idle.time.now += BACKLOG  # until then it would be left to its worker
        await idle.front.clock.round()
        assert (await idle.states(ours))["mum-m"] == "suppressed"
        assert await idle.deliveries(theirs) == [before]
    await idle.send_due()
    assert await idle.states(ours) == {"mum-m": "suppressed", "mum-l": "sent"}
    assert await idle.states(theirs) == {"mum-m": "sent"}
    assert {await idle.status(notification) for notification in (ours, theirs)} == {"finished"}


async def test_the_next_step_of_a_ladder_comes_when_the_school_says(gateway: Installation) -> None:
    """R31: five minutes after the mother at home it is the father's turn."""
    home = [*parents("mum", lives_with=True), *parents("dad")]
    numbers = [mobile("mum", MUM_NUMBER), mobile("dad", DAD_NUMBER)]
    await put_school(gateway, relationships=home, contacts=[MUM, DAD], contact_points=numbers)
    await sets(gateway, {"categories": {"attendance": {"ladder_minutes": 5}}})
    notification = await gateway.post("attendance")
    await gateway.at_rest()
    due = {row.point: row.due_at for row in await gateway.deliveries(notification) if row.state == "queued"}
    assert due == {"dad-m": MONDAY + dt.timedelta(minutes=5)}


async def test_the_lead_is_paged_when_the_school_says(gateway: Installation) -> None:
    """R45: a held alert asks for its decision within the school's own minutes."""
    lapsed = deny("mum", until="2026-06-01")
    await put_school(gateway, restrictions=[lapsed])
    await sets(gateway, {"hold_page_minutes": 7})
    notification = await gateway.post("emergency")
    await gateway.at_rest()
    (task,) = [task for task in await gateway.tasks() if task.notification == notification]
    assert (task.kind, task.due_at - task.created_at) == ("decide_hold", dt.timedelta(minutes=7))


async def test_a_block_is_reviewed_when_the_school_says(gateway: Installation) -> None:
    """R02, R05: with a period of 40 days the review of a block of twenty days ago is due, with 90 it is not."""
    block = deny("mum", basis="safeguarding", **{"from": "2026-05-26"})
    await put_school(gateway, restrictions=[block])
    await gateway.forward(minutes=2)
    assert await gateway.tasks() == []
    await sets(gateway, {"safeguarding_review_days": 40})
    await gateway.forward(minutes=2)
    (task,) = await gateway.tasks()
    assert (task.kind, task.contact) == ("review_restriction", "mum")
    assert "2026-07-05" in task.detail


@pytest.mark.parametrize("offered", [True, False])
async def test_a_school_may_leave_out_one_click_unsubscribe(gateway: Installation, offered: bool) -> None:  # noqa: FBT001  # a table's column
    """What a mail offers follows the school's table, in its header and in its words."""
    await gateway.put(directory(relationships=parents("mum"), contacts=[MUM]))
    if not offered:
        await sets(gateway, {"categories": {"newsletter": {"unsubscribe": False}}})
    await gateway.post("newsletter")
    await gateway.at_rest()
    (mail,) = gateway.outbox.mails().values()
    assert ("List-Unsubscribe" in mail) is offered
    assert ("/u/" in gateway.outbox.everything()) is offered


async def test_a_prepared_text_does_not_outlive_a_change(idle: Installation) -> None:
    """The second mail of one notification, written after the change, no longer offers what the first one did."""
    await idle.put(directory(relationships=parents("mum", "dad"), contacts=[MUM, DAD]))
    notification = await idle.post("newsletter")
    await idle.back.planner.plan(notification)
    async with idle.front.database.writing() as connection:
        later = update(deliveries).where(deliveries.c.point == "dad-e")
        await connection.execute(later.values(batch="another", due_at=idle.time() + dt.timedelta(hours=1)))
    await idle.send_due()
    await sets(idle, {"categories": {"newsletter": {"unsubscribe": False}}})
    idle.time.now += dt.timedelta(hours=1)
    await idle.send_due()
    assert await idle.states(notification) == {"mum-e": "sent", "dad-e": "sent"}
    offers = {mail["To"].addresses[0].addr_spec: "List-Unsubscribe" in mail for mail in idle.outbox.mails().values()}
    assert offers == {"mum@example.org": True, "dad@example.org": False}


async def test_only_the_schools_own_version_rises(gateway: Installation) -> None:
    """Nothing of another school is decided again."""
    for school in ("school", "elsewhere"):
        await put_school(gateway, school)
    before = {row.id: row.version for row in await gateway.rows(schools)}
    await sets(gateway, NO_TEXTS)
    after = {row.id: row.version for row in await gateway.rows(schools)}
    assert after == {"school": before["school"] + 1, "elsewhere": before["elsewhere"]}
