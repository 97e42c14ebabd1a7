"""How a barred parent could hear of the child, or one parent of the other: every way that was found, and closed."""

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from channels.base import Channel, Envelope, Handover, Limits, Receipt, ReceiptStatus
from gateway.directory.model import ChannelName
from gateway.dispatch.documents import DocumentDesk
from tests.flow.families import DAD, DAD_NUMBER, HOUSE, KID, MUM, MUM_NUMBER, SIS, TOGETHER, parents
from tests.flow.installation import REFUSED, Installation
from tests.flow.test_text_check import release, saying
from tests.unit.rules.households import deny, directory, email, letter, mobile

FAMILY = "quillfeathers@example.org"
Hook = Callable[[], Awaitable[object]]


def second(contact: str, address: str = FAMILY) -> dict[str, Any]:
    """Give a contact a second mailbox, `CONTACT-f`."""
    return email(contact, address, id=f"{contact}-f", order=2)


@dataclass
class OneByOne:
    """A provider that takes one envelope at a time, and lets something happen before it answers for the first."""

    real: Channel
    meanwhile: Hook
    limits: Limits = field(default_factory=lambda: Limits(batch=1))

    def __getattr__(self, name: str) -> Any:
        """Be like the real one in all else."""
        return getattr(self.real, name)

    async def send(self, envelopes: Sequence[Envelope]) -> AsyncIterator[Handover]:
        """Hand over, and let it happen once."""
        answers = [answer async for answer in self.real.send(envelopes)]
        hook, self.meanwhile = self.meanwhile, nothing
        await hook()
        for answer in answers:
            yield answer


async def nothing() -> None:
    """Let nothing happen."""


def slow_mail(idle: Installation, meanwhile: Hook) -> None:
    """Make the mail provider slow, so that something can happen between two mails of a batch."""
    mail = idle.back.providers[ChannelName.EMAIL]
    assert isinstance(mail, list)
    mail[0] = replace(mail[0], channel=OneByOne(mail[0].channel, meanwhile))


async def test_the_next_mailbox_is_judged_as_strictly_as_the_first(idle: Installation) -> None:
    """He is barred and reads her second mailbox since the plan was made: when her first refuses, it stays unused."""
    rows = parents("mum", "dad")
    own = [email("mum"), second("mum"), mobile("mum", MUM_NUMBER), email("dad")]
    await idle.put(directory(relationships=rows, contact_points=own))
    notification = await idle.post("report")
    await idle.back.planner.plan(notification)
    await idle.put(
        directory(relationships=rows, contact_points=[*own, second("dad")], restrictions=[deny("dad")]),
    )
    idle.faults.always("mum@example.org", REFUSED)
    await idle.send_due()
    assert FAMILY not in idle.outbox.mailed()
    assert (await idle.states(notification))["mum-m"] == "sent"


async def test_the_next_mailbox_shows_no_names_when_he_reads_along_by_now(idle: Installation) -> None:
    """They part before it leaves: her own mailbox refuses general news, the shared one has it without names (R29)."""
    people: dict[str, Any] = {
        "relationships": parents("mum"),
        "contacts": [MUM, DAD],
        "students": [KID],
        "contact_points": [email("mum"), second("mum"), second("dad")],
    }
    await idle.put(directory(**people, households=[TOGETHER]))
    notification = await idle.post("newsletter")
    await idle.back.planner.plan(notification)
    await idle.put(directory(**people))
    idle.faults.always("mum@example.org", REFUSED)
    await idle.send_due()
    (mail,) = idle.outbox.mails().values()
    for name in ("Zinnia", "Quillfeather", "Tamsin"):
        assert name not in str(mail)


async def test_the_next_route_is_judged_by_the_day_it_is_used(idle: Installation) -> None:
    """Her mail comes back a day later; since midnight an order bars him, who answers the same telephone."""
    tomorrow = (idle.time() + dt.timedelta(days=1)).date()
    await idle.put(
        directory(
            relationships=parents("mum"),
            contacts=[MUM, DAD],
            students=[KID],
            contact_points=[email("mum"), mobile("mum", MUM_NUMBER), mobile("dad", MUM_NUMBER), letter("mum", HOUSE)],
            households=[TOGETHER],
            restrictions=[deny("dad", **{"from": str(tomorrow)})],
        )
    )
    notification = await idle.post("report")
    await idle.back.planner.plan(notification)
    await idle.send_due()
    (sent,) = await idle.deliveries(notification)
    idle.time.now += dt.timedelta(days=1)
    bounce = Receipt(provider="outbox", event_id="1", status=ReceiptStatus.BOUNCED, at=idle.time(), delivery=sent.id)
    await idle.front.services.receipts.take([bounce])
    await idle.send_due()
    assert idle.outbox.lines("sms") == []
    assert (await idle.states(notification))["mum-l"] == "sent"


