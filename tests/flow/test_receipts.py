"""Providers' later news: told twice, in any order, too early, or with a bounce that starts the next route."""

import asyncio
import datetime as dt
import itertools
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from channels.base import Receipt, ReceiptStatus
from gateway.directory.model import School
from gateway.dispatch.receipts import FIRST_LOOK, LONGEST_PARKED, OWN_SHARE
from gateway.dispatch.requests import NotificationRequest
from gateway.store.postings import recording
from gateway.store.receipts import keep_receipts
from gateway.store.tables import attempts, deliveries, delivery_events, messages, point_marks
from gateway.store.tables import receipts as receipts_table
from tests.flow.families import DAD, HOUSE, MUM, MUM_NUMBER, TOGETHER, parents
from tests.flow.installation import CONTENT, PRINCIPAL, Installation
from tests.unit.rules.households import directory, email, letter, mobile, voice

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


async def test_a_letter_that_a_rule_takes_back_is_nobodys_to_reach_by_hand(gateway: Installation) -> None:
    """The print house reports at once that it was withdrawn, before we have written that it was us (R44)."""
    addressed = {"contacts": [MUM], "contact_points": [letter("mum", HOUSE)]}
    await gateway.put(directory(relationships=parents("mum"), **addressed))
    await gateway.post("report")
    await gateway.at_rest()
    (row,) = await gateway.deliveries()
    desk = gateway.front.services.receipts
    await desk.take([news(gateway, ReceiptStatus.CANCELED, delivery=row.id)])
    assert await gateway.states() == {row.point: "sent"}
    async with gateway.front.database.writing() as connection:
        await connection.execute(deliveries.update().values(state="suppressed"))
    await gateway.forward(seconds=1)
    assert await gateway.states() == {row.point: "suppressed"}
    assert await gateway.tasks() == []
    assert [each.applied_at is not None for each in await gateway.rows(receipts_table)] == [True]


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


async def called(gateway: Installation, category: str = "attendance") -> Any:
    """Call a parent who has a telephone and a house; gives the call's delivery."""
    points = [voice("mum", MUM_NUMBER), letter("mum", HOUSE)]
    await gateway.put(directory(relationships=parents("mum"), contact_points=points))
    await gateway.post(category)
    await gateway.at_rest()
    return next(row for row in await gateway.deliveries() if row.point == "mum-v")


def engaged(gateway: Installation, row: Any, **fields: Any) -> Receipt:
    """Report that the line was engaged."""
    told = {"delivery": row.id, "provider_id": row.provider_id, "again": True, "explanation": "The line was engaged."}
    return news(gateway, ReceiptStatus.BUSY, **told | fields)


async def test_an_engaged_line_is_called_again_and_in_the_end_somebody_is_asked_to_reach_her(
    gateway: Installation,
) -> None:
    """Two more calls, after five minutes and half an hour; no other route is left, so the office hears of it (R24)."""
    row = await called(gateway)
    desk = gateway.front.services.receipts
    for number, minutes in enumerate((6, 34), 1):
        row = next(each for each in await gateway.deliveries() if each.point == "mum-v")
        await desk.take([engaged(gateway, row)])
        assert await gateway.states() == {"mum-v": "retrying"}
        await gateway.forward(minutes=minutes)
        assert await gateway.states() == {"mum-v": "sent"}
        assert len(gateway.outbox.lines("voice")) == number + 1
    row = next(each for each in await gateway.deliveries() if each.point == "mum-v")
    await desk.take([engaged(gateway, row)])
    await gateway.at_rest()
    assert await gateway.states() == {"mum-v": "failed"}
    assert [(task.kind, task.contact) for task in await gateway.tasks()] == [("reach_by_hand", "mum")]
    assert [each.missed_at is not None for each in await gateway.attempts(row.id)] == [True, True, True]


async def test_while_another_call_waits_the_notification_is_not_finished(gateway: Installation) -> None:
    """What was finished is at work again, and finishes once more."""
    row = await called(gateway)
    assert await gateway.status(row.notification) == "finished"
    await gateway.front.services.receipts.take([engaged(gateway, row)])
    assert await gateway.status(row.notification) == "sending"
    await gateway.forward(minutes=6)
    assert await gateway.status(row.notification) == "finished"


async def test_an_arrival_that_is_told_late_stops_the_next_call(gateway: Installation) -> None:
    """The handset had it after all."""
    row = await called(gateway)
    desk = gateway.front.services.receipts
    await desk.take([engaged(gateway, row)])
    await desk.take([news(gateway, ReceiptStatus.DELIVERED, delivery=row.id, provider_id=row.provider_id)])
    assert await gateway.states() == {"mum-v": "delivered"}
    await gateway.forward(minutes=40)
    assert len(gateway.outbox.lines("voice")) == 1


