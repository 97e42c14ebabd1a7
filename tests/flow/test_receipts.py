"""Providers' later news: told twice, in any order, too early, or with a bounce that starts the next route."""

import asyncio
import datetime as dt
import itertools
from typing import Any

import pytest
from sqlalchemy import select

from channels.base import Receipt, ReceiptStatus
from gateway.store.tables import deliveries, delivery_events, point_marks
from gateway.store.tables import receipts as receipts_table
from tests.flow.families import DAD, HOUSE, MUM, MUM_NUMBER, TOGETHER, parents
from tests.flow.installation import Installation
from tests.unit.rules.households import directory, email, letter, mobile

_SENT_AND_DELIVERED = (ReceiptStatus.SENT, ReceiptStatus.DELIVERED)
_numbers = itertools.count()


def news(gateway: Installation, status: ReceiptStatus, **fields: Any) -> Receipt:
    """Make an event of the outbox's provider."""
    return Receipt(
        **{
            "provider": "outbox",
            "event_id": f"event-{next(_numbers)}",
            "status": status,
            "at": gateway.time(),
            **fields,
        }
    )


async def mailed(gateway: Installation, *contacts: str) -> dict[str, Any]:
    """Send a report to parents with mailbox and mobile; gives the deliveries by contact point."""
    points = [email(contact) for contact in contacts] + [mobile("mum", MUM_NUMBER)]
    await gateway.put(directory(relationships=parents(*contacts), contact_points=points))
    await gateway.post("report")
    await gateway.at_rest()
    return {row.point: row for row in await gateway.deliveries()}


async def test_arrival_is_recorded_once(gateway: Installation) -> None:
    """The same event told three times, even at once, is one entry in the timeline."""
    rows = await mailed(gateway, "mum")
    arrival = news(gateway, ReceiptStatus.DELIVERED, provider_id=rows["mum-e"].provider_id)
    desk = gateway.front.services.receipts
    fresh = await asyncio.gather(desk.take([arrival]), desk.take([arrival, arrival]), desk.take([arrival]))
    assert sum(fresh) == 1
    assert await gateway.states() == {"mum-e": "delivered"}
    assert len(await gateway.rows(delivery_events)) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(["queued", "sent", "delivered"])), ids="-".join)
async def test_the_order_of_news_does_not_matter(gateway: Installation, order: tuple[str, ...]) -> None:
    """Late `queued` and `sent` never undo `delivered`."""
    rows = await mailed(gateway, "mum")
    for status in order:
        receipt = news(gateway, ReceiptStatus(status), delivery=rows["mum-e"].id)
        await gateway.front.services.receipts.take([receipt])
    assert await gateway.states() == {"mum-e": "delivered"}


async def test_news_that_comes_too_early_waits(gateway: Installation) -> None:
    """A bounce may overtake its delivery's own record: it is kept whole, and applied when the delivery is known."""
    await mailed(gateway, "mum")
    early = news(
        gateway,
        ReceiptStatus.BOUNCED,
        provider_id="not-yet-known",
        code="5.1.1",
        explanation="The mailbox does not exist.",
        address_dead=True,
    )
    assert await gateway.front.services.receipts.take([early]) == 1
    assert await gateway.states() == {"mum-e": "sent"}
    async with gateway.front.database.writing() as connection:
        await connection.execute(deliveries.update().values(provider_id="not-yet-known"))
    await gateway.forward(seconds=1)
    assert await gateway.states() == {"mum-e": "failed", "mum-m": "sent"}
    failed = next(row for row in await gateway.deliveries() if row.point == "mum-e")
    assert (failed.code, failed.detail) == ("5.1.1", "The mailbox does not exist.")
    assert [mark.state for mark in await gateway.rows(point_marks)] == ["dead"]


async def test_a_bounce_starts_the_next_route_at_once(gateway: Installation) -> None:
    """The mail came back: the text goes out in the same moment, and the mailbox is not used again (R34)."""
    rows = await mailed(gateway, "mum")
    bounce = news(gateway, ReceiptStatus.BOUNCED, delivery=rows["mum-e"].id, address_dead=True)
    await gateway.front.services.receipts.take([bounce])
    await gateway.at_rest()
    assert await gateway.states() == {"mum-e": "failed", "mum-m": "sent"}
    again = await gateway.post("report")
    await gateway.at_rest()
    assert await gateway.states(again) == {"mum-m": "sent"}
    await gateway.front.services.receipts.take([bounce])
    await gateway.at_rest()
    assert len(gateway.outbox.lines("sms")) == 2


