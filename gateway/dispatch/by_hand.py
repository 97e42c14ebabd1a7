"""What staff are to bring by telephone or by hand: put on their list as it is handed to them, and called off it."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import STAFF
from gateway.directory.model import ChannelName
from gateway.dispatch.deciding import school_of
from gateway.dispatch.messages import students_of
from gateway.dispatch.outcomes import Outcome
from gateway.dispatch.requests import Lane
from gateway.dispatch.restriction_tasks import after_weekdays
from gateway.store.announcing import announce_deliveries
from gateway.store.by_hand import CALL, HAND_OVER, in_hands, lock_in_hands, open_deliveries, tasks_for
from gateway.store.identity import derived_id
from gateway.store.sending import add_events, load_messages, merged_with, part_from_carriers, set_states
from gateway.store.tasks import add_tasks, close_tasks
from gateway.tracking.states import News, State, settle

AT_ONCE = dt.timedelta(minutes=5)
"""So soon an alert has to be brought."""

TOO_LATE_TODAY = dt.time(14)
"""What comes later in the school's day may be brought on the next one."""

END_OF_DAY = dt.time(16)

_DETAILS = {
    CALL: "Telephone this contact: the script has the number and what to say.",
    HAND_OVER: "Hand this contact the letter, or print and post it: the script has the address and the letter.",
}


async def put_on_list(
    connection: AsyncConnection, results: Sequence[tuple[Any, Outcome]], *, now: dt.datetime
) -> list[tuple[str, str]]:
    """Give staff as tasks what they have accepted, in the transaction that records it; gives the (lane, batch) to wake.

    Asked of the deliveries as they are now: of a claim that was lost meanwhile another worker's record counts.
    People who live apart and share a number get a call each: staff tell only whom they have made sure of (R26).
    """
    taken = [row.id for row, outcome in results if outcome.provider == STAFF and outcome.news is News.ACCEPTED]
    rows = await in_hands(connection, taken) if taken else []
    if not rows:
        return []
    messages = await load_messages(connection, list({row.message for row in rows}))
    schools = {school: (await school_of(connection, school))[0] for school in {row.school for row in rows}}
    await add_tasks(
        connection,
        [_task(row, students_of(messages[row.message]), ZoneInfo(schools[row.school].timezone), now) for row in rows],
    )
    apart = [row.id for row in await merged_with(connection, [row.id for row in rows]) if row.neutral]
    return await part_from_carriers(connection, followers=apart, now=now) if apart else []


def _task(row: Any, students: Sequence[str], zone: ZoneInfo, now: dt.datetime) -> dict[str, Any]:
    kind = CALL if row.channel == ChannelName.VOICE else HAND_OVER
    due = due_at(Lane(row.lane), now, zone)
    return {
        "id": derived_id(row.notification, "task", "by_hand", row.id),
        "school": row.school,
        "kind": kind,
        "notification": row.notification,
        "student": students[0] if len(students) == 1 else None,
        "contact": row.contact,
        "delivery": row.id,
        "owner": "safeguarding" if row.lane == Lane.EMERGENCY else "office",
        "detail": _DETAILS[kind],
        "created_at": now,
        "due_at": due if row.expires_at is None else min(due, row.expires_at),
        "done_at": None,
    }


def due_at(lane: Lane, now: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Say until when staff have to bring a message: an alert at once, others on this or the next day of school."""
    if lane is Lane.EMERGENCY:
        return now + AT_ONCE
    here = now.astimezone(zone)
    day = after_weekdays(here, 0)
    if day.date() == here.date() and here.time() >= TOO_LATE_TODAY:
        day = after_weekdays(here, 1)
    return dt.datetime.combine(day.date(), END_OF_DAY, tzinfo=zone)


async def call_off(connection: AsyncConnection, notification: str, *, now: dt.datetime) -> int:
    """Withdraw what staff have of a cancelled notification and have not brought yet; gives how many."""
    rows = await lock_in_hands(connection, await open_deliveries(connection, notification))
    await let_go(connection, rows, News.CALLED_OFF, ("cancelled", "Withdrawn by the sender."), now=now)
    return len(rows)


async def let_go(
    connection: AsyncConnection,
    rows: Sequence[Any],
    news: News,
    why: tuple[str | None, str | None],
    *,
    now: dt.datetime,
) -> None:
    """Move deliveries that staff have on by this news, for a code and a sentence, and take their tasks off the list."""
    if not rows:
        return
    code, detail = why
    ends = [(row, settle(State(row.state), news).state) for row in rows]
    await set_states(
        connection,
        [
            {
                "id": row.id,
                "was": row.state,
                "state": end.value,
                "code": code,
                "detail": detail,
                "due_at": None,
                "changed_at": now,
            }
            for row, end in ends
        ],
    )
    await add_events(
        connection,
        [
            {"delivery": row.id, "at": now, "state": end.value, "news": news.value, "detail": detail}
            for row, end in ends
        ],
    )
    await announce_deliveries(connection, ends, at=now)
    await close_tasks(connection, await tasks_for(connection, [row.id for row in rows]), at=now)
