"""A review's findings about holds that come and go."""

import datetime as dt

from gateway.directory.model import Directory
from tests.flow.families import DAD, KID, MUM, parents
from tests.flow.installation import Installation
from tests.unit.rules.households import directory, relation


def household(*, responsibility: str = "unknown") -> Directory:
    """Let the mother live with somebody whose standing is known or not (R13)."""
    his = relation("dad", lives_with=True, parental_responsibility=responsibility)
    return directory(students=[KID], contacts=[MUM, DAD], relationships=[*parents("mum"), his])


async def test_a_copy_withdrawn_into_a_hold_leaves_when_the_hold_goes(idle: Installation) -> None:
    """In doubt for a moment before it left, and confirmed again: it is sent all the same."""
    await idle.put(household(responsibility="yes"))
    notification = await idle.post("meeting")
    await idle.back.planner.plan(notification)
    await idle.put(household())
    await idle.send_due()
    assert (await idle.decided(notification))["kid", "dad"] == "hold R13"
    await idle.put(household(responsibility="yes"))
    idle.time.now += dt.timedelta(seconds=30)
    await idle.front.clock.round()
    await idle.send_due()
    assert (await idle.decided(notification))["kid", "dad"] == "send R07"
    assert "dad@example.org" in idle.outbox.mailed()
