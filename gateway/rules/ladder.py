"""R31: one ladder for each student, numbered over those who are sent to."""

from collections.abc import Iterable, Mapping

from gateway.directory.indexing import SELF
from gateway.rules.care import is_carer
from gateway.rules.entitlement import is_parent
from gateway.rules.occasion import Pair


def steps(sends: Iterable[Pair]) -> Mapping[str, int]:
    """Give the contacts of one student's sends their steps, from 1."""
    return {pair.contact.id: step for step, pair in enumerate(sorted(sends, key=_place), start=1)}


def _place(pair: Pair) -> tuple[int, bool, int, str]:
    """Sort by: the student; parents and carers at home; the others; everyone else; within each by priority, then id."""
    priority = pair.row.priority
    return _group(pair), priority is None, priority or 0, pair.contact.id


def _group(pair: Pair) -> int:
    row = pair.row
    if row.relation == SELF:
        return 0
    if is_parent(pair.pupil, row) or is_carer(row, pair.occasion.category):
        return 1 if row.lives_with else 2
    return 3