async def test_an_order_that_comes_in_the_middle_of_a_batch_is_obeyed(idle: Installation) -> None:
    """While the provider takes her mail the order against him is put in: his, the next one, stays."""
    rows = parents("dad", "mum")
    await idle.put(directory(relationships=rows, contacts=[MUM, DAD, {"id": "aunt"}]))
    notification = await idle.post("report")
    await idle.back.planner.plan(notification)
    both = [deny("dad"), deny("mum")]
    slow_mail(idle, lambda: idle.put(directory(relationships=rows, restrictions=both)))
    await idle.send_due()
    assert sorted((await idle.states(notification)).values()) == ["sent", "suppressed"]
    assert len(idle.outbox.mails()) == 1


async def test_an_address_that_becomes_his_in_the_middle_of_a_batch_is_not_used(idle: Installation) -> None:
    """While another's mail leaves, her mailbox turns out to be the barred father's, too: nothing goes there."""
    rows = [*parents("mum"), *parents("aunt")]
    points = [email("aunt"), email("mum", FAMILY)]
    await idle.put(directory(relationships=rows, contact_points=points))
    notification = await idle.post("report")
    await idle.back.planner.plan(notification)
    everyone = [*rows, *parents("dad")]
    everywhere = [email("aunt", FAMILY), email("mum", FAMILY), email("dad", FAMILY)]
    after = directory(relationships=everyone, contact_points=everywhere, restrictions=[deny("dad")])
    slow_mail(idle, lambda: idle.put(after))
    await idle.send_due()
    assert len(idle.outbox.mails()) == 1
    assert sorted((await idle.states(notification)).values()) == ["sent", "suppressed"]


async def test_a_link_ends_when_its_reader_leaves_the_mailbox(idle: Installation) -> None:
    """The report's link went to the couple's mailbox. She has one of her own now, he is barred and keeps the old."""
    people: dict[str, Any] = {
        "relationships": parents("mum", "dad"),
        "contacts": [MUM, DAD],
        "students": [{**KID, "birth_date": "2014-05-09"}],
    }
    await idle.put(
        directory(**people, contact_points=[email("mum", FAMILY), email("dad", FAMILY)], households=[TOGETHER])
    )
    notification = await idle.post("report")
    await idle.back.planner.plan(notification)
    await idle.send_due()
    services = idle.front.services
    desk = DocumentDesk(
        services.database, services.renderer, now=idle.time, policy=services.policy, snapshots=services.snapshots
    )
    hers = next(row for row in await idle.deliveries(notification) if row.contact == "mum")
    assert await desk.find(hers.id) is not None
    parted = directory(
        **people, contact_points=[email("mum", "zinnia@example.org"), email("dad", FAMILY)], restrictions=[deny("dad")]
    )
    await idle.put(parted)
    for row in await idle.deliveries(notification):
        assert await desk.find(row.id) is None


def telling(*mine: dict[str, Any], confidential: bool = False) -> Any:
    """Give parents who live apart, the mother in a refuge; `mine` are the father's points."""
    return directory(
        students=[KID],
        contacts=[MUM, DAD],
        relationships=parents("mum", "dad"),
        contact_points=[email("mum"), *mine, letter("mum", "9 Refuge Lane", confidential=confidential)],
    )


REFUGE = saying("Collect the costume at 9 Refuge Lane, ZZ9 9ZZ.")


@pytest.mark.parametrize("swept", [False, True], ids=["sender", "sweep"])
async def test_another_mailbox_does_not_get_round_the_text_check(idle: Installation, swept: bool) -> None:  # noqa: FBT001  # a table's column
    """His copy is held for its text (R38); then his mailbox is replaced by another: that one waits as well."""
    await idle.put(telling(email("dad"), confidential=True))
    notification = await idle.post("routine", **REFUGE)
    await idle.back.planner.plan(notification)
    await idle.put(telling(second("dad", "bartholomew@example.org"), confidential=True))
    if swept:
        await idle.front.clock.round()
    await idle.send_due()
    assert idle.outbox.mailed() == ["mum@example.org"]
    assert (await idle.decided(notification))["kid", "dad"] == "hold R38"


