"""From an answer of the rules to the rows of one planned chunk: pure."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.content.languages import choose
from gateway.directory.masking import masked
from gateway.directory.model import Category, ChannelName, ContactPoint, School
from gateway.directory.places import place_of
from gateway.dispatch.requests import Lane, lane_on
from gateway.rules.answer import Answer, Decision, Mode, Outcome, PlannedDelivery, PlannedMessage
from gateway.rules.policy import Policy
from gateway.store.identity import derived_id
from gateway.store.rechecking import TEXT_CHECK

BATCH = 200
"""Deliveries a wake-up: a batch of 100 sends 5 times what single ones do (measured, design ground); 200 halve what
claiming and recording cost each."""

UNDECIDED = -1
"""Stands for a directory's version in deliveries that the rules must be asked about before they leave."""

_HOLD_OWNER = "safeguarding"
_OFFICE = "office"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What all chunks of one notification have in common."""

    notification: str
    school: School
    directory_version: int
    category: Category
    lane: Lane
    languages: Collection[str]
    """The languages its content exists in."""
    expires_at: dt.datetime | None
    policy: Policy


Rows = dict[str, list[dict[str, Any]]]


TELLING = TEXT_CHECK
TELLING_CONFIDENTIAL = "R38_confidential"
"""Codes of deliveries that a person must look at first; nobody can let the second kind go."""

TELLING_REASON = "The text may tell this contact something about another contact; a person must look at it."


def rows_of(
    plan: Plan,
    answer: Answer,
    neutral: Collection[str],
    points: Mapping[str, ContactPoint],
    telling: Mapping[str, bool],
    now: dt.datetime,
) -> Rows:
    """Write a chunk's decisions, messages, first deliveries and tasks.

    `telling` names the messages that wait for a person because of their text (R38).
    """
    message_of = {
        (student, message.contact): message_id(plan.notification, message)
        for message in answer.messages
        for student in message.students
    }
    looked_at = after_text_check(answer.decisions, message_of, telling)
    # An alert goes out at once as a bare notice (R45), so the contact is told; the text itself waits.
    decided = answer.decisions if plan.lane is Lane.EMERGENCY else looked_at
    decisions = [
        {
            "notification": plan.notification,
            "school": plan.school.id,
            "student": decision.student,
            "contact": decision.contact,
            "outcome": decision.outcome.value,
            "rule": decision.rule,
            "reason": decision.reason,
            "message": message_of.get((decision.student, decision.contact)),
            "at": now,
        }
        for decision in decided
    ]
    deliveries = [
        row
        for message in answer.messages
        for position, delivery in started(message)
        for row in [delivery_row(plan, message, position, delivery, neutral, points, now)]
    ]
    keep_back(plan, deliveries, telling)
    put_in_batches(plan.notification, deliveries)
    return {
        "decisions": decisions,
        "messages": [message_row(plan, message, neutral) for message in answer.messages],
        "deliveries": deliveries,
        "tasks": list(tasks_of(plan, looked_at, now)),
    }


def after_text_check(
    decided: Sequence[Decision], message_of: Mapping[tuple[str, str], str], telling: Mapping[str, bool]
) -> list[Decision]:
    """Turn the sends whose message is telling into holds."""
    return [
        msgspec.structs.replace(decision, outcome=Outcome.HOLD, rule=TELLING, reason=TELLING_REASON)
        if message_of.get((decision.student, decision.contact)) in telling
        else decision
        for decision in decided
    ]


def text_code(confidential: bool) -> str:  # noqa: FBT001  # the only question
    """Give the code of a delivery whose text a person must look at."""
    return TELLING_CONFIDENTIAL if confidential else TELLING


def keep_back(plan: Plan, deliveries: list[dict[str, Any]], telling: Mapping[str, bool]) -> None:
    """Keep the telling texts back; what their deliveries would have carried goes on its own.

    In an emergency the contact gets a fixed notice in place of the text at once, elsewhere nothing yet (R45).
    """
    held = {row["id"] for row in deliveries if row["message"] in telling}
    for row in deliveries:
        if row["id"] in held:
            row.update(code=text_code(telling[row["message"]]), detail=TELLING_REASON, merged_into=None)
            row.update({"bare": True} if plan.lane is Lane.EMERGENCY else {"state": "held", "due_at": None})
        elif row["merged_into"] in held:
            row["merged_into"] = None


class Route(msgspec.Struct, frozen=True, omit_defaults=True):
    """One contact point of a message, in the order of the answer."""

    channel: ChannelName
    point: str
    neutral: bool = False
    """Read by people who live apart: no greeting by name, no student's name (R29)."""


def routes_of(message: PlannedMessage, neutral: Collection[str]) -> tuple[Route, ...]:
    """List the routes of a message as they are stored."""
    return tuple(Route(route.channel, route.point, route.point in neutral) for route in message.deliveries)


def encode_routes(routes: Sequence[Route]) -> str:
    """Write routes for the store."""
    return msgspec.json.encode(routes).decode()


def decode_routes(text: str) -> tuple[Route, ...]:
    """Read routes from the store."""
    return msgspec.json.decode(text, type=tuple[Route, ...])


