"""How a barred parent could hear of the child, or one parent of the other: every way we found, closed."""

import datetime as dt
from typing import Any

import pytest

from channels.base import Envelope
from channels.errors import SendError
from gateway.store.tables import deliveries
from tests.flow.families import DAD, HOUSE, KID, MUM, MUM_NUMBER, SIS, TOGETHER, parents
from tests.flow.installation import REFUSED, Installation
from tests.unit.rules.households import deny, directory, email, letter, mobile, relation

FAMILY = "quillfeathers@example.org"


def second(contact: str, address: str = FAMILY) -> dict[str, Any]:
    """Give a contact a second mailbox."""
    return email(contact, address, id=f"{contact}-f", order=2)


async def test_the_next_mailbox_is_judged_as_strictly_as_the_first(idle: Installation) -> None:
    """He is barred and reads her second mailbox since the plan was made: when her first refuses, it stays unused."""
    rows = parents("mum", "dad")
    own = [email("mum"), second("mum"), mobile("mum", MUM_NUMBER), email("dad")]
    await idle.put(directory(relationships=rows, contact_points=own))
    notification = await idle.post("report")
    await idle.back.planner.plan(notification)
    shared = [*own, second("dad")]
    await idle.put(directory(relationships=rows, contact_points=shared, restrictions=[deny("dad")]))
    idle.faults.always("mum@example.org", REFUSED)
    await idle.send_due()
    assert FAMILY not in idle.outbox.mailed()
    assert (await idle.states(notification))["mum-m"] == "sent"


async def test_the_next_mailbox_is_judged_by_the_day_it_is_used(idle: Installation) -> None:
    """The order against him begins tomorrow; her mail comes back tomorrow: the mailbox he reads is closed by then."""
    tomorrow = (idle.time() + dt.timedelta(days=1)).date()
    await idle.put(
        directory(
            relationships=parents("mum", "dad"),
            contact_points=[email("mum"), mobile("mum", MUM_NUMBER), email("dad"), mobile("dad", MUM_NUMBER)],
            households=[TOGETHER],
            restrictions=[deny("dad", **{"from": str(tomorrow)})],
            contacts=[MUM, DAD],
        )
    )