async def test_news_of_the_first_call_does_not_touch_the_second(gateway: Installation) -> None:
    """It comes late, told twice under two names, with and without the delivery it is about."""
    row = await called(gateway)
    desk = gateway.front.services.receipts
    await desk.take([engaged(gateway, row)])
    async with gateway.front.database.writing() as connection:
        # The outbox gives every repetition the same id; other providers do not.
        first = {"provider_id": "first-call"}
        await connection.execute(deliveries.update().where(deliveries.c.id == row.id).values(first))
        await connection.execute(attempts.update().where(attempts.c.delivery == row.id).values(first))
    await gateway.forward(minutes=6)
    for delivery_id in (row.id, None):
        await desk.take([engaged(gateway, row, provider_id="first-call", delivery=delivery_id)])
        failed = {"delivery": delivery_id, "provider_id": "first-call", "address_dead": True}
        await desk.take([news(gateway, ReceiptStatus.FAILED, **failed)])
    assert await gateway.states() == {"mum-v": "sent"}
    await desk.take([news(gateway, ReceiptStatus.DELIVERED, provider_id="first-call")])
    assert await gateway.states() == {"mum-v": "delivered"}
    assert [each.applied_at is None for each in await gateway.rows(receipts_table)] == [False] * 6


async def test_a_callback_cannot_be_bent_to_another_schools_text(gateway: Installation) -> None:
    """Whoever may sign for one delivery says nothing of another; it is kept as refused, counted and logged."""
    await gateway.put(directory(relationships=parents("mum")))
    await gateway.post("report")
    await gateway.put(
        msgspec.structs.replace(directory(relationships=parents("dad")), school=School(id="other", name="Other School"))
    )
    await gateway.front.services.intake.accept(
        replace(PRINCIPAL, school="other"),
        msgspec.convert(
            {
                "category": "report",
                "purpose": "information",
                "audience": {"students": ["kid"]},
                "content": CONTENT,
            },
            NotificationRequest,
        ),
        key=None,
    )
    await gateway.at_rest()
    rows = {row.point: row for row in await gateway.deliveries()}
    theirs, ours = rows["dad-e"], rows["mum-e"]
    async with gateway.front.database.writing() as connection:
        for row in (theirs, ours):  # the outbox names each by its delivery's id, other providers do not
            named = {"provider_id": f"id-{row.point}"}
            await connection.execute(deliveries.update().where(deliveries.c.id == row.id).values(named))
            await connection.execute(attempts.update().where(attempts.c.delivery == row.id).values(named))
    bent = [
        news(gateway, ReceiptStatus.FAILED, delivery=theirs.id, provider_id="id-mum-e", address_dead=True),
        news(gateway, ReceiptStatus.FAILED, delivery=theirs.id, provider_id="id-nobody", address_dead=True),
        news(gateway, ReceiptStatus.FAILED, delivery=theirs.id, provider="twilio", address_dead=True),
        news(gateway, ReceiptStatus.DELIVERED, delivery="nobody", provider_id="id-mum-e"),
    ]
    assert await gateway.front.services.receipts.take(bent) == len(bent)
    assert set((await gateway.states()).values()) == {"sent"}
    assert await gateway.rows(delivery_events) == []
    assert await gateway.rows(point_marks) == []
    assert {row.refused for row in await gateway.rows(receipts_table)} == {"receipt_mismatch"}
    figures = gateway.front.services.metrics.exposition().decode()
    assert 'gateway_receipts_refused_total{provider="outbox",reason="receipt_mismatch"} 3.0' in figures


async def test_somebody_confirmed_it(gateway: Installation) -> None:
    """The first confirmation counts, and is told in the timeline."""
    rows = await mailed(gateway, "mum")
    at = gateway.time()
    for minutes in (1, 2):
        pressed = news(
            gateway, ReceiptStatus.ACKNOWLEDGED, delivery=rows["mum-e"].id, at=at + dt.timedelta(minutes=minutes)
        )
        await gateway.front.services.receipts.take([pressed])
    (row,) = await gateway.rows(messages)
    assert row.acknowledged_at == at + dt.timedelta(minutes=1)
    assert [event.news for event in await gateway.rows(delivery_events)] == ["acknowledged", "acknowledged"]
    assert await gateway.states() == {"mum-e": "delivered"}


