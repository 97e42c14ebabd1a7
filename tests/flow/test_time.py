"""Schedules, retries, expiry, cancellation, and attempts that got no answer."""

import datetime as dt

import msgspec
import pytest

from channels.base import Envelope, Mail, Text
from channels.errors import SendError
from channels.outbox_files import append_lines
from gateway.store.notifications import cancel
from gateway.store.tables import notifications
from tests.flow.families import DAD, HOUSE, MUM, MUM_NUMBER, TOGETHER, parents
from tests.flow.installation import LATER, MONDAY, REFUSED, SILENCE, Installation
from tests.unit.rules.households import directory, email, letter, mobile

HOUR = dt.timedelta(hours=1)


async def one_mother(gateway: Installation) -> None:
    """Put a directory of one mother with mailbox, mobile and house."""
    points = [email("mum"), mobile("mum", MUM_NUMBER), letter("mum", HOUSE)]
    await gateway.put(directory(relationships=parents("mum"), contacts=[MUM], contact_points=points))


async def withdraw(gateway: Installation, notification: str) -> int:
    """Cancel a notification."""
    async with gateway.front.database.writing() as connection:
        return await cancel(connection, notification, at=gateway.time())


async def test_what_is_to_be_sent_later_is_sent_later(gateway: Installation) -> None:
    """Nothing is even planned before `send_at`; then the clock wakes it without any reminder."""
    await one_mother(gateway)
    notification = await gateway.post("report", send_at=MONDAY + HOUR)
    await gateway.forward(minutes=59)
    assert (await gateway.status(notification), await gateway.deliveries()) == ("accepted", [])
    await gateway.forward(minutes=1, seconds=6)
    assert await gateway.states(notification) == {"mum-e": "sent"}


async def test_a_busy_provider_is_asked_again(gateway: Installation) -> None:
    """Twice busy, then free: three attempts, the delays grow, one mail."""
    await one_mother(gateway)
    gateway.faults.once("mum@example.org", LATER, LATER)
    notification = await gateway.post("report")
    await gateway.at_rest()
    (row,) = await gateway.deliveries()
    assert (row.state, row.code) == ("retrying", "busy")
    first = row.due_at - gateway.time()
    await gateway.move_to(row.due_at)
    (row,) = await gateway.deliveries()
    assert row.state == "retrying"
    assert row.due_at - gateway.time() > 2 * first
    await gateway.move_to(row.due_at)
    assert await gateway.states(notification) == {"mum-e": "sent"}
    attempts = await gateway.attempts(row.id)
    assert [(attempt.number, attempt.outcome) for attempt in attempts] == [
        (1, "postponed"),
        (2, "postponed"),
        (3, "accepted"),
    ]
    assert gateway.outbox.mailed() == ["mum@example.org"]


async def test_a_provider_that_stays_busy_is_given_up(gateway: Installation) -> None:
    """After the last retry the next contact point is used."""
    await one_mother(gateway)
    gateway.faults.always("mum@example.org", LATER)
    notification = await gateway.post("report")
    await gateway.at_rest()
    while (await gateway.states(notification))["mum-e"] == "retrying":
        row = next(row for row in await gateway.deliveries() if row.point == "mum-e")
        await gateway.move_to(row.due_at)
    assert await gateway.states(notification) == {"mum-e": "failed", "mum-m": "sent"}
    assert await gateway.status(notification) == "finished"


async def test_a_worn_out_message_is_not_sent(gateway: Installation) -> None:
    """What could not leave before it expires does not leave after it, and a person is asked to step in."""
    await one_mother(gateway)
    gateway.faults.always("mum@example.org", LATER)
    notification = await gateway.post("report", expires_at=MONDAY + dt.timedelta(minutes=2))
    await gateway.at_rest()
    gateway.faults.always("mum@example.org", REFUSED)
    await gateway.forward(minutes=3)
    assert await gateway.states(notification) == {"mum-e": "expired"}
    assert await gateway.status(notification) == "finished"
    assert [task.contact for task in await gateway.tasks()] == ["mum"]
    assert gateway.outbox.mails() == {}


async def test_cancelled_before_it_left(gateway: Installation) -> None:
    """What waits for the end of quiet hours is withdrawn and stays withdrawn."""
    await one_mother(gateway)
    await gateway.move_to(MONDAY + 13 * HOUR)
    notification = await gateway.post("newsletter")
    await gateway.at_rest()
    assert await withdraw(gateway, notification) == 1
    await gateway.forward(hours=24)
    assert await gateway.states(notification) == {"mum-e": "cancelled"}
    assert await gateway.status(notification) == "cancelled"
    assert gateway.outbox.mails() == {}


async def test_cancelled_before_it_was_planned(gateway: Installation) -> None:
    """A notification of tomorrow that is withdrawn today is never planned."""
    await one_mother(gateway)
    notification = await gateway.post("report", send_at=MONDAY + HOUR)
    assert await withdraw(gateway, notification) == 0
    await gateway.forward(hours=2)
    assert (await gateway.status(notification), await gateway.deliveries()) == ("cancelled", [])


