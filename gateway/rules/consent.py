"""R14: what the answers to a question of consent come to, for one student.

The table leaves four things open; they are settled so:

- Whoever was asked counts, and so does whoever is entitled but has no route: the office may take that answer. In
  `all_parents` a contact about whom a person must decide first is waited for as well, but does not count until then.
- A no never grants anything, whatever comes later: it ends in `refused` or, with somebody's yes, in `disputed`. It is
  `refused` once nobody is left who could still say yes, or the time is over.
- The last answer of each contact counts; whoever was barred or lost the right to decide since then has none that does.
- An adult student answers alone.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from gateway.rules.answer import Decision, Outcome


class Needed(StrEnum):
    """Whose yes is needed."""

    ANY_ONE = "any_one"
    ALL_PARENTS = "all_parents"


class Reply(StrEnum):
    """What a contact says."""

    YES = "yes"
    NO = "no"


class Standing(StrEnum):
    """What the answers about one student come to."""

    WAITING = "waiting"
    GRANTED = "granted"
    REFUSED = "refused"
    DISPUTED = "disputed"
    """One says yes and another no: a person must speak to both."""
    EXPIRED = "expired"
    """The time is over, nobody refuses, and too few have said yes."""


class Role(StrEnum):
    """What a contact's answer is worth."""

    COUNTS = "counts"
    PENDING = "pending"
    """A person must decide first whether it is this contact's to answer."""
    OUT = "out"


class Voice(msgspec.Struct, frozen=True):
    """One contact's part in the answer about one student, with the rule that gives it."""

    role: Role
    rule: str
    reason: str
    """Names nobody."""


class Given(msgspec.Struct, frozen=True):
    """One answer; of two by the same contact the one with the higher number is the later."""

    number: int
    contact: str
    reply: Reply


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The standing about one student, and what staff must know beside it."""

    standing: Standing
    waiting_for: tuple[str, ...]
    """Contacts whose answer is still lacking; none where it would change nothing."""
    uncounted: tuple[str, ...]
    """Contacts who have answered and whose answer does not count."""


_OF_AGE = Voice(Role.OUT, "R15", "The student is an adult and answers alone.")
_GONE = Voice(Role.OUT, "R43", "The contact is no longer related to the student.")
_ROUTE_ONLY = "R29"
"""The one rule that holds a contact for want of a route, not of a right."""


def voice_of(asked: Decision, now: Decision | None, *, adult: bool, own: bool) -> Voice:
    """Say what a contact's answer is worth, by the decision when the question went out and by today's.

    `now` is None for a contact without any relationship left; `own` says that the contact is the student.
    """
    if asked.outcome is Outcome.EXCLUDE:
        return Voice(Role.OUT, asked.rule, asked.reason)
    if now is None:
        return _GONE
    if now.outcome is Outcome.EXCLUDE:
        return Voice(Role.OUT, now.rule, now.reason)
    if adult and not own:
        return _OF_AGE
    undecided = next((each for each in (now, asked) if not _may_answer(each)), None)
    if undecided is not None:
        return Voice(Role.PENDING, undecided.rule, undecided.reason)
    return Voice(Role.COUNTS, now.rule, now.reason)


def _may_answer(decision: Decision) -> bool:
    return decision.outcome is not Outcome.HOLD or decision.rule == _ROUTE_ONLY


def judge(
    needed: Needed, voices: Mapping[str, Voice], answers: Iterable[Given], *, closed: bool, all_known: bool = True
) -> Judgement:
    """Say what the answers come to; `closed` means that the time is over, `all_known` that nobody is yet to be asked.

    Pure, and the order of the answers does not matter.
    """
    last = last_replies(answers)
    counted = {contact: reply for contact, reply in last.items() if _role(voices, contact) is Role.COUNTS}
    lacking = tuple(
        sorted(contact for contact, voice in voices.items() if contact not in counted and _is_awaited(voice, needed))
    )
    standing = _standing(needed, set(counted.values()), closed=closed, complete=all_known and not lacking)
    return Judgement(
        standing=standing,
        waiting_for=lacking if standing in (Standing.WAITING, Standing.EXPIRED) else (),
        uncounted=tuple(sorted(last.keys() - counted.keys())),
    )


def last_replies(answers: Iterable[Given]) -> dict[str, Reply]:
    """Give each contact's last answer."""
    return {given.contact: given.reply for given in sorted(answers, key=lambda given: given.number)}


def _standing(needed: Needed, replies: set[Reply], *, closed: bool, complete: bool) -> Standing:
    if len(replies) > 1:
        return Standing.DISPUTED
    if Reply.YES in replies and (needed is Needed.ANY_ONE or complete):
        return Standing.GRANTED
    if Reply.NO in replies and (closed or complete):
        return Standing.REFUSED
    return Standing.EXPIRED if closed else Standing.WAITING


def _role(voices: Mapping[str, Voice], contact: str) -> Role:
    voice = voices.get(contact)
    return Role.OUT if voice is None else voice.role


def _is_awaited(voice: Voice, needed: Needed) -> bool:
    return voice.role is Role.COUNTS or (voice.role is Role.PENDING and needed is Needed.ALL_PARENTS)