def message_id(notification: str, message: PlannedMessage) -> str:
    """Name a message by whom it is for and whom it is about."""
    return derived_id(notification, "message", message.contact, *message.students)


def delivery_id(notification: str, contact: str, point: str, students: Sequence[str]) -> str:
    """Name a delivery by whom it is for, the contact point (which may change hands) and whom it is about."""
    return derived_id(notification, "delivery", contact, point, *students)


def started(message: PlannedMessage) -> Iterator[tuple[int, PlannedDelivery]]:
    """Say which routes start at once: the first in fallback mode, all of them otherwise (R23)."""
    routes = message.deliveries[:1] if message.mode is Mode.FALLBACK else message.deliveries
    return enumerate(routes)


def message_row(plan: Plan, message: PlannedMessage, neutral: Collection[str]) -> dict[str, Any]:
    """Write one message with all its routes, tried or not."""
    return {
        "id": message_id(plan.notification, message),
        "school": plan.school.id,
        "notification": plan.notification,
        "contact": message.contact,
        "students": msgspec.json.encode(message.students).decode(),
        "formats": msgspec.json.encode(message.formats).decode(),
        "routes": encode_routes(routes_of(message, neutral)),
        "mode": message.mode.value,
        "step": message.step,
        "language": message.language,
        "not_before": message.not_before,
    }


def queued(due_at: dt.datetime, now: dt.datetime) -> dict[str, Any]:
    """Write what every fresh delivery has in common, whoever starts it."""
    return {
        "batch": "",
        "state": "queued",
        "code": None,
        "detail": None,
        "due_at": due_at,
        "attempts": 0,
        "created_at": now,
        "changed_at": now,
    }


def delivery_row(
    plan: Plan,
    message: PlannedMessage,
    position: int,
    delivery: PlannedDelivery,
    neutral: Collection[str],
    points: Mapping[str, ContactPoint],
    now: dt.datetime,
) -> dict[str, Any]:
    """Write one delivery, due when its quiet hours and its rung of the ladder allow."""
    language, fell_back = choose(message.language, plan.languages, plan.school.language)
    carrier = delivery.merged_into
    due = max(now, message.not_before or now) + _rung(plan, message.step)
    return queued(due, now) | {
        "id": delivery_id(plan.notification, message.contact, delivery.point, message.students),
        "school": plan.school.id,
        "notification": plan.notification,
        "message": message_id(plan.notification, message),
        "contact": message.contact,
        "point": delivery.point,
        "channel": delivery.channel.value,
        "lane": lane_on(delivery.channel, plan.lane).value,
        "position": position,
        "address": masked(points[delivery.point]),
        "place": place_of(plan.school, points[delivery.point]),
        "language": language,
        "fell_back": fell_back,
        "neutral": delivery.point in neutral,
        "bare": False,
        "directory_version": plan.directory_version,
        "merged_into": delivery_id(plan.notification, points[carrier].contact, carrier, message.students)
        if carrier
        else None,
        "expires_at": plan.expires_at,
    }


def _rung(plan: Plan, step: int | None) -> dt.timedelta:
    """Give the time a later rung of the ladder waits for somebody's acknowledgement (R31)."""
    if step is None:
        return dt.timedelta()
    return (step - 1) * dt.timedelta(minutes=plan.policy.ladder_minutes[plan.category])


def put_in_batches(notification: str, deliveries: list[dict[str, Any]]) -> None:
    """Group deliveries that go out together: one lane, one channel, one due time."""
    waiting: dict[tuple[str, dt.datetime | None], list[dict[str, Any]]] = {}
    for row in deliveries:
        waiting.setdefault((row["channel"], row["due_at"]), []).append(row)
    for rows in waiting.values():
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            name = derived_id(notification, "batch", batch[0]["id"])
            for row in batch:
                row["batch"] = name


def batches_due(deliveries: Iterable[Mapping[str, Any]], now: dt.datetime) -> set[tuple[str, str]]:
    """Name the batches (lane, batch) of new deliveries that may leave at once."""
    return {(row["lane"], row["batch"]) for row in deliveries if row["due_at"] is not None and row["due_at"] <= now}


def tasks_of(plan: Plan, decisions: Sequence[Decision], now: dt.datetime) -> Iterator[dict[str, Any]]:
    """Every hold and every unreachable contact is somebody's task, with a deadline (R24, R45)."""
    urgent = plan.lane is Lane.EMERGENCY
    patience = dt.timedelta(minutes=plan.policy.hold_page_minutes) if urgent else dt.timedelta(days=1)
    for decision in decisions:
        if decision.outcome not in {Outcome.HOLD, Outcome.UNREACHABLE}:
            continue
        held = decision.outcome is Outcome.HOLD
        yield {
            "id": derived_id(plan.notification, "task", decision.outcome, decision.student, decision.contact),
            "school": plan.school.id,
            "kind": "decide_hold" if held else "reach_by_hand",
            "notification": plan.notification,
            "student": decision.student,
            "contact": decision.contact,
            "delivery": None,
            "owner": _HOLD_OWNER if held else _OFFICE,
            "detail": f"{decision.rule}: {decision.reason}",
            "created_at": now,
            "due_at": now + patience,
            "done_at": None,
        }
