"""P6: correspondence and report flags (R10), then the objections of students of 16 and 17 (R16)."""

from gateway.directory.model import ANY, Flag
from gateway.rules.entitlement import flag_of, flag_reason_of
from gateway.rules.occasion import ADULT, Pair
from gateway.rules.verdict import Standing, Verdict, exclude, hold

SELF_REQUESTED = "self_requested"
AGE_OF_OBJECTION = 16

_FLAGGED_OUT = exclude("R10c")
_UNEXPLAINED = hold("R10b")
_OWN_REQUEST = exclude("R10a")
_OBJECTED = hold("R16")


def flags_and_objections(pair: Pair, standing: Standing) -> Verdict | None:
    """P6: decide for an admitted contact; None goes on."""
    if pair.occasion.flag_exempt:
        return None
    return _flag(pair, standing) or _objection(pair)


def _flag(pair: Pair, standing: Standing) -> Verdict | None:
    """R10 a to c: what a `no` means, by who set it and for whom."""
    if flag_of(pair.row, pair.occasion.category) is not Flag.NO:
        return None
    if standing is Standing.OTHER:
        return _FLAGGED_OUT
    if flag_reason_of(pair.row, pair.occasion.category) != SELF_REQUESTED:
        return _UNEXPLAINED
    return None if pair.occasion.row.statutory else _OWN_REQUEST


def _objection(pair: Pair) -> Verdict | None:
    """R16: a student of 16 or 17 may ask that sensitive matters are not shared with a contact."""
    if pair.occasion.row.sensitivity < 2 or pair.professional:
        return None
    age = pair.pupil.age
    if age is None or not AGE_OF_OBJECTION <= age < ADULT:
        return None
    objections = pair.pupil.student.objections
    return _OBJECTED if pair.contact.id in objections or ANY in objections else None
