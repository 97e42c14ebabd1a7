"""R32 at the moment of sending: a retry or a next route that comes due at night waits for the morning."""

import datetime as dt

import pytest

from channels.base import Receipt, ReceiptStatus
from gateway.dispatch.requests import Lane
from gateway.dispatch.retrying import next_attempt
from tests.flow.families import HOUSE, MUM, MUM_NUMBER, parents
from tests.flow.installation import LATER, Installation
from tests.unit.rules.households import directory, email, letter, mobile

HALF_PAST_EIGHT = dt.datetime(2026, 6, 15, 19, 59, 30, tzinfo=dt.UTC)  # 20:59:30 in London
SEVEN = dt.datetime(2026, 6, 16, 6, 0, tzinfo=dt.UTC)  # 07:00 in London


async def late(gateway: Installation, *points: object) -> None:
    """Let it be half a minute before the quiet hours of a mother with these points."""
    gateway.time.now = HALF_PAST_EIGHT
    await gateway.put(directory(relationships=parents("mum"), contacts=[MUM], contact_points=list(points)))


def bounce(gateway: Installation, delivery: str) -> Receipt:
    """Bring a mail back."""
    return Receipt(
        provider="outbox",
        event_id=f"bounce-{delivery}",
        status=ReceiptStatus.BOUNCED,
        at=gateway.time(),
        delivery=delivery,
        address_dead=True,
    )


async def test_a_retry_does_not_ring_at_night(gateway: Installation) -> None:
    """Put off for a busy provider until after nine: it leaves at seven, and the wait is no attempt."""
    await late(gateway, mobile("mum", MUM_NUMBER))
    gateway.faults.once(MUM_NUMBER, LATER, LATER)
    await gateway.post("report")
    await gateway.at_rest()
    await gateway.forward(minutes=2)
    (row,) = await gateway.deliveries()
    assert (row.state, row.due_at, row.attempts) == ("queued", SEVEN, 1)
    await gateway.move_to(SEVEN)
    await gateway.forward(hours=1)
    assert await gateway.states() == {"mum-m": "sent"}


async def test_the_next_route_does_not_ring_at_night(gateway: Installation) -> None:
    """A report's mail comes back at eleven: the text goes in the morning."""
    await late(gateway, email("mum"), mobile("mum", MUM_NUMBER))
    await gateway.post("report")
    await gateway.at_rest()
    (mail,) = await gateway.deliveries()
    gateway.time.now += dt.timedelta(hours=2)
    await gateway.front.services.receipts.take([bounce(gateway, mail.id)])
    await gateway.at_rest()
    assert gateway.outbox.lines("sms") == []
    await gateway.move_to(SEVEN)
    assert await gateway.states() == {"mum-e": "failed", "mum-m": "sent"}


async def test_a_letter_disturbs_nobody(gateway: Installation) -> None:
    """It is printed at night."""
    await late(gateway, email("mum"), letter("mum", HOUSE))
    await gateway.post("report")
    await gateway.at_rest()
    (mail,) = await gateway.deliveries()
    gateway.time.now += dt.timedelta(hours=2)
    await gateway.front.services.receipts.take([bounce(gateway, mail.id)])
    await gateway.at_rest()
    assert sorted((await gateway.states()).values()) == ["failed", "sent"]


@pytest.mark.parametrize("category", ["emergency", "attendance"])
async def test_what_may_not_wait_does_not(gateway: Installation, category: str) -> None:
    """An alert's retry leaves in the middle of the night."""
    await late(gateway, mobile("mum", MUM_NUMBER))
    gateway.time.now += dt.timedelta(hours=4)
    gateway.faults.once(MUM_NUMBER, LATER)
    await gateway.post(category)
    await gateway.at_rest()
    lane = Lane.EMERGENCY if category == "emergency" else Lane.STANDARD
    await gateway.move_to(next_attempt(lane, 1, now=gateway.time(), chance=1.0) or gateway.time())
    assert await gateway.states() == {"mum-m": "sent"}
