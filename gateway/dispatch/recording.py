"""Recording outcomes: attempts, states, and what follows from them."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Handover, Recovery
from gateway.dispatch.by_hand import put_on_list
from gateway.dispatch.outcomes import Outcome
from gateway.dispatch.questions import Questions
from gateway.dispatch.settling import learn_of_addresses, start_next_routes
from gateway.store.announcing import announce_deliveries
from gateway.store.identity import derived_id
from gateway.store.sending import (
    add_events,
    follow_carriers,
    load_deliveries,
    part_from_carriers,
    record_attempts,
    record_states,
    set_states,
    unanswered,
)
from gateway.store.silence import plan_questions
from gateway.store.tasks import add_tasks
from gateway.tracking.states import News, State, Step, settle

Result = tuple[Any, Outcome]
"""A row of the deliveries table as it was claimed, and what became of it."""

Wake = list[tuple[str, str]]
"""(lane, batch) to wake once the transaction is committed."""


class Recorder:
    """Writes what happened, in the caller's transaction."""

    def __init__(self, questions: Questions | None = None) -> None:
        self._questions = questions or Questions()

    async def record(
        self, connection: AsyncConnection, results: Sequence[Result], *, now: dt.datetime, carrying: bool = True
    ) -> Wake:
        """Record the outcomes of deliveries that one worker claimed, and start what follows from them.

        `carrying` tells whether any of them may carry others, which then share its fate.
        """
        if not results:
            return []
        await record_attempts(
            connection, [_attempt(row, outcome, now) for row, outcome in results if outcome.handed_over]
        )
        kept_back = [row.id for row, outcome in results if not outcome.handed_over]
        silent = await unanswered(connection, kept_back)
        results = [(row, _honest(outcome) if row.id in silent else outcome) for row, outcome in results]
        await add_events(connection, [_event(row, outcome, now) for row, outcome in results if not outcome.handed_over])
        states = [
            _state(row, outcome, now)
            | {"ask_at": self._first_question(row, outcome.provider, outcome.change.state, now)}
            for row, outcome in results
        ]
        await record_states(connection, states, owner=results[0][0].owner)
        if carrying:
            await follow_carriers(connection, [row.id for row, _ in results])
        parted = await put_on_list(connection, results, now=now)
        await announce_deliveries(connection, [(row, outcome.change.state) for row, outcome in results], at=now)
        return [*parted, *await self._follow(connection, results, now)]

    def _first_question(self, row: Any, provider: str | None, state: State, now: dt.datetime) -> dt.datetime | None:
        return self._questions.first(row.lane, provider, now=now) if state is State.SENT else None

    async def _follow(self, connection: AsyncConnection, results: Sequence[Result], now: dt.datetime) -> Wake:
        learnt = [(row, outcome.mark, outcome.code or "") for row, outcome in results if outcome.mark is not None]
        if learnt:
            await learn_of_addresses(connection, learnt, now=now)
        withdrawn = [(row, outcome) for row, outcome in results if outcome.change.state in _ALONE]
        failed = [(row, outcome) for row, outcome in results if outcome.change.step is Step.NEXT_ROUTE]
        if not withdrawn and not failed:
            return []
        # Of a claim that was lost meanwhile another worker's answer counts: nothing follows from ours.
        there = await load_deliveries(connection, [row.id for row, _ in (*withdrawn, *failed)])
        moved = {key for key, row in there.items() if row.owner is None}
        gone = [row.id for row, outcome in withdrawn if row.id in moved and there[row.id].state == outcome.change.state]
        lost = [row for row, outcome in failed if row.id in moved and there[row.id].state == outcome.change.state]
        alone = await part_from_carriers(connection, carriers=gone, now=now) if gone else []
        return [*alone, *(await start_next_routes(connection, lost, now=now) if lost else [])]

    async def withdraw_merged(
        self, connection: AsyncConnection, outcomes: Mapping[str, Outcome], rows: Sequence[Any], *, now: dt.datetime
    ) -> None:
        """Withdraw deliveries that travel inside others, which go on without them."""
        gone = [row for row in rows if row.id in outcomes]
        await set_states(
            connection,
            [
                {
                    "id": row.id,
                    "was": row.state,
                    "state": State.SUPPRESSED.value,
                    "code": outcomes[row.id].code,
                    "detail": outcomes[row.id].detail,
                    "due_at": None,
                    "changed_at": now,
                }
                for row in gone
            ],
        )
        await add_events(connection, [_event(row, outcomes[row.id], now) for row in gone])
        await announce_deliveries(connection, [(row, State.SUPPRESSED) for row in gone], at=now)

    async def record_findings(
        self,
        connection: AsyncConnection,
        findings: Sequence[tuple[Any, Handover | None]],
        recovery: Recovery,
        *,
        now: dt.datetime,
    ) -> None:
        """Record what was found out about unanswered attempts (`unknown` rows)."""
        states, tasks = [], []
        for row, handover in findings:
            if recovery is Recovery.PERSON or _has_been_repeated_enough(row, handover, recovery):
                tasks.append(_question(row, now))
                states.append(_moved(row, State.UNKNOWN, now, due_at=None))
                continue
            if handover is not None:
                states.append(_found(row, handover, now))
            else:
                states.append(_moved(row, settle(State.UNKNOWN, News.NOT_FOUND).state, now, due_at=now))
        await set_states(connection, states)
        by_id = {row.id: row for row, _ in findings}
        sent = {state["id"]: state.get("provider") for state in states if state["state"] == State.SENT}
        questions = [
            (name, self._first_question(by_id[name], provider, State.SENT, now)) for name, provider in sent.items()
        ]
        await plan_questions(connection, [(name, ask_at) for name, ask_at in questions if ask_at is not None])
        moved = [(by_id[state["id"]], state["state"]) for state in states if state["state"] != state["was"]]
        await announce_deliveries(connection, moved, at=now)
        await add_tasks(connection, tasks)
        await add_events(
            connection,
            [
                {"delivery": state["id"], "at": now, "state": state["state"], "news": "found_out", "detail": None}
                for state in states
            ],
        )


