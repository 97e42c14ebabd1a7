"""Joins what two feeds say about one student and one contact; whom either calls a parent is held where they disagree.

What one feed leaves open (an unknown, an unset flag, a bare link) is no disagreement: the other is believed. What both
state differently makes a parent or carer held in every category that heeds flags (R10b), by an unexplained `no`: an
emergency, a bill and the own account still arrive. Anybody else gets the more careful of both words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from gateway.directory.kinship import CARERS, held_as_parent, nothing_known
from gateway.directory.model import Flag, Relationship, Responsibility

_FACTS = ("natural_parent", "legal_guardian", "care_of_child", "lives_with")
_FLAGS = ("correspondence", "reports")
_RELATIONS_WITH_EFFECT = (*sorted(CARERS), "step_parent", "self")
"""Of relations that differ, the first of these is kept; the rules know no others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinedLink:
    """The rows of one pair, and the fields about which the feeds disagree."""

    rows: tuple[Relationship, ...]
    disputed: tuple[str, ...] = ()


def join_links(first: Sequence[Relationship], second: Sequence[Relationship], *, united_states: bool) -> JoinedLink:
    """Join the rows that each feed has of one pair; a feed without any leaves the word to the other."""
    only_first, only_second = [row for row in first if row not in second], [row for row in second if row not in first]
    if not only_second or _say_nothing(second, united_states=united_states):
        return JoinedLink(rows=tuple(first or second))
    if not only_first or _say_nothing(first, united_states=united_states):
        return JoinedLink(rows=tuple(second))
    rows = (*first, *second)
    disputed = _disputed(rows)
    if "professional" in disputed:  # what is said of the office holder makes no parent of the private person
        rows = tuple(row for row in rows if row.professional is None) or rows
    joined = _joined(rows)
    if disputed:
        joined = _held(joined, rows, united_states=united_states)
    return JoinedLink(rows=(joined,), disputed=disputed)


def _say_nothing(rows: Sequence[Relationship], *, united_states: bool) -> bool:
    """Tell whether a feed knows of no more than the link."""
    return all(
        row == nothing_known(row.student, row.contact, row.relation, united_states=united_states) for row in rows
    )


def _disputed(rows: Sequence[Relationship]) -> tuple[str, ...]:
    """Name the fields in which the rows contradict each other."""
    plain = (*_FACTS, "professional", "valid_from", "valid_to")
    fields = [name for name in plain if len({getattr(row, name) for row in rows}) > 1]
    if len({row.parental_responsibility for row in rows} - {Responsibility.UNKNOWN}) > 1:
        fields.append("parental_responsibility")
    if len({row.relation if row.relation in _RELATIONS_WITH_EFFECT else "" for row in rows}) > 1:
        fields.append("relation")
    for name in _FLAGS:
        if len({getattr(row, name) for row in rows} - {Flag.UNSET}) > 1:
            fields.append(name)
        elif len({_reason(row, name) for row in rows if getattr(row, name) is Flag.NO}) > 1:
            fields.append(f"{name}_reason")
    return tuple(fields)


def _joined(rows: Sequence[Relationship]) -> Relationship:
    """Put the rows together: a stated value before an open one, of the dates the widest range."""
    known = {row.parental_responsibility for row in rows} - {Responsibility.UNKNOWN}
    agreed = [set(row.consented_categories) for row in rows if row.consented_categories]
    return msgspec.structs.replace(
        rows[0],
        relation=_relation(rows),
        natural_parent=any(row.natural_parent for row in rows),
        legal_guardian=any(row.legal_guardian for row in rows),
        care_of_child=any(row.care_of_child for row in rows),
        lives_with=any(row.lives_with for row in rows),
        emergency_contact=any(row.emergency_contact for row in rows),
        bill_payer=any(row.bill_payer for row in rows),
        parental_responsibility=known.pop() if len(known) == 1 else Responsibility.UNKNOWN,
        priority=next((row.priority for row in rows if row.priority is not None), None),
        professional=_profession([row.professional for row in rows]),
        correspondence=_flag(rows, "correspondence"),
        correspondence_reason=_common_reason(rows, "correspondence"),
        reports=_flag(rows, "reports"),
        reports_reason=_common_reason(rows, "reports"),
        consented_categories=tuple(sorted(set.intersection(*agreed))) if agreed else (),
        valid_from=min((row.valid_from for row in rows if row.valid_from), default=None)
        if all(row.valid_from for row in rows)
        else None,
        valid_to=max((row.valid_to for row in rows if row.valid_to), default=None)
        if all(row.valid_to for row in rows)
        else None,
    )


