"""Runs schedules: notifications under faults, then rest, then the balance."""

import asyncio
import datetime as dt
import random
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from gateway.store.receipts import parked
from gateway.store.tables import notifications
from tests.chaos.faults import WINDOW_SECONDS, Stage, Strike
from tests.chaos.ledger import Balance, Received, balance
from tests.chaos.stage import Scene
from tests.chaos.striking import Striker
from tests.chaos.traffic import FAMILIES, ROUTES, NotTakenError, School, new_school, post, put_directory

REST_WITHIN = 60.0
"""Seconds from the end of the last fault to rest."""
_LOOK_SECONDS = 0.1

_POSTED = ("emergency", "report", "newsletter", "emergency")
"""Categories of the notifications of one schedule."""

DELIVERIES = 2 * FAMILIES * sum(len(ROUTES[category]) for category in _POSTED)
"""What they come to: two parents a family, by each route of the category."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One run with its faults, and what it came to."""

    name: str
    stage: Stage
    strikes: Sequence[Strike]
    balance: Balance
    recovery: float
    """Seconds from the end of the last fault to rest."""
    missed: Collection[Strike] = ()
    """What there was nobody for."""
    posted: Mapping[str, str]
    contacts: Sequence[str]

    @property
    def faults(self) -> list[str]:
        """Say what was wrong at the end."""
        return self.balance.faults


async def run(
    scene: Scene, name: str, strikes: Sequence[Strike], chance: random.Random, *, within: float = REST_WITHIN
) -> Schedule:
    """Run one schedule; the scene is whole before and after it."""
    before = scene.received()
    faults: list[str] = []
    school = await new_school(scene.database, name)
    try:
        await put_directory(scene.session, scene.base, school)
    except NotTakenError as error:
        faults.append(str(error))
    for relay in scene.relays:
        relay.chunking = chance.random() < 0.5
    posted: dict[str, str] = {}
    missed: list[Strike] = []
    striker = Striker(scene, school, chance, posted)
    posts = [(category, number, chance.uniform(0, WINDOW_SECONDS * 0.8)) for number, category in enumerate(_POSTED)]
    await asyncio.gather(
        *(_at(strike.at, _strike(striker, strike, missed, faults)) for strike in strikes),
        *(
            _at(moment, _post(scene, school, category, f"{name}-{number}", posted, faults))
            for category, number, moment in posts
        ),
    )
    recovery = await _until_rest(scene, school, posted, faults, within)
    struck = await balance(scene.database, name, posted, school.contacts, scene.received(before))
    struck.faults[:0] = [*faults, *scene.ended]
    scene.ended.clear()
    return Schedule(
        name=name, stage=scene.stage, strikes=strikes, balance=struck, recovery=recovery, missed=tuple(missed),
        posted=posted, contacts=school.contacts,
    )  # fmt: skip


async def look_again(scene: Scene, schedule: Schedule, received: Received) -> None:
    """Strike the balance once more when other schedules have run since: what came late counts as well."""
    late = await balance(scene.database, schedule.name, schedule.posted, schedule.contacts, received)
    schedule.faults.extend(f"later: {fault}" for fault in late.faults if fault not in schedule.faults)


async def _at(moment: float, deed: Coroutine[None, None, None]) -> None:
    await asyncio.sleep(moment)
    await deed


async def _strike(striker: Striker, strike: Strike, missed: list[Strike], faults: list[str]) -> None:
    try:
        if not await striker.strike(strike):
            missed.append(strike)
    except NotTakenError as error:
        faults.append(str(error))


async def _post(
    scene: Scene, school: School, category: str, reference: str, posted: dict[str, str], faults: list[str]
) -> None:
    try:
        identifier = await post(scene.session, scene.base, school, category, reference)
    except NotTakenError as error:
        faults.append(str(error))
    else:
        posted[identifier] = category


async def _until_rest(scene: Scene, school: School, posted: dict[str, str], faults: list[str], within: float) -> float:
    """Wait until nothing more is to be done; gives how long it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not await _rests(scene, school, len(posted)):
        if loop.time() - began > within:
            faults.append(f"not at rest {within:.0f} s after the last fault")
            break
        await asyncio.sleep(_LOOK_SECONDS)
    return loop.time() - began


async def _rests(scene: Scene, school: School, expected: int) -> bool:
    if scene.news_on_its_way:
        return False
    query = select(notifications.c.status).where(notifications.c.school == school.name)
    try:
        async with scene.database.reading() as connection:
            statuses = list((await connection.execute(query)).scalars())
            waiting = await parked(connection, now=dt.datetime.now(dt.UTC) + dt.timedelta(days=1), limit=1)
    except (SQLAlchemyError, OSError):
        return False
    return len(statuses) >= expected and set(statuses) == {"finished"} and not waiting
