"""How a message could be lost, doubled or silently come to nothing: every way that was found, and closed."""

from collections.abc import Iterable
from typing import Any

import pytest

from channels.base import Receipt, ReceiptStatus
from gateway.dispatch.metrics import Metrics
from gateway.dispatch.planner import Planner
from gateway.store.tables import notifications
from tests.flow.families import DAD, HOUSE, MUM, MUM_NUMBER, TOGETHER, parents
from tests.flow.installation import LATER, REFUSED, SILENCE, Installation, recipient
from tests.flow.test_no_leak import FAMILY, slow_mail
from tests.unit.rules.households import directory, email, letter, mobile


class AtOnce:
    """A queue whose worker is so quick that a chunk has left before the next one is planned."""

    def __init__(self, gateway: Installation) -> None:
        self._gateway = gateway

    async def wake_batches(self, batches: Iterable[tuple[str, str]]) -> None:
        """Do the work."""
        for _lane, batch in batches:
            await self._gateway.back.sender.send(batch)


async def planned_one_by_one(idle: Installation, notification: str) -> None:
    """Plan one contact at a time, each chunk sent before the next."""
    planner = Planner(
        idle.back.database,
        AtOnce(idle),  # type: ignore[arg-type]  # all a planner does with a queue
        owner="planner",
        now=idle.time,
        policy=idle.back.services.policy,
        metrics=Metrics(),
        chunk=1,
    )
    await planner.plan(notification)
    await idle.send_due()


@pytest.mark.parametrize(
    ("first_fails", "states"),
    [
        (False, {"dad-e": "sent", "mum-e": "sent"}),
        (True, {"dad-e": "failed", "dad-l": "sent", "mum-e": "sent"}),
    ],
    ids=["sent", "refused"],
)
async def test_a_couple_on_the_border_of_two_chunks_is_told(
    idle: Installation,
    first_fails: bool,  # noqa: FBT001  # a table's column
    states: dict[str, str],
) -> None:
    """His mail was to carry her copy along and has left before hers was planned: hers goes by itself."""
    await idle.put(
        directory(
            relationships=parents("mum", "dad"),
            contacts=[MUM, DAD],
            contact_points=[email("dad", FAMILY), email("mum", FAMILY), letter("dad", HOUSE)],
            households=[TOGETHER],
        )
    )
    if first_fails:
        idle.faults.once(FAMILY, REFUSED)
    notification = await idle.post("report")
    await planned_one_by_one(idle, notification)
    assert await idle.states(notification) == states
    assert await idle.status(notification) == "finished"


async def test_a_couple_on_the_border_of_two_chunks_shares_a_mail_that_waits(idle: Installation) -> None:
    """His mail waits for the end of quiet hours: hers, planned in the next chunk, still travels inside it."""
    await idle.put(
        directory(
            relationships=parents("mum", "dad"),
            contacts=[MUM, DAD],
            contact_points=[email("dad", FAMILY), email("mum", FAMILY)],
            households=[TOGETHER],
        )
    )
    idle.faults.once(FAMILY, LATER)
    notification = await idle.post("report")
    await planned_one_by_one(idle, notification)
    assert await idle.states(notification) == {"dad-e": "retrying", "mum-e": "queued"}
    idle.time.now += idle.time.now.resolution * 90_000_000
    await idle.send_due()
    assert await idle.states(notification) == {"dad-e": "sent", "mum-e": "sent"}
    (mail,) = idle.outbox.mails().values()
    assert "Quillfeather" in str(mail)
    assert "Vantongeren" in str(mail)


async def test_a_server_that_never_answers_is_not_sent_the_mail_again_and_again(idle: Installation) -> None:
    """It may have taken every copy: after three a person is asked, not the parent's patience."""
    await idle.put(directory(relationships=parents("mum")))
    idle.faults.always("mum@example.org", SILENCE)
    notification = await idle.post("newsletter")
    await idle.back.planner.plan(notification)
    for _ in range(12):
        await idle.send_due()
        idle.time.now += idle.time.now.resolution * 3_600_000_000
    assert len(idle.faults.seen) == 3
    assert await idle.states(notification) == {"mum-e": "unknown"}
    assert [(task.kind, task.contact) for task in await idle.tasks()] == [("settle_unknown", "mum")]
    assert await idle.status(notification) == "finished"


async def test_a_number_that_has_gone_leaves_the_unknown_to_a_person(idle: Installation) -> None:
    """Nobody knows whether the text left, and its number is no longer on record to ask about: staff must find out."""
    rows = parents("mum")
    await idle.put(directory(relationships=rows, contact_points=[mobile("mum", MUM_NUMBER)]))
    idle.faults.always(MUM_NUMBER, SILENCE)
    notification = await idle.post("report")
    await idle.back.planner.plan(notification)
    await idle.send_due()
    await idle.put(directory(relationships=rows, contact_points=[letter("mum", HOUSE)]))
    idle.time.now += idle.time.now.resolution * 60_000_000
    for _ in range(3):
        await idle.front.clock.round()
        for row in await idle.deliveries(notification):
            await idle.back.sender.send(row.batch)
        idle.time.now += idle.time.now.resolution * 90_000_000
    assert (await idle.states(notification))["mum-m"] == "unknown"
    assert [(task.kind, task.contact) for task in await idle.tasks()] == [
        ("confirm_details", "mum"),
        ("settle_unknown", "mum"),
    ]
    assert await idle.status(notification) == "finished"