def _held(joined: Relationship, rows: Sequence[Relationship], *, united_states: bool) -> Relationship:
    """Give a disputed pair the form that holds a parent or carer, and that makes nobody one whom no feed calls so."""
    named = any(_is_parent_or_carer(row, united_states=united_states) for row in rows)
    joined = msgspec.structs.replace(joined, parental_responsibility=_responsibility(joined, rows))
    if named:
        return held_as_parent(joined, proven=True)
    # One feed's residence and the other's care make no parent together.
    joined = msgspec.structs.replace(joined, care_of_child=all(row.care_of_child for row in rows))
    return _careful(joined, rows)


def _responsibility(joined: Relationship, rows: Sequence[Relationship]) -> Responsibility:
    """Leave a disputed parent's responsibility open, which holds after adoption (R20), unless it is all they have."""
    if len({(row.parental_responsibility, row.natural_parent) for row in rows}) == 1:
        return joined.parental_responsibility
    said = {row.parental_responsibility for row in rows}
    otherwise = joined.natural_parent or joined.legal_guardian or (joined.lives_with and joined.care_of_child)
    if said == {Responsibility.YES} or (Responsibility.YES in said and not otherwise):
        return Responsibility.YES
    return Responsibility.UNKNOWN


def _careful(joined: Relationship, rows: Sequence[Relationship]) -> Relationship:
    """Believe the more careful word of whom no feed calls a parent, unless it would end what R13 holds for a person."""
    joined = msgspec.structs.replace(joined, consented_categories=())
    unknown = joined.parental_responsibility is Responsibility.UNKNOWN
    if unknown and joined.lives_with and joined.professional is None:
        flags = {name: Flag.UNSET for name in _FLAGS if not all(getattr(row, name) is Flag.NO for row in rows)}
        return msgspec.structs.replace(joined, **flags)
    begin = max((row.valid_from for row in rows if row.valid_from), default=None)
    end = min((row.valid_to for row in rows if row.valid_to), default=None)
    if begin and end and end < begin:
        begin = None
    return msgspec.structs.replace(joined, valid_from=begin, valid_to=end)


def _is_parent_or_carer(row: Relationship, *, united_states: bool) -> bool:
    """Tell whether one row alone may make a parent (R07) or a carer (R17, R18), in whatever household."""
    if row.care_of_child and row.relation in CARERS:
        return True  # of a child accommodated by agreement even beside a profession
    responsible = row.parental_responsibility is Responsibility.YES and not united_states
    cares = row.care_of_child and row.lives_with
    return row.professional is None and (row.natural_parent or row.legal_guardian or responsible or cares)


def _relation(rows: Sequence[Relationship]) -> str:
    """Choose among relations: a carer's only with the care that goes with it, `self` only where all say so."""
    if len({row.relation for row in rows}) == 1:
        return rows[0].relation
    kept = [row.relation for row in rows if row.relation not in CARERS or row.care_of_child]
    effective = [relation for relation in _RELATIONS_WITH_EFFECT[:-1] if relation in kept]
    others = [relation for relation in kept if relation and relation != "self"]
    return next(iter((*effective, *others)), "")


def _profession(named: Sequence[str | None]) -> str | None:
    """Keep an agreed profession; of two the one with fewer powers, and none where one feed knows of none."""
    if None in named:
        return None
    return max(filter(None, named), key=lambda profession: (profession != "social_worker", profession))


def _flag(rows: Sequence[Relationship], name: str) -> Flag:
    flags = {getattr(row, name) for row in rows}
    return next((flag for flag in (Flag.NO, Flag.YES) if flag in flags), Flag.UNSET)


def _reason(row: Relationship, name: str) -> str | None:
    reason: str | None = getattr(row, f"{name}_reason")
    return reason


def _common_reason(rows: Sequence[Relationship], name: str) -> str | None:
    """Keep a reason that all rows with the same flag give."""
    flag = _flag(rows, name)
    reasons = {_reason(row, name) for row in rows if getattr(row, name) is flag}
    return reasons.pop() if len(reasons) == 1 and flag is not Flag.UNSET else None
