"""What staff read when they telephone or hand over: written when it is asked for, and checked as before sending (R44).

A restriction made since the task was put on the list withdraws it; then nobody is shown a number or a word.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Call, Payload, Sheet
from gateway.access import Principal
from gateway.content.languages import choose
from gateway.directory.model import School
from gateway.dispatch.by_hand import call_off
from gateway.dispatch.deciding import school_of
from gateway.dispatch.finishing import settle_statuses
from gateway.dispatch.messages import students_of
from gateway.dispatch.readers import Reader
from gateway.dispatch.refusals import Refused
from gateway.dispatch.rendering import Renderer, RenderingError
from gateway.dispatch.requests import NotificationStatus
from gateway.dispatch.taking_back import TakingBack
from gateway.dispatch.wakeups import WakeUps
from gateway.store.by_hand import BY_HAND, in_hands, lock_in_hands
from gateway.store.database import Database
from gateway.store.people import RestrictionsUnreadableError
from gateway.store.sending import load_deliveries, load_notifications
from gateway.store.tasks import close_tasks, enter_tasks, find_task

_log = logging.getLogger(__name__)

SHOWN = "address_shown"
"""The chronology's word for a number or address that somebody was shown (R36)."""

_LOOKS = 5
"""So often it is begun anew when the directory changes while a script is being written."""

_UNREADABLE = (
    "The restrictions cannot be read, so nobody can say who is barred: nothing is shown; the operator is told."
)


@dataclass(frozen=True, kw_only=True)
class Script:
    """A message as its bearer needs it."""

    task: Any
    """Its row."""
    row: Any
    """The delivery's."""
    school: School
    reader: Reader
    payload: Payload
    speech: str | None
    """What is said in a call, in full: a person can make sure whom they speak to, which a machine cannot."""
    language: str
    """The contact's, of speech or letter."""
    for_caller: str | None
    """The same in the school's own language; None when there is no such text."""


