"""R37: an address changes; its owner hears of it at a point that is surely theirs, or the office asks."""

import datetime as dt
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from gateway.directory.documents import without_problems
from gateway.directory.model import Directory
from gateway.dispatch.address_notices import AUTHOR, KIND
from gateway.dispatch.roster import Roster
from gateway.store.openings import Opening, add_opening
from gateway.store.tables import deliveries, notifications
from tests.flow.families import DAD, HOUSE, KID, MUM, MUM_NUMBER, parents
from tests.flow.installation import LATER, Installation
from tests.unit.rules.households import Row, deny, directory, email, letter, mobile, voice

OLD, NEW = "mum@example.org", "moved@example.org"
WEEK = {"days": 7}


def family(*points: Row, **fields: Any) -> Directory:
    """Give the mother these points; the father has a mailbox."""
    return directory(
        students=[KID],
        contacts=[MUM, DAD],
        relationships=parents("mum", "dad"),
        contact_points=[*points, email("dad")],
        **fields,
    )


BEFORE = family(email("mum", OLD), mobile("mum", MUM_NUMBER))
MOVED = family(email("mum", NEW), mobile("mum", MUM_NUMBER))


async def reached_by_text(gateway: Installation) -> None:
    """Let the mother get a text and a mail, and a week pass without a bounce."""
    await gateway.put(BEFORE)
    await gateway.post("emergency")
    await gateway.at_rest()
    await gateway.forward(**WEEK)
    assert await notices(gateway) == []


async def notices(gateway: Installation) -> list[Any]:
    """List the notices that the gateway wrote."""
    return await gateway.rows(notifications, notifications.c.created_by == AUTHOR)


async def asked_by_hand(gateway: Installation) -> list[str]:
    """Name the contacts whom the office is to ask."""
    return sorted(task.contact for task in await gateway.tasks() if task.kind == KIND)


async def told_by(gateway: Installation) -> dict[str, str]:
    """Give the states of the notices' deliveries by contact point."""
    ids = select(notifications.c.id).where(notifications.c.created_by == AUTHOR)
    return {row.point: row.state for row in await gateway.rows(deliveries, deliveries.c.notification.in_(ids))}


async def test_a_new_mailbox_is_told_of_by_the_proved_telephone(gateway: Installation) -> None:
    """The notice names the day and neither mailbox; nothing goes to either of them."""
    await reached_by_text(gateway)
    mailed = gateway.outbox.mailed()
    await gateway.put(MOVED)
    await gateway.forward(seconds=6)
    assert await told_by(gateway) == {"mum-m": "sent"}
    (line,) = [line for line in gateway.outbox.lines("sms") if "22 June 2026" in line["body"]]
    assert line["to"] == MUM_NUMBER
    assert "updated on" in line["body"]
    assert gateway.outbox.mailed() == mailed
    assert NEW not in gateway.outbox.everything()
    assert await asked_by_hand(gateway) == []
    (notice,) = await notices(gateway)
    assert NEW not in notice.request
    assert (await gateway.decided(notice.id))["kid", "mum"] == "send P5"


@pytest.mark.parametrize(
    "after",
    [
        family(email("mum", OLD)),
        family(email("mum", OLD), mobile("mum", MUM_NUMBER), letter("mum", HOUSE)),
        family(email("mum", OLD), mobile("mum", "+447700900333")),
    ],
    ids=["a point ends", "a point is added", "a number changes"],
)
async def test_every_kind_of_change_is_told(idle: Installation, after: Directory) -> None:
    """By the proved mailbox, which stays."""
    await idle.put(BEFORE)
    notification = await idle.post("progress")
    await idle.back.planner.plan(notification)
    await idle.send_due()
    idle.time.now += dt.timedelta(**WEEK)
    await idle.put(after)
    (notice,) = await notices(idle)
    await idle.back.planner.plan(notice.id)
    await idle.send_due()
    assert await told_by(idle) == {"mum-e": "sent"}
    assert await asked_by_hand(idle) == []


async def test_the_first_import_and_other_changes_tell_nobody(idle: Installation) -> None:
    """Nor the same file again, another spelling or order, other ids for the same places, or a confidential mark."""
    await idle.put(BEFORE)
    await idle.put(BEFORE)
    await idle.put(family(email("mum", f" {OLD.upper()}"), mobile("mum", "07700 900111", order=3)))
    await idle.put(family(email("mum", OLD, id="other", confidential=True), mobile("mum", MUM_NUMBER, id="another")))
    assert await notices(idle) == []
    assert await asked_by_hand(idle) == []


@pytest.mark.parametrize(
    "points",
    [
        [email("mum", OLD)],
        [email("mum", OLD), voice("mum", MUM_NUMBER)],
        [email("mum", OLD), letter("mum", HOUSE)],
    ],
    ids=["no other point", "a voice alone", "a letter that never was"],
)
async def test_without_a_proved_point_the_office_asks(idle: Installation, points: list[Row]) -> None:
    """Nothing leaves; not even to the old mailbox, which is the only one that was proved."""
    await idle.put(family(*points))
    notification = await idle.post("progress")
    await idle.back.planner.plan(notification)
    await idle.send_due()
    idle.time.now += dt.timedelta(**WEEK)
    await idle.put(family(email("mum", NEW), *points[1:]))
    assert await notices(idle) == []
    (task,) = [task for task in await idle.tasks() if task.kind == KIND]
    assert (task.contact, task.owner, task.due_at) == ("mum", "office", idle.time() + dt.timedelta(days=2))
    assert "22 June 2026" in task.detail
    assert "@" not in task.detail