_ALONE = (State.SUPPRESSED, State.HELD)
"""What a rule does to a carrier alone: those it carried go on without it."""

MOST_COPIES = 3
"""How often a mail is handed over when no answer comes: each of the copies may have arrived."""


def _has_been_repeated_enough(row: Any, handover: Handover | None, recovery: Recovery) -> bool:
    return handover is None and recovery is Recovery.REPEAT and row.attempts >= MOST_COPIES


def _honest(outcome: Outcome) -> Outcome:
    """Say of something withdrawn that an earlier attempt may have arrived all the same."""
    detail = f"{outcome.detail or ''} An earlier attempt got no answer: it may have arrived.".strip()
    return replace(outcome, detail=detail)


def _attempt(row: Any, outcome: Outcome, now: dt.datetime) -> dict[str, Any]:
    return {
        "delivery": row.id,
        "number": row.attempts,
        "owner": row.owner,
        "started_at": row.changed_at,
        "answered_at": now,
        "outcome": outcome.news.value,
        "provider": outcome.provider,
        "provider_id": outcome.provider_id,
        "code": outcome.code,
        "detail": outcome.detail,
    }


def _state(row: Any, outcome: Outcome, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": row.id,
        "attempt": row.attempts,
        "state": outcome.change.state.value,
        "code": outcome.code,
        "detail": outcome.detail,
        "due_at": outcome.due_at,
        "provider": outcome.provider or _earlier_provider(row),
        "provider_id": outcome.provider_id or row.provider_id,
        "attempts": row.attempts if outcome.handed_over else row.attempts - 1,
        "changed_at": now,
    }


def _earlier_provider(row: Any) -> str | None:
    """Name who had it before: of a first attempt that never began nobody, whoever the claim names."""
    provider: str | None = row.provider
    return provider if row.attempts > 1 else None


def _event(row: Any, outcome: Outcome, now: dt.datetime) -> dict[str, Any]:
    return {
        "delivery": row.id,
        "at": now,
        "state": outcome.change.state.value,
        "news": outcome.news.value,
        "detail": outcome.detail,
    }


def _moved(row: Any, state: State, now: dt.datetime, *, due_at: dt.datetime | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "was": row.state,
        "state": state.value,
        "code": row.code,
        "detail": row.detail,
        "due_at": due_at,
        "changed_at": now,
    }


def _found(row: Any, handover: Handover, now: dt.datetime) -> dict[str, Any]:
    moved = _moved(row, settle(State.UNKNOWN, News.ACCEPTED).state, now, due_at=None)
    return moved | {
        "code": None,
        "detail": None,
        "provider": handover.provider,
        "provider_id": handover.provider_id,
    }


def _question(row: Any, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": derived_id(row.notification, "task", "unknown", row.id),
        "school": row.school,
        "kind": "settle_unknown",
        "notification": row.notification,
        "student": None,
        "contact": row.contact,
        "delivery": row.id,
        "owner": "office",
        "detail": "Nobody knows whether this left: ask the provider, then say so here.",
        "created_at": now,
        "due_at": now + dt.timedelta(days=1),
        "done_at": None,
    }