async def test_who_wants_texts_again_gets_them(gateway: Installation) -> None:
    """START lifts what STOP did; an address that is dead stays dead (R33, R34)."""
    rows = await mailed(gateway, "mum")
    desk = gateway.front.services.receipts
    await desk.take([news(gateway, ReceiptStatus.OPTED_OUT, delivery=rows["mum-e"].id)])
    assert [mark.state for mark in await gateway.rows(point_marks)] == ["carrier_blocked"]
    await desk.take([news(gateway, ReceiptStatus.OPTED_IN, delivery=rows["mum-e"].id)])
    assert await gateway.rows(point_marks) == []
    await desk.take([news(gateway, ReceiptStatus.FAILED, delivery=rows["mum-e"].id, address_dead=True)])
    await desk.take([news(gateway, ReceiptStatus.OPTED_IN, delivery=rows["mum-e"].id)])
    assert [mark.state for mark in await gateway.rows(point_marks)] == ["dead"]


async def test_what_a_killed_process_had_only_kept_the_clock_applies(gateway: Installation) -> None:
    """A callback that was answered is durable; that nobody lived to apply it changes nothing."""
    rows = await mailed(gateway, "mum")
    arrival = news(gateway, ReceiptStatus.DELIVERED, delivery=rows["mum-e"].id)
    async with recording(gateway.front.database) as connection:
        await keep_receipts(connection, [arrival], at=gateway.time(), look_at=gateway.time() + FIRST_LOOK)
    assert await gateway.states() == {"mum-e": "sent"}
    await gateway.forward(seconds=1)
    assert await gateway.states() == {"mum-e": "delivered"}


async def flood(gateway: Installation, delivery: str) -> None:
    """Take in an arrival, after more news in one second than the process that answers applies itself."""
    desk = gateway.front.services.receipts
    before = [news(gateway, ReceiptStatus.QUEUED, provider_id=f"another's-{number}") for number in range(OWN_SHARE)]
    await asyncio.gather(*(desk.keep([each]) for each in before))
    await desk.keep([news(gateway, ReceiptStatus.DELIVERED, delivery=delivery)])
    await desk.finish(patience=10)


async def test_most_of_a_flood_is_left_to_the_clock(gateway: Installation) -> None:
    """Who answers providers has an alert to take in; a second later everything is as if there had been no flood."""
    rows = await mailed(gateway, "mum")
    await flood(gateway, rows["mum-e"].id)
    assert await gateway.states() == {"mum-e": "sent"}
    await gateway.front.services.receipts.take_parked()
    assert await gateway.states() == {"mum-e": "delivered"}
    await gateway.forward(seconds=1)
    await gateway.front.services.receipts.keep([news(gateway, ReceiptStatus.READ, delivery=rows["mum-e"].id)])
    await gateway.front.services.receipts.finish(patience=10)
    assert [row.news for row in await gateway.rows(delivery_events)] == ["delivered", "read"]


async def test_two_clocks_apply_a_flood_once(gateway: Installation) -> None:
    """Both look at the same; whoever is second finds that it has been done."""
    rows = await mailed(gateway, "mum")
    await flood(gateway, rows["mum-e"].id)
    desks = [each.services.receipts for each in (gateway.front, gateway.back)]
    await asyncio.gather(*(desk.take_parked() for desk in desks))
    assert len(await gateway.rows(delivery_events)) == 1


async def test_the_clock_looks_for_news_beside_its_rounds(gateway: Installation) -> None:
    """What is left to it need not wait for a round that has much to do."""
    rows = await mailed(gateway, "mum")
    await flood(gateway, rows["mum-e"].id)

    async def arrived() -> bool:
        return await gateway.states() == {"mum-e": "delivered"}

    ticking = asyncio.create_task(gateway.front.clock.run())
    await gateway.until(arrived)
    ticking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ticking
    assert [row.news for row in await gateway.rows(delivery_events)] == ["delivered"]


async def test_one_event_that_cannot_be_applied_keeps_no_other_back(gateway: Installation) -> None:
    """Whatever is wrong with it, it alone waits, longer each time."""
    rows = await mailed(gateway, "mum", "dad", "gran")
    told = [
        news(gateway, ReceiptStatus.DELIVERED, delivery=rows[f"{name}-e"].id, explanation=words)
        for name, words in (("mum", "Fine."), ("dad", "No text of \0 PostgreSQL's."), ("gran", "Fine."))
    ]
    await gateway.front.services.receipts.take(told)
    states = await gateway.states()
    assert (states["mum-e"], states["gran-e"]) == ("delivered", "delivered")
    if not gateway.front.database.sqlite:  # which takes every text
        assert states["dad-e"] == "sent"
        await gateway.forward(seconds=2)
        waiting = await gateway.rows(receipts_table, receipts_table.c.applied_at.is_(None))
        assert [row.look_at for row in waiting] == [gateway.time() + dt.timedelta(seconds=2)]