async def test_a_dead_mailbox_is_dead_for_all_who_have_it(gateway: Installation) -> None:
    """A bounce at one parent's mail keeps the other's waiting mail from the same mailbox (R34)."""
    shared = [email("mum", "us@example.org"), email("dad", " US@example.org"), mobile("dad", MUM_NUMBER)]
    couple = parents("mum", "dad")
    await gateway.put(directory(relationships=couple, contact_points=shared, households=[TOGETHER]))
    await gateway.post("emergency")
    await gateway.at_rest()
    row = next(row for row in await gateway.deliveries() if row.point in {"mum-e", "dad-e"} and not row.merged_into)
    bounce = news(gateway, ReceiptStatus.BOUNCED, delivery=row.id, address_dead=True)
    await gateway.front.services.receipts.take([bounce])
    await gateway.at_rest()
    assert await gateway.states() == {"mum-e": "failed", "dad-e": "failed", "dad-m": "sent"}
    assert [task.contact for task in await gateway.tasks()] == ["mum"]
    later = await gateway.post("report")
    await gateway.at_rest()
    assert await gateway.decided(later) == {("kid", "dad"): "send R07", ("kid", "mum"): "unreachable R24"}
    assert await gateway.states(later) == {"dad-m": "sent"}


async def test_a_joint_letter_that_comes_back_comes_back_for_both(gateway: Installation) -> None:
    """News of the carrier is news of whoever travelled inside it."""
    points = [letter("mum", HOUSE), letter("dad", HOUSE)]
    await gateway.put(
        directory(
            relationships=parents("mum", "dad"), contacts=[MUM, DAD], contact_points=points, households=[TOGETHER]
        )
    )
    await gateway.post("report")
    await gateway.at_rest()
    carrier = next(row for row in await gateway.deliveries() if row.merged_into is None)
    arrival = news(gateway, ReceiptStatus.DELIVERED, delivery=carrier.id)
    await gateway.front.services.receipts.take([arrival])
    assert set((await gateway.states()).values()) == {"delivered"}
    returned = news(gateway, ReceiptStatus.RETURNED, delivery=carrier.id, at=gateway.time() + dt.timedelta(days=3))
    await gateway.front.services.receipts.take([returned])
    assert set((await gateway.states()).values()) == {"failed"}
    assert sorted(task.contact for task in await gateway.tasks()) == ["dad", "mum"]


async def test_news_during_the_hand_over_is_not_lost(gateway: Installation) -> None:
    """Many receipts for one batch, at the same moment as each other: every one finds its delivery."""
    contacts = [f"c{number:02}" for number in range(20)]
    await gateway.put(directory(relationships=parents(*contacts)))
    await gateway.post("report")
    await gateway.at_rest()
    desk = gateway.front.services.receipts
    rows = await gateway.deliveries()
    await asyncio.gather(
        *(desk.take([news(gateway, status, delivery=row.id)]) for row in rows for status in _SENT_AND_DELIVERED)
    )
    assert set((await gateway.states()).values()) == {"delivered"}
    async with gateway.front.database.reading() as connection:
        waiting = await connection.execute(select(receipts_table).where(receipts_table.c.applied_at.is_(None)))
        assert list(waiting) == []


async def test_stop_blocks_the_number_and_nothing_else(gateway: Installation) -> None:
    """After STOP the address is not used any more; what arrived has arrived, and other addresses go on (R33)."""
    rows = await mailed(gateway, "mum")
    stop = news(gateway, ReceiptStatus.OPTED_OUT, delivery=rows["mum-e"].id)
    await gateway.front.services.receipts.take([stop])
    assert await gateway.states() == {"mum-e": "sent"}
    later = await gateway.post("report")
    await gateway.at_rest()
    assert await gateway.states(later) == {"mum-m": "sent"}
