"""What may become of a restriction, and who must agree: pure.

A change that protects acts at once, a change that weakens acts when a second person has agreed, and either way a
second person decides (recipient rules R02, R06a). One change waits at a time, so that an approval can only mean it.
"""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.directory.model import Basis, Effect, Restriction, RestrictionStatus
from gateway.dispatch.refusals import Refused, unprocessable
from gateway.rules.policy import Policy
from gateway.rules.restrictions import is_live, last_day

_NEEDS_EVIDENCE = frozenset({Basis.COURT_ORDER, Basis.STATUTE, Basis.BINDING_AGREEMENT})


class Step(StrEnum):
    """What was done to a restriction."""

    IMPORTED = "imported"
    """A draft came with a directory file."""
    CREATED = "created"
    REVIEW_ASKED = "review_asked"
    SUPERSEDE_ASKED = "supersede_asked"
    APPROVED = "approved"
    REJECTED = "rejected"
    TAKEN_BACK = "taken_back"
    """Whoever asked for a change that did not act yet thought better of it."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One step and what acts from it on; with `proposed` and `otherwise` it awaits a second person."""

    step: Step
    document: Restriction
    proposed: Restriction | None = None
    otherwise: Restriction | None = None

    @property
    def versions(self) -> tuple[Restriction, Restriction | None, Restriction | None]:
        """What acts now, once it is approved, and once it is rejected."""
        return self.document, self.proposed, self.otherwise


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The change that awaits a second person."""

    number: int
    step: Step
    by: str | None
    """Who asked; None for a draft from a file."""
    at: dt.datetime | None
    """None for a draft from a file that was not yet looked at."""
    proposed: Restriction
    otherwise: Restriction


def waiting_for(restriction: Restriction, last: Any) -> Waiting | None:
    """Read from its last step on record (None for one from a file) what of a restriction awaits a second person."""
    if last is None:
        if restriction.status is not RestrictionStatus.DRAFT:
            return None
        active, unfounded = _fates(restriction)
        return Waiting(number=0, step=Step.IMPORTED, by=None, at=None, proposed=active, otherwise=unfounded)
    if last.proposed is None:
        return None
    return Waiting(
        number=last.number,
        step=Step(last.step),
        by=last.by,
        at=last.at,
        proposed=msgspec.json.decode(last.proposed, type=Restriction),
        otherwise=msgspec.json.decode(last.otherwise, type=Restriction),
    )


def drafted(restriction: Restriction, step: Step = Step.CREATED) -> Change:
    """Begin a restriction: a draft acts at once (R06a) and becomes active, or is superseded as unfounded."""
    active, unfounded = _fates(restriction)
    draft = replace(restriction, status=RestrictionStatus.DRAFT)
    return Change(step=step, document=draft, proposed=active, otherwise=unfounded)


def _fates(draft: Restriction) -> tuple[Restriction, Restriction]:
    """Say what becomes of a draft once it is approved, and once it is rejected."""
    return replace(draft, status=RestrictionStatus.ACTIVE), replace(draft, status=RestrictionStatus.SUPERSEDED)


def superseding(restriction: Restriction) -> Change:
    """Ask to lift a restriction: it goes on acting until a second person agrees."""
    _check_active(restriction)
    return Change(
        step=Step.SUPERSEDE_ASKED,
        document=restriction,
        proposed=replace(restriction, status=RestrictionStatus.SUPERSEDED),
        otherwise=restriction,
    )


def reviewing(
    restriction: Restriction, *, reviewed_on: dt.date | None, until: dt.date | None, today: dt.date, policy: Policy
) -> Change:
    """Review a restriction: a later end bars at once, whatever weakens waits; raises `Refused`."""
    _check_active(restriction)
    reviewed = reviewed_on or today
    if reviewed > today:
        raise unprocessable("/reviewed_on", "A review is dated today or earlier.")
    if until is not None and until < today:
        raise unprocessable("/until", "The new end lies in the past: to end a restriction now, supersede it.")
    after = replace(restriction, reviewed_on=reviewed, until=until or restriction.until)
    check_dates(after)
    if after == restriction:
        raise Refused(409, "This review is on record already and changes nothing.")
    protects = restriction.effect is Effect.DENY and not weakens(restriction, after, policy)
    return Change(
        step=Step.REVIEW_ASKED, document=after if protects else restriction, proposed=after, otherwise=restriction
    )


def weakens(before: Restriction, after: Restriction, policy: Policy) -> bool:
    """Tell whether a block with a new review or end bars less: shorter, or by itself over where it would lapse."""
    shorter = (last_day(after, policy) or dt.date.max) < (last_day(before, policy) or dt.date.max)
    return shorter or (_ends_by_itself(after, policy) and not _ends_by_itself(before, policy))


def approved(waiting: Waiting, *, by: str) -> Change:
    """Agree to what waits or acts already; raises `Refused` for the person who asked."""
    if waiting.by == by:
        raise Refused(
            409, "Whoever asked for a change cannot approve it: have a second person do it with their own key."
        )
    return Change(step=Step.APPROVED, document=waiting.proposed)


def rejected(waiting: Waiting, document: Restriction, *, by: str) -> Change:
    """Turn down what waits; whoever asked may only take back what does not act yet. `document` is what acts now."""
    if waiting.by != by:
        return Change(step=Step.REJECTED, document=waiting.otherwise)
    if document != waiting.otherwise:
        raise Refused(
            409, "This protects since it was asked for, so a second person must reject it with their own key."
        )
    return Change(step=Step.TAKEN_BACK, document=document)


def check_evidence(basis: Basis, evidence: str | None, note: str | None) -> None:
    """Refuse a restriction that rests on nothing (R01, R02); raises `Refused`."""
    if basis in _NEEDS_EVIDENCE and not (evidence or "").strip():
        raise unprocessable(
            "/evidence", f"A restriction that rests on a {basis.replace('_', ' ')} needs a reference to its evidence."
        )
    if not ((evidence or "").strip() or (note or "").strip()):
        raise unprocessable("/note", "A safeguarding restriction needs its reason: give a note, or evidence.")


def check_dates(restriction: Restriction) -> None:
    """Refuse an end before the beginning; raises `Refused`."""
    if restriction.from_ is not None and restriction.until is not None and restriction.until < restriction.from_:
        raise unprocessable("/until", "until lies before from: correct one of the dates.")


def _check_active(restriction: Restriction) -> None:
    if restriction.status is RestrictionStatus.DRAFT:
        raise Refused(409, "This draft awaits a second person: have them approve or reject it first.")
    if restriction.status is RestrictionStatus.SUPERSEDED:
        raise Refused(409, "This restriction was superseded and bars nobody any more: create a new one.")


def _ends_by_itself(restriction: Restriction, policy: Policy) -> bool:
    """Tell whether a block is over after its last day, as it was reviewed about then, or would lapse."""
    last = last_day(restriction, policy)
    if last is None or last == dt.date.max:
        return False
    # A review after the last day counts from its own day on.
    day = max(last + dt.timedelta(days=1), restriction.reviewed_on or dt.date.min)
    return not is_live(replace(restriction, from_=None), day, policy)