async def test_a_point_not_proved_yet_does_not_tell(idle: Installation) -> None:
    """Sent to three days ago: a bounce may still come."""
    await idle.put(BEFORE)
    notification = await idle.post("emergency")
    await idle.back.planner.plan(notification)
    await idle.send_due()
    idle.time.now += dt.timedelta(days=3)
    await idle.put(MOVED)
    assert await notices(idle) == []
    assert await asked_by_hand(idle) == ["mum"]


async def test_a_shared_point_does_not_tell(idle: Installation) -> None:
    """The father, with whom she lives, has the same number: her notice is not for him."""
    together = {"households": [{"id": "home", "members": ["mum", "dad"]}]}
    shared = mobile("dad", MUM_NUMBER)
    await idle.put(family(email("mum", OLD), mobile("mum", MUM_NUMBER), shared, **together))
    notification = await idle.post("emergency")
    await idle.back.planner.plan(notification)
    await idle.send_due()
    idle.time.now += dt.timedelta(**WEEK)
    await idle.put(family(email("mum", NEW), mobile("mum", MUM_NUMBER), shared, **together))
    assert await notices(idle) == []
    assert await asked_by_hand(idle) == ["mum"]


async def test_a_change_told_twice_is_told_once(idle: Installation) -> None:
    """There and back and there again on one day: one notice for each direction."""
    await idle.put(BEFORE)
    notification = await idle.post("emergency")
    await idle.back.planner.plan(notification)
    await idle.send_due()
    idle.time.now += dt.timedelta(**WEEK)
    for document in (MOVED, MOVED, BEFORE, MOVED):
        await idle.put(document)
    assert len(await notices(idle)) == 2


async def test_a_dry_run_tells_nobody(idle: Installation) -> None:
    """It writes nothing at all."""
    await idle.put(BEFORE)
    today = idle.time().date()
    roster = Roster(idle.front.database, idle.front.services.library, now=idle.time)
    report = await roster.replace(without_problems(MOVED, today=today), today=today, dry_run=True)
    assert report.entities["contact_points"].changed == 1
    assert await notices(idle) == []
    assert await idle.tasks() == []


async def test_the_rules_still_decide(idle: Installation) -> None:
    """Barred from everything about the child, she gets no notice either."""
    await idle.put(BEFORE)
    notification = await idle.post("emergency")
    await idle.back.planner.plan(notification)
    await idle.send_due()
    idle.time.now += dt.timedelta(**WEEK)
    await idle.put(family(email("mum", NEW), mobile("mum", MUM_NUMBER), restrictions=[deny("mum")]))
    (notice,) = await notices(idle)
    await idle.back.planner.plan(notice.id)
    await idle.send_due()
    assert (await idle.decided(notice.id))["kid", "mum"] == "exclude R01"
    assert await told_by(idle) == {}


async def test_the_telling_number_changes_before_the_notice_leaves(gateway: Installation) -> None:
    """The second change takes the proved point away: nothing goes to its successor, and the office is asked."""
    await reached_by_text(gateway)
    gateway.faults.once(MUM_NUMBER, LATER)
    await gateway.put(MOVED)
    await gateway.forward(seconds=6)
    assert set((await told_by(gateway)).values()) == {"retrying"}
    await gateway.put(family(email("mum", NEW), mobile("mum", "+447700900333")))
    await gateway.forward(minutes=30)
    assert await told_by(gateway) == {"mum-m": "suppressed"}
    assert "+447700900333" not in [line["to"] for line in gateway.outbox.lines("sms")]
    (notice,) = await notices(gateway)
    assert (await gateway.decided(notice.id))["kid", "mum"] == "unreachable R37"
    assert "reach_by_hand" in {task.kind for task in await gateway.tasks()}


async def test_who_leaves_the_directory_is_not_told(idle: Installation) -> None:
    """Their points end with them; coming back to the same places is no change either."""
    await idle.put(BEFORE)
    alone = directory(students=[KID], contacts=[DAD], relationships=parents("dad"), contact_points=[email("dad")])
    await idle.put(alone)
    await idle.put(BEFORE)
    assert await notices(idle) == []
    assert await asked_by_hand(idle) == []
    await idle.put(alone)
    await idle.put(MOVED)
    assert await asked_by_hand(idle) == ["mum"]


async def test_an_opened_page_proves_a_mailbox_at_once(idle: Installation) -> None:
    """She passed the identity check from it this morning: there is no need to wait a week."""
    await idle.put(BEFORE)
    notification = await idle.post("emergency")
    await idle.back.planner.plan(notification)
    await idle.send_due()
    hers = next(row for row in await idle.deliveries(notification) if row.point == "mum-m")
    async with idle.front.database.writing() as connection:
        await add_opening(
            connection, school="school", contact="mum", delivery=hers.id, at=idle.time(), outcome=Opening.OPENED
        )
    await idle.put(MOVED)
    (notice,) = await notices(idle)
    assert notice.only_points.count("mum-") == 1
    assert "mum-m" in notice.only_points


async def test_nobody_from_outside_can_narrow_a_notification(idle: Installation) -> None:
    """The field is the gateway's own: the API's request has none of that name."""
    await idle.put(BEFORE)
    with pytest.raises(msgspec.ValidationError, match="unknown field `only_points`"):
        await idle.post("routine", only_points={})
    notification = await idle.post("routine")
    (row,) = await idle.rows(notifications, notifications.c.id == notification)
    assert row.only_points is None
