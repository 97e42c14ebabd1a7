"""Makes the faults of a schedule, and undoes each when its time is over."""

import asyncio
import random
import signal
from collections.abc import Awaitable
from contextlib import suppress

from sqlalchemy import Select, select, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.store.tables import deliveries, notifications
from tests.chaos.faults import Fault, Strike
from tests.chaos.members import Member
from tests.chaos.stage import Scene
from tests.chaos.traffic import School, post

_LOOK_SECONDS = 0.005
_PLANNER_SEEN_WITHIN = 2.0
_EXTRA_REPORTS = 4
"""So many are posted, one after the other, to see somebody plan."""
_SENDER_SEEN_WITHIN = 1.0
_SMALLEST_FILE = 600
"""Bytes: less than a mail, and than most batches of lines."""

_KILLS = {Fault.SERVE_KILLED: "serve", Fault.CLOCK_KILLED: "clock"}


class Striker:
    """Makes faults on a scene; what it chooses is drawn from `chance`."""

    def __init__(self, scene: Scene, school: School, chance: random.Random, posted: dict[str, str]) -> None:
        self._scene = scene
        self._school = school
        self._chance = chance
        self._posted = posted

    async def strike(self, strike: Strike) -> bool:
        """Make one fault and undo it; False when there was nobody to strike."""
        victim = self._chance.choice(self._scene.workers)
        match strike.fault:
            case Fault.WORKER_KILLED:
                busy = await _seen_within(_SENDER_SEEN_WITHIN, self._sender())
                await self._kill(busy or victim, strike.lasts)
            case Fault.SERVE_KILLED | Fault.CLOCK_KILLED:
                await self._kill(_KILLS[strike.fault], strike.lasts)
            case Fault.PLANNER_KILLED:
                return await self._kill_planner(strike)
            case Fault.WORKER_FROZEN:
                async with self._scene.hands[victim]:
                    await self._frozen(self._scene.members[victim], strike.lasts)
            case Fault.CONNECTIONS_CUT:
                await self._cut_connections()
            case Fault.DISK_FULL:
                await self._fill_disk(strike.lasts)
            case fault if fault.name.startswith("REDIS_"):
                await self._redis(strike)
            case fault if fault.name.startswith("POSTGRESQL_"):
                await self._postgresql(strike)
            case _:
                await self._provider(strike)
        return True

    async def _kill(self, name: str, down: float) -> None:
        async with self._scene.hands[name]:
            member = self._scene.members[name]
            await asyncio.to_thread(member.kill)
            await asyncio.sleep(down)
            member.start_again()

    async def _frozen(self, member: Member, seconds: float) -> None:
        member.freeze()
        try:
            await asyncio.sleep(seconds)
        finally:
            member.thaw()

    async def _kill_planner(self, strike: Strike) -> bool:
        """Post one more report, and kill whoever begins to plan anything."""
        for number in range(_EXTRA_REPORTS):
            reference = f"{self._school.name}-extra-{strike.at:.6f}-{number}"
            extra = post(self._scene.session, self._scene.base, self._school, "report", reference)
            posting = asyncio.create_task(extra)
            planner = await _seen_within(_PLANNER_SEEN_WITHIN, self._planner())
            if planner is not None:
                await self._kill(planner, strike.lasts)
            self._posted[await posting] = "report"
            if planner is not None:
                return True
        return False

    async def _planner(self) -> str:
        """Wait until a worker plans; gives its name."""
        of_planners = select(notifications.c.owner).where(notifications.c.status == "planning")
        while (name := await self._owner(of_planners)) is None:  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(_LOOK_SECONDS)
        return name

    async def _sender(self) -> str:
        """Wait until a worker has claimed something; gives its name."""
        of_senders = select(deliveries.c.owner).where(deliveries.c.state == "sending").distinct()
        while (name := await self._owner(of_senders)) is None:  # noqa: ASYNC110  # the same
            await asyncio.sleep(_LOOK_SECONDS)
        return name

    async def _owner(self, query: Select[tuple[str | None]]) -> str | None:
        """Name a process of ours that holds a claim."""
        names = {str(self._scene.members[name].pid): name for name in self._scene.workers}
        with suppress(SQLAlchemyError, OSError):
            async with self._scene.database.reading() as connection:
                owners = [owner for owner in (await connection.execute(query)).scalars() if owner is not None]
            held_by = sorted(names[pid] for owner in owners if (pid := owner.split("/")[1]) in names)
            return self._chance.choice(held_by) if held_by else None
        return None

    async def _cut_connections(self) -> None:
        assert self._scene.servers is not None
        async with self._scene.hands["postgresql"], self._scene.database.reading() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            await connection.execute(text(f"{others} AND pid <> pg_backend_pid()"))

    async def _fill_disk(self, seconds: float) -> None:
        async with self._scene.hands["disk"]:
            sending = [self._scene.members[name] for name in self._scene.workers]
            size = self._chance.choice([0, _SMALLEST_FILE, 20_000])
            for member in sending:
                member.allow_files(size)
            try:
                await asyncio.sleep(seconds)
            finally:
                for member in sending:
                    member.allow_files(None)

    async def _redis(self, strike: Strike) -> None:
        assert self._scene.servers is not None
        redis = self._scene.servers.redis
        async with self._scene.hands["redis"]:
            match strike.fault:
                case Fault.REDIS_PAUSED:
                    redis.freeze()
                    try:
                        await asyncio.sleep(strike.lasts)
                    finally:
                        redis.thaw()
                case Fault.REDIS_FLUSHED:
                    await asyncio.to_thread(redis.empty)
                case _:
                    await asyncio.to_thread(redis.stop, signal.SIGKILL)
                    await asyncio.sleep(strike.lasts)
                    await redis.start_again()

    async def _postgresql(self, strike: Strike) -> None:
        assert self._scene.servers is not None
        postgresql = self._scene.servers.postgresql
        async with self._scene.hands["postgresql"]:
            if strike.fault is Fault.POSTGRESQL_PAUSED:
                postgresql.freeze()
                try:
                    await asyncio.sleep(strike.lasts)
                finally:
                    postgresql.thaw()
                return
            # Fast: transactions are rolled back in order. Immediate: as if the machine had lost its power.
            how = signal.SIGINT if strike.fault is Fault.POSTGRESQL_RESTARTED else signal.SIGQUIT
            await asyncio.to_thread(postgresql.stop, how)
            await asyncio.sleep(strike.lasts)
            await postgresql.start_again()

    async def _provider(self, strike: Strike) -> None:
        texts = self._scene.texts
        assert texts is not None
        # One of the two relays at a time: the other one takes over.
        of_mail = strike.fault.name.startswith("MAIL_")
        trouble = self._chance.choice(self._scene.relays).trouble if of_mail else texts.trouble
        async with self._scene.hands[strike.fault]:
            trouble.add(strike.fault)
            try:
                await asyncio.sleep(strike.lasts)
            finally:
                trouble.discard(strike.fault)


async def _seen_within(seconds: float, looking: Awaitable[str]) -> str | None:
    try:
        return await asyncio.wait_for(looking, seconds)
    except TimeoutError:
        return None
