"""The last look before a batch leaves: whether what was decided when it was planned still holds (R44, P12).

Nothing changed is the common case and costs one query: the directory's version and the notification's status, read
after the rendering, which has therefore seen nothing newer. Else the rules are asked again.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Envelope
from gateway.dispatch.deny_snapshots import DenySnapshots
from gateway.dispatch.grouping import by_notification
from gateway.dispatch.outcomes import Outcome, withdrawn
from gateway.dispatch.rechecking import outdated, recheck
from gateway.dispatch.recording import Recorder, Wake
from gateway.dispatch.rendering import Quiet, Renderer, RenderingError
from gateway.rules.policy import Policy
from gateway.store.database import Database
from gateway.store.people import load_school
from gateway.store.sending import Standing, load_deliveries, load_notifications, merged_with, present, standings
from gateway.tracking.states import News, State

Rendered = Mapping[str, Envelope | RenderingError | Quiet]


class Passed(NamedTuple):
    """What came of a look at some deliveries."""

    fit: list[Any]
    """May leave now."""
    rendered: Rendered
    """What these became, by id."""
    wake: Wake
    """(lane, batch) to wake for what goes instead of others."""
    later: list[Any]
    """Has not been looked at."""


class LastCheck:
    """Renders claimed deliveries and withdraws those that may not leave any more."""

    def __init__(
        self,
        database: Database,
        renderer: Renderer,
        recorder: Recorder,
        *,
        now: Callable[[], dt.datetime],
        policy: Policy,
        snapshots: DenySnapshots | None = None,
    ) -> None:
        self._database = database
        self._renderer = renderer
        self._recorder = recorder
        self._now = now
        self._policy = policy
        self._snapshots = snapshots

    async def pass_on(self, rows: Sequence[Any]) -> Passed:
        """Look at these deliveries of one worker; of mails with large files only as many as memory should hold."""
        fit = list(rows)
        later: list[Any] = []
        wake: Wake = []
        asked_at: dt.datetime | None = None
        while fit:
            async with self._database.reading() as connection:
                rendered = await self._renderer.render_portion(connection, fit)
                if len(rendered) < len(fit):
                    later = [*(row for row in fit if row.id not in rendered), *later]
                    fit = [row for row in fit if row.id in rendered]
                # Asked last: whatever change the renderer has seen, the version has risen with it.
                still_ours = await present(connection, [row.id for row in fit], owner=fit[0].owner)
                now_valid = await standings(connection, {row.notification for row in fit})
            now = self._now()
            fit = [row for row in fit if row.id in still_ours and still_ours[row.id].attempts == row.attempts]
            carried = {still_ours[row.id].carried_version or row.directory_version for row in fit}
            if carried <= {row.directory_version for row in fit} and all(
                _holds(row, now_valid[row.notification], asked_at or row.created_at, now) for row in fit
            ):
                return Passed(fit, rendered, wake, later)
            asked_at = now
            fit, more = await self._checked(fit)
            wake += more
        return Passed([], {}, wake, later)

    async def _checked(self, rows: Sequence[Any]) -> tuple[list[Any], Wake]:
        """Withdraw what must not leave any more; gives the other rows, as they are now."""
        now = self._now()
        wake: Wake = []
        async with self._database.writing() as connection:
            claimed = await _still_claimed(connection, rows)
            notifications = await load_notifications(connection, list({row.notification for row in claimed}))
            outcomes = {
                row.id: stop for row in claimed if (stop := _stopped(row, notifications[row.notification], now))
            }
            merged: list[Any] = []
            for notification, group in by_notification(row for row in claimed if row.id not in outcomes).items():
                known = await load_school(connection, notifications[notification].school)
                if known is None:
                    continue
                carried = await merged_with(connection, [row.id for row in group])
                stale = outdated([*group, *carried], *known, now)
                if stale:
                    checked = await recheck(
                        connection,
                        notifications[notification],
                        stale,
                        now=now,
                        policy=self._policy,
                        snapshots=self._snapshots,
                    )
                    outcomes |= checked.withdrawn
                    wake += checked.wake
                    merged += carried
            # Merged ones first: those that stay then part from a carrier that is withdrawn.
            await self._recorder.withdraw_merged(connection, outcomes, merged, now=now)
            stopped = [(row, outcomes[row.id]) for row in claimed if row.id in outcomes]
            wake += await self._recorder.record(connection, stopped, now=now)
            return await _still_claimed(connection, claimed), wake


async def _still_claimed(connection: AsyncConnection, rows: Sequence[Any]) -> list[Any]:
    """Load these deliveries, but those that a worker too slow to renew its lease has lost meanwhile."""
    present = await load_deliveries(connection, [row.id for row in rows])
    return [
        row
        for claimed in rows
        if (row := present[claimed.id])
        and (row.state, row.owner, row.attempts) == (State.SENDING, claimed.owner, claimed.attempts)
    ]


def _holds(row: Any, standing: Standing, asked_at: dt.datetime, now: dt.datetime) -> bool:
    """Whether a delivery may leave as the rules said when they were asked: same directory and day, in time, wanted."""
    zone = ZoneInfo(standing.timezone)
    return (
        row.directory_version == standing.version
        and not standing.cancelled
        and (row.expires_at is None or row.expires_at > now)
        and asked_at.astimezone(zone).date() == now.astimezone(zone).date()
    )


def _stopped(row: Any, notification: Any, now: dt.datetime) -> Outcome | None:
    """Say why a delivery must not leave although it is due."""
    if notification.status == "cancelled":
        return withdrawn(News.CANCELLED, "cancelled", "Withdrawn by the sender.")
    if row.expires_at is not None and row.expires_at <= now:
        return withdrawn(News.EXPIRED, "expired", "Its time ran out before it could leave.")
    return None