class ScriptDesk:
    """Writes scripts and letters for those who bring them."""

    def __init__(
        self,
        database: Database,
        renderer: Renderer,
        taking_back: TakingBack,
        wakeups: WakeUps,
        *,
        now: Callable[[], dt.datetime],
        typeset: Callable[[Sheet], bytes],
    ) -> None:
        self._database = database
        self._renderer = renderer
        self._taking_back = taking_back
        self._wakeups = wakeups
        self._now = now
        self._typeset = typeset

    async def script(self, principal: Principal, task: str, *, reason: str | None) -> Script:
        """Write the script of a task; whoever gives a `reason` is shown number or address, which is put on record.

        Raises `Refused`: also when it may not be brought any more, and then the task has gone.
        """
        for _ in range(_LOOKS):
            try:
                found = await self._look(principal, task, reason)
            except RestrictionsUnreadableError as error:
                _log.exception("script_not_shown")
                raise Refused(503, _UNREADABLE) from error
            if isinstance(found, Refused):
                raise found
            if found is not None:
                return found
        raise Refused(503, "The directory is changing just now: ask again in a moment.")

    async def letter(self, principal: Principal, task: str, *, reason: str) -> bytes:
        """Typeset the letter of a task as it is now; the address on it counts as shown."""
        script = await self.script(principal, task, reason=reason)
        if not isinstance(script.payload, Sheet):
            raise Refused(404, "This task is a call: it has a script and no letter.")
        try:
            return await asyncio.to_thread(self._typeset, script.payload)
        except Exception as error:
            _log.exception("letter_not_set", extra={"delivery": script.row.id})
            raise Refused(409, getattr(error, "explanation", "The letter could not be typeset.")) from error

    async def _look(self, principal: Principal, task: str, reason: str | None) -> Script | Refused | None:
        """Look once; None when the directory has changed meanwhile. A refusal is given back, as what it did stays."""
        now = self._now()
        async with self._database.writing() as connection:
            record = await find_task(connection, principal.school, task)
            if record is None or record.kind not in BY_HAND:
                return Refused(404, "There is no call and no hand delivery with this id.")
            if record.done_at is not None:
                return _is_over(record)
            row, wake = await self._to_bring(connection, record, now)
            shown = row if isinstance(row, Refused) else await self._written(connection, record, row)
            if isinstance(shown, Script) and reason is not None:
                await _enter(connection, principal, shown, reason, now)
        if wake or isinstance(shown, Refused):
            await settle_statuses(self._database, [record.notification], now=now)
            await self._wakeups.wake_batches(wake)
        return shown

    async def _to_bring(
        self, connection: AsyncConnection, task: Any, now: dt.datetime
    ) -> tuple[Any, list[tuple[str, str]]]:
        """Give the delivery as it may be brought now, or why it may not; and (lane, batch) to wake."""
        wake: list[tuple[str, str]] = []
        for row in await lock_in_hands(connection, [task.delivery]):
            notification = (await load_notifications(connection, [row.notification]))[row.notification]
            if row.expires_at is not None and row.expires_at <= now:
                return Refused(409, "Its time is over: it is not to be told any more."), wake
            if notification.status == NotificationStatus.CANCELLED:
                await call_off(connection, row.notification, now=now)
            else:
                wake = await self._taking_back.decide_again(connection, [row], notification, now=now)
            here = await in_hands(connection, [row.id])
            if here:
                return here[0], wake
        await close_tasks(connection, [task.id], at=now)
        over = (await load_deliveries(connection, [task.delivery])).get(task.delivery)
        return _withdrawn(over), wake

    async def _written(self, connection: AsyncConnection, task: Any, row: Any) -> Script | Refused | None:
        school, notifications, (reader,) = await self._renderer.load(connection, [row])
        notification = notifications[row.notification]
        made = self._renderer.write(school, notification, reader)
        script = None
        if not isinstance(made, RenderingError):
            script = self._script(task, school, notification, reader, made.payload)
        # Asked last: whatever change the renderer has seen, the version has risen with it.
        if (await school_of(connection, row.school))[1] != row.directory_version:
            return None
        return Refused(409, made.explanation) if isinstance(made, RenderingError) else script

    def _script(self, task: Any, school: School, notification: Any, reader: Reader, payload: Payload) -> Script:
        common = {"task": task, "row": reader.row, "school": school, "reader": reader, "payload": payload}
        if not isinstance(payload, Call):
            return Script(**common, speech=None, language=reader.row.language, for_caller=None)
        speech, language = self._renderer.spoken(school, notification, reader)
        own = self._for_caller(school, notification, reader)
        return Script(**common, speech=speech, language=language, for_caller=own)

    def _for_caller(self, school: School, notification: Any, reader: Reader) -> str | None:
        """Write what is said in the school's language, where the text exists in it."""
        sources = msgspec.json.decode(notification.sources, type=dict[str, Any])
        language, fell_back = choose(school.language, sources, school.language)
        if fell_back:
            return None
        own = msgspec.structs.replace(
            reader,
            row=SimpleNamespace(**reader.row._asdict() | {"language": language}),
            message=SimpleNamespace(**reader.message._asdict() | {"language": school.language}),
        )
        return self._renderer.spoken(school, notification, own)[0]


def _is_over(task: Any) -> Refused:
    if task.done_by is None:
        return Refused(409, "This task has gone by itself: the message is not to be told any more.")
    return Refused(409, "This task is done.")


def _withdrawn(row: Any) -> Refused:
    """Say why it is not to be brought any more; the rules' reasons name nobody."""
    why = f" {row.detail}" if row is not None and row.detail else ""
    return Refused(409, f"This message is not to be told to this contact any more.{why}")


async def _enter(
    connection: AsyncConnection, principal: Principal, script: Script, reason: str, now: dt.datetime
) -> None:
    """Put on record that somebody was shown a number or address, and why (R36)."""
    about = [
        SimpleNamespace(
            id=script.task.id,
            school=script.row.school,
            notification=script.row.notification,
            student=student,
            contact=script.row.contact,
        )
        for student in students_of(script.reader.message)
    ]
    told = {"by": principal.key, "reason": reason, "channel": script.row.channel, "point": script.row.point}
    await enter_tasks(connection, about, SHOWN, told, at=now)