async def test_the_clock_applies_the_neighbours_of_what_cannot_be_applied(gateway: Installation) -> None:
    """What was left to it shares a transaction, which fails as a whole before it is tried in halves."""
    if gateway.front.database.sqlite:  # which takes every text
        return
    rows = await mailed(gateway, "mum", "dad", "gran")
    told = [
        news(gateway, ReceiptStatus.DELIVERED, delivery=rows[f"{name}-e"].id, explanation=words)
        for name, words in (("mum", "Fine."), ("dad", "No text of \0 PostgreSQL's."), ("gran", "Fine."))
    ]
    async with recording(gateway.front.database) as connection:
        await keep_receipts(connection, told, at=gateway.time(), look_at=gateway.time())
    await gateway.front.services.receipts.take_parked()
    assert await gateway.states() == {"mum-e": "delivered", "dad-e": "sent", "gran-e": "delivered"}
    waiting = await gateway.rows(receipts_table, receipts_table.c.applied_at.is_(None))
    assert [row.look_at for row in waiting] == [gateway.time() + FIRST_LOOK]


async def test_ids_that_are_none_are_left_out(gateway: Installation) -> None:
    """They would keep their neighbours from being stored."""
    rows = await mailed(gateway, "mum")
    told = [
        news(gateway, ReceiptStatus.DELIVERED, delivery=rows["mum-e"].id),
        news(gateway, ReceiptStatus.DELIVERED, delivery="\0"),
        news(gateway, ReceiptStatus.DELIVERED, event_id="x" * 256, delivery=rows["mum-e"].id),
    ]
    assert await gateway.front.services.receipts.take(told) == 1
    assert await gateway.states() == {"mum-e": "delivered"}


async def test_what_a_long_standstill_left_unapplied_is_still_applied(gateway: Installation) -> None:
    """Nobody applied it for a week: an installation that was switched off over the holidays forgets nothing."""
    rows = await mailed(gateway, "mum")
    told = [news(gateway, ReceiptStatus.DELIVERED, delivery=rows["mum-e"].id), news(gateway, ReceiptStatus.SENT)]
    async with recording(gateway.front.database) as connection:
        await keep_receipts(connection, told, at=gateway.time(), look_at=gateway.time() + FIRST_LOOK)
    gateway.time.now += LONGEST_PARKED + dt.timedelta(days=1)
    await gateway.front.services.receipts.take_parked()
    assert await gateway.states() == {"mum-e": "delivered"}
    kept = {row.event_id: row.refused for row in await gateway.rows(receipts_table)}
    assert kept == {told[0].event_id: None, told[1].event_id: "unclaimed"}


async def test_a_busy_line_is_called_again_although_its_worker_died(gateway: Installation) -> None:
    """The news comes after the lease and before the clock has noticed: it waits for it, and is not lost."""
    row = await called(gateway)
    dead = {"state": "sending", "owner": "dead", "lease_until": gateway.time() - FIRST_LOOK, "provider_id": None}
    async with gateway.front.database.writing() as connection:
        await connection.execute(deliveries.update().where(deliveries.c.id == row.id).values(dead))
        await connection.execute(attempts.delete().where(attempts.c.delivery == row.id))
    await gateway.front.services.receipts.take([engaged(gateway, row)])
    assert await gateway.states() == {"mum-v": "sending"}
    await gateway.forward(seconds=FIRST_LOOK.total_seconds())
    (attempt,) = await gateway.attempts(row.id)
    assert await gateway.states() == {"mum-v": "retrying"}
    assert attempt.missed_at is not None


async def test_a_busy_line_is_called_again_when_the_first_ring_was_told_before_our_record(
    gateway: Installation,
) -> None:
    """The worker's record is there: nothing has to wait until its lease would have run out."""
    row = await called(gateway)
    quicker = {"owner": "w", "lease_until": gateway.time() + dt.timedelta(seconds=45)}
    async with gateway.front.database.writing() as connection:
        await connection.execute(deliveries.update().where(deliveries.c.id == row.id).values(quicker))
    await gateway.front.services.receipts.take([engaged(gateway, row)])
    assert await gateway.states() == {"mum-v": "retrying"}


async def test_news_of_nobodys_is_given_up_in_the_end(gateway: Installation) -> None:
    """It is looked at less and less often, and never again after a week."""
    await mailed(gateway, "mum")
    await gateway.front.services.receipts.take([news(gateway, ReceiptStatus.DELIVERED, provider_id="nobody's")])
    looked_at = []
    for _ in range(40):
        (row,) = await gateway.rows(receipts_table)
        if row.applied_at is not None:
            break
        looked_at.append(row.look_at)
        gateway.time.now = row.look_at
        await gateway.front.services.receipts.take_parked()
    assert row.refused == "unclaimed"
    assert len(looked_at) < 25
    assert row.applied_at - looked_at[0] >= LONGEST_PARKED - dt.timedelta(seconds=2)