async def test_a_worker_too_slow_to_keep_its_claim_sends_no_second_copy(idle: Installation) -> None:
    """Its lease ran out in the middle of a batch and another worker did the rest: it must not do that rest again."""
    people = ("aunt", "dad", "mum")
    await idle.put(directory(relationships=parents(*people)))
    notification = await idle.post("newsletter")
    await idle.back.planner.plan(notification)
    (batch,) = {row.batch for row in await idle.deliveries(notification)}

    async def lost() -> None:
        idle.time.now += idle.time.now.resolution * 120_000_000
        await idle.front.clock.round()
        await idle.back.sender.send(batch)

    slow_mail(idle, lost)
    await idle.back.sender.send(batch)
    await idle.send_due()
    assert set((await idle.states(notification)).values()) == {"sent"}
    taken = [recipient(envelope) for envelope in idle.faults.seen]
    assert {address: taken.count(address) for address in taken} == {
        # The first was with the provider when the lease ran out: repeated under the same Message-ID.
        taken[0]: 2,
        **{f"{name}@example.org": 1 for name in people if f"{name}@example.org" != taken[0]},
    }


async def test_an_answer_that_comes_late_is_still_the_truth(idle: Installation) -> None:
    """The lease ran out while the provider took the mail; its answer settles what was unknown, nothing is repeated."""
    await idle.put(directory(relationships=parents("mum")))
    notification = await idle.post("newsletter")
    await idle.back.planner.plan(notification)

    async def swept() -> None:
        idle.time.now += idle.time.now.resolution * 120_000_000
        await idle.front.clock.round()
        assert await idle.states(notification) == {"mum-e": "unknown"}

    slow_mail(idle, swept)
    await idle.send_due()
    assert await idle.states(notification) == {"mum-e": "sent"}
    assert len(idle.faults.seen) == 1


async def test_when_the_last_route_is_withdrawn_staff_hear_of_it(idle: Installation) -> None:
    """Her mail comes back, and the house the letter would go to has left the record: nobody may think she has it."""
    rows = parents("mum")
    await idle.put(directory(relationships=rows, contact_points=[email("mum"), letter("mum", HOUSE)]))
    notification = await idle.post("report")
    await idle.back.planner.plan(notification)
    await idle.send_due()
    (sent,) = await idle.deliveries(notification)
    await idle.put(directory(relationships=rows, contact_points=[email("mum")]))
    bounce = Receipt(provider="outbox", event_id="1", status=ReceiptStatus.BOUNCED, at=idle.time(), delivery=sent.id)
    await idle.front.services.receipts.take([bounce])
    await idle.send_due()
    assert await idle.states(notification) == {"mum-e": "failed", "mum-l": "suppressed"}
    assert [(task.kind, task.contact) for task in await idle.tasks()] == [
        ("confirm_details", "mum"),
        ("reach_by_hand", "mum"),
    ]


async def test_contact_points_that_change_hands_reach_their_new_owners(idle: Installation) -> None:
    """The file had mixed the parents' mailboxes up and is put right under the same ids before anything leaves."""

    def points(first: str, other: str) -> list[dict[str, Any]]:
        return [
            email(first, f"{first}@example.org", id="point-1"),
            email(other, f"{other}@example.org", id="point-2"),
        ]

    rows = parents("mum", "dad")
    await idle.put(directory(relationships=rows, contact_points=points("mum", "dad")))
    notification = await idle.post("report")
    await idle.back.planner.plan(notification)
    await idle.put(directory(relationships=rows, contact_points=points("dad", "mum")))
    await idle.send_due()
    assert idle.outbox.mailed() == ["dad@example.org", "mum@example.org"]
    assert await idle.status(notification) == "finished"


async def test_a_contact_who_joins_while_planning_runs_is_told(idle: Installation) -> None:
    """The directory gains an aunt with the rights of a parent after the planner has come past her: she gets it, too."""
    await idle.put(directory(contacts=[MUM, DAD], relationships=parents("mum", "dad")))
    notification = await idle.post("newsletter")
    async with idle.back.database.writing() as connection:
        past_her = notifications.update().where(notifications.c.id == notification).values(cursor="b")
        await connection.execute(past_her)
    await idle.put(
        directory(
            contacts=[MUM, DAD, {"id": "aunt", "given_name": "Perpetua"}],
            contact_points=[email("mum"), email("dad"), email("aunt")],
            relationships=parents("mum", "dad", "aunt"),
        )
    )
    await idle.back.planner.plan(notification)
    assert set(await idle.decided(notification)) == {("kid", "aunt"), ("kid", "dad"), ("kid", "mum")}
    await idle.send_due()
    assert idle.outbox.mailed() == ["aunt@example.org", "dad@example.org", "mum@example.org"]
