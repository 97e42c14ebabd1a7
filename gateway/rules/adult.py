"""P3: the student as recipient, and what others still learn about an adult student (R15, R16)."""

import msgspec

from gateway.directory.indexing import SELF
from gateway.directory.model import ANY, Category, Sharing, Student
from gateway.rules.occasion import Pair
from gateway.rules.verdict import Verdict, admit, exclude

CONSENT_RULE = "R15"
EXCEPTION_RULE = "R16"


class Coming(msgspec.Struct, frozen=True):
    """What P3 says: decided, or go on, then under another rule once the contact is sent to."""

    decided: Verdict | None = None
    to_wishes: bool = False
    """The student's own row goes on with P7."""
    final_rule: str | None = None


_ON = Coming()
_ON_BY_CONSENT = Coming(final_rule=CONSENT_RULE)
_ON_BY_EXCEPTION = Coming(final_rule=EXCEPTION_RULE)
_OWN = Coming(decided=admit("R15"), to_wishes=True)
_NOT_OWN = Coming(decided=exclude("R15"))
_NEXT_OF_KIN = Coming(decided=admit("R16"))


def coming_of_age(pair: Pair) -> Coming:
    """P3: sort out the student's own row and students of 18 or more; all others go on."""
    if pair.row.relation == SELF:
        return _OWN if pair.pupil.adult or pair.named else _NOT_OWN
    return _adult_student(pair) if pair.pupil.adult else _ON


def _adult_student(pair: Pair) -> Coming:
    """Ask what an adult student lets others know (R15), and who hears all the same (R16)."""
    occasion, student, row = pair.occasion, pair.pupil.student, pair.row
    choice = sharing_choice(student, occasion.category)
    if choice is Sharing.CONSENTED:
        return _ON_BY_CONSENT
    natural_or_guardian = row.natural_parent or row.legal_guardian
    if occasion.united_states and student.dependent_verified and choice is None and natural_or_guardian:
        return _ON_BY_EXCEPTION
    refused_by_name = student.sharing_after_18.get(occasion.category) is Sharing.REFUSED
    if occasion.life_safety and row.emergency_contact and not refused_by_name:
        return _NEXT_OF_KIN
    return _ON if occasion.category is Category.ACCOUNT else _NOT_OWN


def sharing_choice(student: Student, category: Category) -> Sharing | None:
    """Read the adult student's choice: the category before `*`; None is unset."""
    return student.sharing_after_18.get(category) or student.sharing_after_18.get(ANY)
