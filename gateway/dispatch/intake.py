"""Intake: requests are checked completely, then recorded with their keys and answers in a shared transaction."""

import asyncio
import contextlib
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import Principal, Scope
from gateway.directory.model import Category
from gateway.dispatch.group_commit import GroupCommit
from gateway.dispatch.library import Library, Text, free_text
from gateway.dispatch.metrics import Metrics
from gateway.dispatch.posting import ENDPOINT, Posting, answer_of, kept_answer_of, row_of
from gateway.dispatch.refusals import Refused, unprocessable
from gateway.dispatch.request_form import check_form
from gateway.dispatch.request_references import check_audience, check_files, people_named
from gateway.dispatch.request_values import check_values, students_asked
from gateway.dispatch.requests import Lane, NotificationRequest, lane_of
from gateway.dispatch.tracing import Tracer
from gateway.dispatch.wakeups import WakeUps
from gateway.store.attachments import describe_attachments
from gateway.store.database import Database
from gateway.store.identity import new_id
from gateway.store.postings import EarlierAnswer, find_earlier_answers, record_postings, recording, unknown_people

_AT_ONCE = 2
"""Transactions under way: while the disk takes one, the requests of the next are read and checked."""
_TEXTS = 128
"""Free texts kept parsed: a system that writes to one family after the other sends the same text again and again."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to give."""

    status: int
    body: bytes
    replayed: bool
    new: "New | None" = None
    """None when it was recorded before."""


class New(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that has just become durable."""

    id: str
    lane: Lane
    due: bool
    """Its time has come."""
    traceparent: str | None


class Intake:
    """Takes notifications in; those of one moment share a transaction."""

    def __init__(
        self,
        database: Database,
        wakeups: WakeUps,
        library: Library,
        *,
        now: Callable[[], dt.datetime],
        metrics: Metrics,
        tracer: Tracer,
    ) -> None:
        self._database = database
        self._wakeups = wakeups
        self._library = library
        self._now = now
        self._metrics = metrics
        self._tracer = tracer
        # SQLite has one writer at a time: a second group would only wait for it, and others could not join any more.
        self._group = GroupCommit(self._commit, self._wake, at_once=1 if database.sqlite else _AT_ONCE)

    async def accept(self, principal: Principal, request: NotificationRequest, *, key: str | None) -> Accepted:
        """Record a notification; durable when this returns. Raises `Refused`, and then nothing was recorded."""
        lane = lane_of(request.category)
        _check_scope(principal, lane)
        now = self._now()
        identifier = new_id(now)
        posting = Posting(
            id=identifier,
            principal=principal,
            request=request,
            lane=lane,
            key=key,
            document=msgspec.json.encode(request, order="deterministic").decode(),
            answer=answer_of(identifier),
            at=now,
            traceparent=self._tracer.traceparent(),
        )
        return await self._group.take(posting)

    async def finish(self, *, patience: float) -> None:
        """Announce what was accepted last, within seconds; beyond, the clock finds it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._group.finish()

    async def _commit(self, postings: Sequence[Posting]) -> Sequence[Accepted | Exception]:
        """Check and record postings in one transaction; those that were answered before get the same answer."""
        async with recording(self._database) as connection:
            texts, refusals = await self._checked(connection, postings)
            fit = [posting for posting in postings if posting.id not in refusals]
            new = await record_postings(
                connection,
                keys=[kept_answer_of(posting) for posting in fit if posting.key is not None],
                rows=[row_of(posting, texts[posting.id]) for posting in fit],
            )
            seen = [(posting.school, posting.key) for posting in postings if posting.key and posting.id not in new]
            earlier = await find_earlier_answers(connection, endpoint=ENDPOINT, keys=seen) if seen else {}
        return [
            _accepted(posting)
            if posting.id in new
            else _answer_again(posting, earlier.get((posting.school, posting.key or "")), refusals.get(posting.id))
            for posting in postings
        ]

    async def _checked(
        self, connection: AsyncConnection, postings: Sequence[Posting]
    ) -> tuple[dict[str, Text], dict[str, Refused]]:
        """Check everything about each posting; gives its text or why it is refused, by id."""
        texts: dict[str, Text] = {}
        refusals: dict[str, Refused] = {}
        unknown = await unknown_people(
            connection,
            {named for posting in postings for named in people_named(posting.school, posting.request.audience)},
        )
        found: _Found = {}
        for posting in postings:
            request = posting.request
            try:
                check_form(request, posting.at)
                text = await self._text(connection, posting, found)
                if unknown:
                    check_audience(posting.school, request.audience, unknown)
                if request.files:
                    check_files(request, await describe_attachments(connection, posting.school, request.files))
                about = (
                    await students_asked(connection, posting.school, request.audience, posting.at)
                    if request.student_values
                    else ()
                )
                check_values(request, text, about)
                texts[posting.id] = text
            except Refused as refusal:
                refusals[posting.id] = refusal
        return texts, refusals

    async def _text(self, connection: AsyncConnection, posting: Posting, found: "_Found") -> Text:
        """Find or read a posting's text; what the same group has `found` already is not looked up again."""
        request = posting.request
        if request.template is None:
            assert request.content is not None  # noqa: S101  # check_form has seen to it
            return _parsed(request.content)
        wanted = posting.school, request.template, request.category
        if wanted not in found:
            try:
                found[wanted] = await self._library.find(connection, *wanted)
            except Refused as refusal:
                found[wanted] = refusal
        text = found[wanted]
        if isinstance(text, Refused):
            raise text
        return text

    async def _wake(self, accepted: Sequence[Accepted]) -> None:
        lanes: dict[Lane, list[New]] = defaultdict(list)
        for one in accepted:
            if one.new is not None:
                lanes[one.new.lane].append(one.new)
        for lane, fresh in lanes.items():
            self._metrics.accepted(lane, len(fresh))
            due = [new for new in fresh if new.due]
            traces = {new.id: new.traceparent for new in due if new.traceparent is not None}
            if due:
                await self._wakeups.wake("plan", lane, [new.id for new in due], traces=traces)


_parsed = lru_cache(_TEXTS)(free_text)

_Found = dict[tuple[str, str, Category], Text | Refused]
"""Texts, or why there are none, by school, template and category."""


def _check_scope(principal: Principal, lane: Lane) -> None:
    needed = Scope.ALERTS if lane is Lane.EMERGENCY else Scope.SEND
    if not principal.may(needed):
        raise Refused(403, f"This key lacks the scope '{needed}', which this category needs.")
    if not principal.school:
        raise Refused(409, "There is no directory yet: put one with PUT /v1/directory first.")


def _accepted(posting: Posting) -> Accepted:
    send_at = posting.request.send_at
    new = New(
        id=posting.id,
        lane=posting.lane,
        due=send_at is None or send_at <= posting.at,
        traceparent=posting.traceparent,
    )
    return Accepted(status=202, body=posting.answer, replayed=False, new=new)


def _answer_again(posting: Posting, earlier: EarlierAnswer | None, refusal: Refused | None) -> Accepted | Exception:
    """Answer what was not recorded now: as the key was answered before, or with its refusal."""
    if earlier is None:
        return refusal or Refused(409, "The same Idempotency-Key is in use at this moment: try again.")
    if earlier.body_hash != posting.body_hash:
        return unprocessable("Idempotency-Key", "This Idempotency-Key was used with another body: choose a new one.")
    body = earlier.answer.encode()
    if body == posting.answer:  # our own commit, whose confirmation was lost
        return _accepted(posting)
    return Accepted(status=earlier.status, body=body, replayed=True)