@pytest.mark.parametrize("swept", [False, True], ids=["sender", "sweep"])
async def test_an_address_recorded_since_is_looked_for_in_the_text(idle: Installation, swept: bool) -> None:  # noqa: FBT001  # a table's column
    """The text named a street nobody lived in; by the time it leaves she does: his copy waits for a person."""
    rows = {"students": [KID], "contacts": [MUM, DAD], "relationships": parents("mum", "dad")}
    await idle.put(directory(**rows))
    notification = await idle.post("routine", **REFUGE)
    await idle.back.planner.plan(notification)
    await idle.put(telling(email("dad"), confidential=True))
    if swept:
        await idle.front.clock.round()
    await idle.send_due()
    assert idle.outbox.mailed() == ["mum@example.org"]
    assert await idle.states(notification) == {"dad-e": "held", "mum-e": "sent"}
    assert (await idle.decided(notification))["kid", "dad"] == "hold R38"
    assert [(task.kind, task.contact) for task in await idle.tasks()] == [
        ("confirm_details", "mum"),
        ("decide_hold", "dad"),
    ]


async def test_a_confirmation_does_not_outlast_the_address_s_becoming_confidential(idle: Installation) -> None:
    """Somebody confirms the text; before it leaves her address is made confidential: it does not leave."""
    await idle.put(telling(email("dad")))
    notification = await idle.post("routine", **REFUGE)
    await idle.back.planner.plan(notification)
    await idle.send_due()
    assert await release(idle, notification, "Both know where the costumes are.") == 1
    await idle.put(telling(email("dad"), confidential=True))
    await idle.send_due()
    assert await idle.states(notification) == {"dad-e": "held", "mum-e": "sent"}


async def test_a_confirmed_text_goes_although_the_directory_has_changed(idle: Installation) -> None:
    """Confirmed, it leaves; also when something else has changed meanwhile, and by the next route."""
    await idle.put(telling(email("dad"), mobile("dad", DAD_NUMBER)))
    notification = await idle.post("routine", **REFUGE)
    await idle.back.planner.plan(notification)
    await idle.send_due()
    assert await release(idle, notification, "Both know where the costumes are.") == 1
    await idle.put(telling(email("dad"), mobile("dad", DAD_NUMBER), letter("dad", HOUSE)))
    idle.faults.always("dad@example.org", REFUSED)
    await idle.send_due()
    assert await idle.states(notification) == {"dad-e": "failed", "dad-m": "sent", "mum-e": "sent"}


async def test_values_told_apart_by_student_name_nobody_at_a_shared_mailbox(idle: Installation) -> None:
    """Her two children have different values; he reads along and lives apart: the values stand there without names."""
    rows = [*parents("mum"), *parents("mum", student="sis")]
    points = [email("mum", FAMILY), email("dad", FAMILY)]
    await idle.put(directory(relationships=rows, contacts=[MUM, DAD], students=[KID, SIS], contact_points=points))
    notification = await idle.post(
        "newsletter",
        audience={"students": ["kid", "sis"]},
        content={"language": "en", "subject": "Fair", "body": "Your stall: ((stall))."},
        student_values={"kid": {"stall": "Cakes"}, "sis": {"stall": "Books"}},
    )
    await idle.back.planner.plan(notification)
    await idle.send_due()
    (mail,) = idle.outbox.mails().values()
    text = str(mail.get_body(("plain",)))
    assert "Cakes" in text
    assert "Books" in text
    for name in ("Tamsin", "Odalys"):
        assert name not in str(mail)


async def test_an_alert_to_a_mailbox_shared_apart_greets_nobody_as_a_couple(idle: Installation) -> None:
    """They live apart and still share a mailbox: one mail, but no "Ms and Mr" (R26)."""
    await idle.put(
        directory(
            relationships=parents("mum", "dad"),
            contacts=[MUM, DAD],
            students=[KID],
            contact_points=[email("mum", FAMILY), email("dad", FAMILY)],
        )
    )
    notification = await idle.post("emergency")
    await idle.back.planner.plan(notification)
    await idle.send_due()
    (mail,) = idle.outbox.mails().values()
    for name in ("Quillfeather", "Vantongeren"):
        assert name not in str(mail)
    assert "Tamsin" in str(mail)
