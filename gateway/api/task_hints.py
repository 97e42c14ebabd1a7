"""What a person can do about a task: the way out of every hold, by the rule that holds (R45)."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from gateway.api.answers import Body
from gateway.dispatch.inbox import ANSWER_REPLY
from gateway.dispatch.restriction_tasks import KINDS as OF_THE_REGISTER
from gateway.store.by_hand import BY_HAND, CALL
from gateway.store.pages import HOLD
from gateway.store.rechecking import TEXT_CHECK


class Hint(Body, frozen=True):
    """One way to settle a task."""

    does: str
    method: str | None = None
    """Null for what is done in the school's own records."""
    href: str | None = None


_RECORDS = {
    "R10b": "Say in the school's records why the flag stands, or take it away; then import the directory.",
    "R13": "Find out whether the contact has parental responsibility, and correct it in the directory.",
    "R16": "Ask the student again; if the objection is withdrawn, take it out of the directory.",
    "R18": "Put an entry for the contact into the placement plan, shared or not, in the directory.",
    "R19": "Ask the social worker; the hold goes when the care status in the directory changes.",
    "R20": "Find out whether the contact has parental responsibility, and correct it in the directory.",
    "R29": "Give the contact a contact point of their own in the directory.",
}
"""Holds that a correction in the directory resolves; the pair is then decided again by itself."""

_REGISTER = {
    "R05": "Review the lapsed restriction, with a new end or without.",
    "R06": "Settle the conflict: supersede the restriction or the order that no longer counts.",
    "R06a": "Approve or reject the restriction that awaits a second person.",
}
"""Holds that a step in the restrictions register resolves."""

_BY_HAND = "Or reach the contact by other means, and say what was done."

_SCRIPTS = {
    True: "Read the script: whom to ask for, what to say, and for a reason the number.",
    False: "Read whom the letter is for, and for a reason where they live; the letter is beside it.",
}
"""Of a call, and of a hand delivery."""

_REPORT = "Say what came of it, when, and whether you made sure whom you spoke to."


def hints_of(task: Any) -> tuple[Hint, ...]:
    """List what can be done about a task (a row with the `rule` of its decision, if it is about one)."""
    if task.done_at is not None:
        return ()
    return (*_ways_out(task), *_settling(task))


def _ways_out(task: Any) -> Iterator[Hint]:
    rule = _rule(task)
    if task.kind in OF_THE_REGISTER or rule in _REGISTER:
        people = {"student": task.student, "contact": task.contact}
        yield Hint(
            does=_REGISTER.get(rule, "Take the step in the restrictions register that is asked for."),
            method="GET",
            href=f"/v1/restrictions?{urlencode({name: one for name, one in people.items() if one is not None})}",
        )
    elif rule == TEXT_CHECK:
        yield Hint(
            does="Let the text go as it is, with a reason; never one that holds something confidential.",
            method="POST",
            href=f"/v1/notifications/{task.notification}/release",
        )
    elif rule in _RECORDS:
        yield Hint(does=_RECORDS[rule], method="PUT", href="/v1/directory")


def _settling(task: Any) -> Iterator[Hint]:
    if task.kind in BY_HAND:
        yield Hint(does=_SCRIPTS[task.kind == CALL], method="GET", href=f"/v1/tasks/{task.id}/script")
    if task.kind == ANSWER_REPLY:
        yield Hint(does="Read what was written.", method="GET", href=f"/v1/replies/{task.id}")
    if task.acknowledged_at is None:
        yield Hint(
            does="Say that you look after it; nobody is paged about it any more.",
            method="POST",
            href=f"/v1/tasks/{task.id}/acknowledge",
        )
    if settled_by_hand(task.kind):
        does = _BY_HAND if task.kind == HOLD else _REPORT if task.kind in BY_HAND else "Say what was done."
        yield Hint(does=does, method="POST", href=f"/v1/tasks/{task.id}/done")


def settled_by_hand(kind: str) -> bool:
    """Tell whether a task goes when somebody says so; those of the register go with the step they ask for."""
    return kind not in OF_THE_REGISTER


def _rule(task: Any) -> str:
    """Give the rule that holds: of the task itself, as an alert's text waits although its decision sends (R38)."""
    return str(task.detail).partition(":")[0] if task.kind == HOLD else ""
