"""What was withdrawn after it had left: its record stays, and nothing more follows from it."""

from typing import Any

import pytest

from channels.base import ReceiptStatus
from gateway.store.notifications import cancel
from gateway.store.tables import notifications
from tests.flow.families import HOUSE, MUM_NUMBER, TOGETHER, parents
from tests.flow.installation import REFUSED, Installation
from tests.flow.test_receipts import news
from tests.flow.test_time import HOUR
from tests.unit.rules.households import directory, email, letter, mobile, voice


async def sent(gateway: Installation, category: str, *points: Any) -> tuple[str, Any]:
    """Send something to a mother and have it finished; gives the notification and the first delivery."""
    await gateway.put(directory(relationships=parents("mum"), contact_points=list(points)))
    notification = await gateway.post(category)
    await gateway.at_rest()
    assert await gateway.status(notification) == "finished"
    return notification, (await gateway.deliveries())[0]


async def withdraw(gateway: Installation, notification: str) -> None:
    """Cancel a notification of which nothing waits any more."""
    async with gateway.front.database.writing() as connection:
        assert await cancel(connection, notification, at=gateway.time()) == 0


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ([ReceiptStatus.BOUNCED], "failed"),
        ([ReceiptStatus.EXPIRED], "expired"),
        ([ReceiptStatus.DELIVERED, ReceiptStatus.BOUNCED], "failed"),
    ],
)
async def test_a_withdrawn_message_does_not_go_out_by_the_next_route(
    gateway: Installation, told: list[ReceiptStatus], state: str
) -> None:
    """The mail comes back after its withdrawal: no letter goes in its place, and nobody is asked to call."""
    notification, mail = await sent(gateway, "report", email("mum"), letter("mum", HOUSE))
    await withdraw(gateway, notification)
    for status in told:
        gateway.time.now += HOUR
        await gateway.front.services.receipts.take([news(gateway, status, delivery=mail.id)])
    await gateway.forward(hours=24)
    assert await gateway.states() == {"mum-e": state}
    assert (gateway.outbox.letters(), await gateway.tasks()) == ({}, [])
    assert await gateway.status(notification) == "cancelled"


async def test_each_of_a_couple_is_spared_the_next_route(gateway: Installation) -> None:
    """What travelled inside another is withdrawn with it: neither of the two gets it by text."""
    await gateway.put(
        directory(
            relationships=parents("mum", "dad"),
            contact_points=[
                email("mum", "both@example.org"),
                email("dad", "both@example.org"),
                mobile("mum", MUM_NUMBER),
            ],
            households=[TOGETHER],
        )
    )
    notification = await gateway.post("routine")
    await gateway.at_rest()
    (carrier,) = [row for row in await gateway.deliveries() if row.merged_into is None]
    await withdraw(gateway, notification)
    await gateway.front.services.receipts.take([news(gateway, ReceiptStatus.BOUNCED, delivery=carrier.id)])
    await gateway.forward(hours=24)
    assert await gateway.states() == {"dad-e": "failed", "mum-e": "failed"}
    assert (gateway.outbox.lines("sms"), await gateway.tasks()) == ([], [])


@pytest.mark.parametrize("category", ["emergency", "attendance"])
async def test_a_withdrawn_call_is_not_repeated(gateway: Installation, category: str) -> None:
    """The line was engaged when it was withdrawn: it does not ring again."""
    notification, call = await sent(gateway, category, voice("mum", MUM_NUMBER))
    await withdraw(gateway, notification)
    busy = news(gateway, ReceiptStatus.BUSY, delivery=call.id, again=True)
    await gateway.front.services.receipts.take([busy])
    await gateway.forward(hours=1)
    assert await gateway.states() == {"mum-v": "cancelled"}
    assert len(gateway.outbox.lines("voice")) == 1
    assert await gateway.tasks() == []


async def test_what_arrived_stays_on_record(gateway: Installation) -> None:
    """The withdrawal undoes no arrival, later ones are still noted, and once more it changes nothing."""
    notification, mail = await sent(gateway, "report", email("mum"))
    await withdraw(gateway, notification)
    (withdrawn,) = await gateway.rows(notifications)
    gateway.time.now += HOUR
    await gateway.front.services.receipts.take([news(gateway, ReceiptStatus.DELIVERED, delivery=mail.id)])
    await withdraw(gateway, notification)
    await gateway.forward(hours=1)
    assert await gateway.states() == {"mum-e": "delivered"}
    assert await gateway.rows(notifications) == [withdrawn]


async def test_nobody_is_told_by_hand_what_was_withdrawn(gateway: Installation) -> None:
    """Every route had failed and the office was to reach her: that is off the list."""
    gateway.faults.always("mum@example.org", REFUSED)
    notification, _ = await sent(gateway, "report", email("mum"))
    assert [task.kind for task in await gateway.tasks()] == ["reach_by_hand"]
    await withdraw(gateway, notification)
    assert await gateway.tasks() == []