async def test_cancelling_what_has_left_changes_no_delivery(gateway: Installation) -> None:
    """Sent is sent; only nothing more comes after it."""
    await one_mother(gateway)
    notification = await gateway.post("report")
    await gateway.at_rest()
    assert await withdraw(gateway, notification) == 0
    assert await gateway.states(notification) == {"mum-e": "sent"}
    assert await gateway.status(notification) == "cancelled"


async def test_cancelled_between_claim_and_hand_over(idle: Installation) -> None:
    """A worker that has claimed a couple's letter already finds it withdrawn; nothing leaves, for either of them."""
    await idle.put(
        directory(
            relationships=parents("mum", "dad"),
            contacts=[MUM, DAD],
            contact_points=[letter("mum", HOUSE), letter("dad", HOUSE)],
            households=[TOGETHER],
        )
    )
    notification = await idle.post("report")
    await idle.back.planner.plan(notification)
    async with idle.front.database.writing() as connection:
        await connection.execute(notifications.update().values(status="cancelled"))
    await idle.send_due()
    assert set((await idle.states(notification)).values()) == {"cancelled"}
    assert idle.outbox.letters() == {}


async def test_a_couples_letter_on_its_way_is_on_its_way_for_both(idle: Installation) -> None:
    """Cancelled while the joint letter is at the provider: the record of the second must not say it was withdrawn."""
    await idle.put(
        directory(
            relationships=parents("mum", "dad"),
            contacts=[MUM, DAD],
            contact_points=[letter("mum", HOUSE), letter("dad", HOUSE)],
            households=[TOGETHER],
        )
    )
    idle.faults.once(HOUSE, SILENCE)
    notification = await idle.post("report")
    await idle.back.planner.plan(notification)
    await idle.send_due()
    await withdraw(idle, notification)
    assert await idle.states(notification) == {"dad-l": "unknown", "mum-l": "unknown"}


async def test_a_silent_mail_server_gets_the_same_mail_again(gateway: Installation) -> None:
    """Nobody knows whether it was taken: it is repeated under the same Message-ID, which its reader's server knows."""
    await one_mother(gateway)
    gateway.faults.once("mum@example.org", SILENCE)
    notification = await gateway.post("report")
    await gateway.at_rest()
    assert await gateway.states(notification) == {"mum-e": "unknown"}
    assert await gateway.status(notification) == "sending"
    await gateway.forward(seconds=19)
    assert await gateway.states(notification) == {"mum-e": "unknown"}
    await gateway.forward(seconds=2)
    await gateway.comes_to(notification, {"mum-e": "sent"})
    sent = [envelope.payload for envelope in gateway.faults.seen]
    assert len(sent) == 2
    assert len({mail.message_id for mail in sent if isinstance(mail, Mail)}) == 1
    assert len(gateway.outbox.mails()) == 1
    assert await gateway.status(notification) == "finished"


@pytest.mark.parametrize("taken", [True, False])
async def test_a_silent_text_provider_is_asked_before_anything_is_repeated(gateway: Installation, taken: bool) -> None:  # noqa: FBT001  # a table's column
    """Had it taken the text, it is found and left at that; had it not, it is sent again. Once in either case."""
    await gateway.put(directory(relationships=parents("mum"), contact_points=[mobile("mum", MUM_NUMBER)]))

    def taken_in_silence(envelope: Envelope) -> SendError:
        """Write the line and tell nobody."""
        assert isinstance(envelope.payload, Text)
        if taken:
            line = {"delivery": envelope.delivery, "to": envelope.payload.recipient, "body": envelope.payload.body}
            append_lines(gateway.outbox.folder / "sms.jsonl", [msgspec.json.encode(line) + b"\n"])
        return SILENCE

    gateway.faults.once(MUM_NUMBER, taken_in_silence)
    notification = await gateway.post("report")
    await gateway.at_rest()
    assert await gateway.states(notification) == {"mum-m": "unknown"}
    await gateway.forward(seconds=21)
    await gateway.comes_to(notification, {"mum-m": "sent"})
    (row,) = await gateway.deliveries()
    assert (row.state, row.provider, row.provider_id, row.attempts) == ("sent", "outbox", row.id, 1 if taken else 2)
    assert [line["delivery"] for line in gateway.outbox.lines("sms")] == [row.id]
    assert await gateway.status(notification) == "finished"


async def test_an_emergency_is_tried_again_within_seconds(gateway: Installation) -> None:
    """The emergency lane's first retry comes after two seconds, not after a minute."""
    await gateway.put(directory(relationships=parents("mum"), contact_points=[mobile("mum", MUM_NUMBER)]))
    gateway.faults.once(MUM_NUMBER, LATER)
    notification = await gateway.post("emergency")
    await gateway.at_rest()
    await gateway.forward(seconds=3)
    assert await gateway.states(notification) == {"mum-m": "sent"}
