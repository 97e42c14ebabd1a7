"""Decides once more about what staff have and have not brought yet, and takes back what may not be told any more (R44).

They are asked the same as a worker is before it hands anything over; only that theirs can still be called back.
"""

import datetime as dt
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.dispatch.by_hand import let_go
from gateway.dispatch.deciding import school_of
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.outcomes import Outcome
from gateway.dispatch.rechecking import outdated, recheck
from gateway.rules.policy import Policy
from gateway.store.by_hand import tasks_for
from gateway.store.sending import add_events, hold, merged_with, part_from_carriers
from gateway.store.tasks import close_tasks
from gateway.tracking.states import News, State

_Wake = list[tuple[str, str]]
"""(lane, batch) to wake once the transaction is committed."""


class TakingBack:
    """Asks the rules about deliveries that staff have, in the caller's transaction."""

    def __init__(self, *, policy: Policy, snapshots: DenySnapshots) -> None:
        self._policy = policy
        self._snapshots = snapshots

    async def decide_again(
        self, connection: AsyncConnection, rows: Sequence[Any], notification: Any, *, now: dt.datetime
    ) -> _Wake:
        """Withdraw what may not be brought any more of one notification's deliveries, which the caller has locked.

        Raises `RestrictionsUnreadableError` where nobody can say who is barred (R46).
        """
        if not rows:
            return []
        carried = await merged_with(connection, [row.id for row in rows])
        stale = outdated([*rows, *carried], *await school_of(connection, notification.school), now)
        if not stale:
            return []
        claimed = [SimpleNamespace(**row._asdict() | {"state": State.SENDING.value}) for row in stale]
        checked = await recheck(
            connection, notification, claimed, now=now, policy=self._policy, snapshots=self._snapshots
        )
        wake = list(checked.wake)
        # Merged ones first: those that stay then part from a carrier that is withdrawn.
        for row in (*carried, *rows):
            if row.id in checked.withdrawn:
                wake += await take_back(connection, row, checked.withdrawn[row.id], now)
        return wake


async def take_back(
    connection: AsyncConnection, row: Any, outcome: Outcome, now: dt.datetime
) -> Sequence[tuple[str, str]]:
    """Withdraw what was handed over and has not left, or hold it; gives the (lane, batch) to wake."""
    if outcome.news is not News.HELD:
        parted = await part_from_carriers(connection, carriers=[row.id], now=now)
        await let_go(connection, [row], News.TAKEN_BACK, (outcome.code, outcome.detail), now=now)
        return parted
    # A person looks at the text first; let go, it comes to staff again, and their task comes back.
    await hold(connection, {row.id: str(outcome.code)}, str(outcome.detail), at=now)
    held = {"delivery": row.id, "at": now, "state": State.HELD.value, "news": News.HELD.value}
    await add_events(connection, [held | {"detail": outcome.detail}])
    await close_tasks(connection, await tasks_for(connection, [row.id]), at=now)
    return await part_from_carriers(connection, carriers=[row.id], now=now)
