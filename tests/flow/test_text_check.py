"""R38 in the flow: a text that tells one parent something of the other waits until a person has looked."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from gateway.directory.model import Directory, Restriction
from gateway.dispatch.refusals import Refused
from gateway.dispatch.releasing import ReleaseDesk
from gateway.store.tables import notifications
from tests.flow.families import DAD, KID, MUM, SIS, parents
from tests.flow.installation import PRINCIPAL, Installation
from tests.unit.rules.households import deny, directory, email, letter


def family(*, confidential: bool = False) -> Directory:
    """Let parents live apart, the mother at an address that may be confidential."""
    return directory(
        students=[KID],
        contacts=[MUM, DAD],
        relationships=parents("mum", "dad"),
        contact_points=[
            email("mum"),
            email("dad"),
            letter("mum", "9 Refuge Lane", confidential=confidential),
        ],
    )


BILLING = msgspec.convert(deny("dad", categories=["billing"]), Restriction)


def saying(body: str) -> dict[str, Any]:
    """Write a notice."""
    return {"content": {"language": "en", "subject": "News", "body": f"Dear ((contact_name)),\n\n{body}"}}


async def release(gateway: Installation, notification: str, reason: str) -> int:
    """Confirm a text; gives how many deliveries it let go."""
    services = gateway.front.services
    desk = ReleaseDesk(
        services.database,
        services.wakeups,
        policy=services.policy,
        now=gateway.time,
        snapshots=services.snapshots,
    )
    (row,) = await gateway.rows(notifications, notifications.c.id == notification)
    return (await desk.release(PRINCIPAL, row, reason)).released


async def test_a_text_that_names_the_mother_waits_for_the_father_alone(gateway: Installation) -> None:
    """She reads her own name and gets it; his copy is held, is a task, and goes when somebody confirms it."""
    await gateway.put(family())
    notification = await gateway.post("routine", **saying("Zinnia Quillfeather will bring the cake."))
    await gateway.at_rest()
    assert await gateway.states(notification) == {"dad-e": "held", "mum-e": "sent"}
    assert await gateway.decided(notification) == {("kid", "dad"): "hold R38", ("kid", "mum"): "send R07"}
    assert await gateway.status(notification) == "held"
    assert [(task.kind, task.contact) for task in await gateway.tasks()] == [("decide_hold", "dad")]

    assert await release(gateway, notification, "The cake stall list was agreed by both.") == 1
    await gateway.at_rest()
    assert await gateway.states(notification) == {"dad-e": "sent", "mum-e": "sent"}
    assert await gateway.decided(notification) == {("kid", "dad"): "send R07", ("kid", "mum"): "send R07"}
    assert await gateway.status(notification) == "finished"
    assert await gateway.tasks() == []
    assert "text_confirmed" in await gateway.events()


async def test_a_confidential_address_cannot_be_confirmed_away(gateway: Installation) -> None:
    """Her refuge's address never goes to him, whoever confirms it."""
    await gateway.put(family(confidential=True))
    notification = await gateway.post("routine", **saying("Collect the costume at 9 Refuge Lane."))
    await gateway.at_rest()
    assert await gateway.states(notification) == {"dad-e": "held", "mum-e": "sent"}
    with pytest.raises(Refused):
        await release(gateway, notification, "He knows it anyway.")
    assert await gateway.states(notification) == {"dad-e": "held", "mum-e": "sent"}
    assert gateway.outbox.mailed() == ["mum@example.org"]


@pytest.mark.parametrize(
    "fields",
    [
        {"template": "newsletter", "values": {"issue": "1", "headline": "Fair", "story": "By Zinnia Quillfeather.",
                                               "event_date": "2026-07-01"}},
        saying("Write to mum@example.org."),
    ],
    ids=["in a value", "a mailbox"],
)  # fmt: skip
async def test_values_and_mailboxes_are_looked_at_too(gateway: Installation, fields: dict[str, Any]) -> None:
    """What is put into a template counts like the text itself."""
    await gateway.put(family())
    notification = await gateway.post("newsletter", **fields)
    await gateway.at_rest()
    assert (await gateway.states(notification))["dad-e"] == "held"


async def test_nothing_is_let_go_while_nobody_can_say_who_is_barred(gateway: Installation) -> None:
    """The register cannot be read: whoever confirms is asked to come again, and nothing has changed (R46)."""
    await gateway.put(msgspec.structs.replace(family(), restrictions=(BILLING,)))
    notification = await gateway.post("routine", **saying("Zinnia Quillfeather will bring the cake."))
    await gateway.at_rest()
    await change(gateway, "UPDATE restrictions SET document = substr(document, 2)")
    with pytest.raises(Refused) as refusal:
        await release(gateway, notification, "Agreed by both.")
    assert refusal.value.status == 503
    assert (await gateway.states(notification))["dad-e"] == "held"
    assert (await gateway.decided(notification))["kid", "dad"] == "hold R38"
    await change(gateway, "UPDATE restrictions SET document = '{' || document")
    assert await release(gateway, notification, "Agreed by both.") == 1


async def change(gateway: Installation, statement: str) -> None:
    """Change the register behind the gateway's back."""
    async with gateway.front.database.writing() as connection:
        await connection.execute(text(statement))


async def test_nothing_to_release_is_said(gateway: Installation) -> None:
    """A confirmation of what is not held changes nothing and is refused."""
    await gateway.put(family())
    notification = await gateway.post("routine", **saying("All is well."))
    await gateway.at_rest()
    with pytest.raises(Refused):
        await release(gateway, notification, "Just in case.")
    assert set((await gateway.states(notification)).values()) == {"sent"}


async def test_in_an_emergency_a_bare_notice_goes_at_once(gateway: Installation) -> None:
    """Nobody waits for a person to read a text: he hears that there is a message, in full she hears what it is."""
    await gateway.put(family())
    notification = await gateway.post("emergency", **saying("Zinnia Quillfeather waits at gate B."))
    await gateway.at_rest()
    assert set((await gateway.states(notification)).values()) == {"sent"}
    texts = {message["To"].addresses[0].addr_spec: message for message in gateway.outbox.mails().values()}
    hers, his = (texts[f"{who}@example.org"].get_body(("plain",)) for who in ("mum", "dad"))
    assert hers is not None
    assert his is not None
    assert "gate B" in hers.get_content()
    assert "gate B" not in his.get_content()
    assert "contact the school office" in his.get_content()
    assert [(task.kind, task.contact) for task in await gateway.tasks()] == [("decide_hold", "dad")]


async def test_a_message_that_comes_apart_is_read_again(idle: Installation) -> None:
    """Barred for one child before it leaves, he gets what is about the other: its text is checked like any other."""
    people: dict[str, Any] = {
        "students": [KID, SIS],
        "contacts": [MUM, DAD],
        "contact_points": [email("mum"), email("dad")],
    }
    rows = [*parents("dad", student="kid"), *parents("mum", "dad", student="sis")]
    await idle.put(directory(**people, relationships=[*parents("dad", student="kid"), *parents("dad", student="sis")]))
    notification = await idle.post(
        "newsletter", audience={"students": ["kid", "sis"]}, **saying("Zinnia Quillfeather will bring the cake.")
    )
    await idle.back.planner.plan(notification)
    assert await idle.states(notification) == {"dad-e": "queued"}
    await idle.put(directory(**people, relationships=rows, restrictions=[deny("dad", "kid")]))
    await idle.send_due()
    assert sorted(row.state for row in await idle.deliveries(notification)) == ["held", "suppressed"]
