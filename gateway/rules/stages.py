"""The order of evaluation (recipient rules, section 4), P1 to P7: the first stage that decides, decides."""

from enum import StrEnum

from gateway.directory.indexing import SELF
from gateway.rules.adult import coming_of_age
from gateway.rules.care import bars, care_stage
from gateway.rules.entitlement import entitlement
from gateway.rules.flags import flags_and_objections
from gateway.rules.occasion import Pair, Pupil, orders_between, pair_of
from gateway.rules.restrictions import block
from gateway.rules.verdict import Ruling, Verdict, admit, hold
from gateway.rules.wishes import wish

ABSENCE_RULE = "P1"

_ORDER_CONFLICTS = hold("R06")
_ORDERED = admit("R06")


class Absence(StrEnum):
    """Why P1 excludes, as the sentence staff read."""

    NOT_NAMED = "The contact was not named for this message."
    NOT_RELATED = "The contact has no current relationship with the student."
    NOT_LIVING = "The contact has died."
    NOT_ENROLLED = "The student is not enrolled on this day."


def absence(pupil: Pupil, contact: str) -> Absence | None:
    """P1: exclude whom the request does not mean, whose relationship is not current, the dead, the unenrolled."""
    named = pupil.occasion.named
    if named is not None and contact not in named:
        return Absence.NOT_NAMED
    if contact not in pupil.rows:
        return Absence.NOT_RELATED
    if not pupil.is_living(contact):
        return Absence.NOT_LIVING
    return None if pupil.enrolled else Absence.NOT_ENROLLED


def judge(pair: Pair) -> Verdict:
    """P2 to P7: admit, hold or exclude one contact whose relationship is current."""
    occasion = pair.occasion
    blocked = block(pair.orders, occasion.row.sensitivity, occasion.today, occasion.policy)
    if blocked is not None:
        return blocked
    coming = coming_of_age(pair)
    if coming.decided is None:
        return _judge_standing(pair, coming.final_rule)
    if coming.to_wishes:
        return wish(pair.contact, occasion.category, occasion.row) or coming.decided
    return coming.decided


def _judge_standing(pair: Pair, final_rule: str | None) -> Verdict:
    """P4 to P7, for everybody who is not the student and whom an adult student's choice does not settle."""
    occasion = pair.occasion
    entry = entitlement(pair)
    if pair.orders.must_send:
        return _ORDER_CONFLICTS if bars(care_stage(pair, entitled=True)) else _ORDERED
    if pair.pupil.in_care_stage:
        entry = care_stage(pair, entitled=entry.ruling is not Ruling.EXCLUDE) or entry
    if entry.ruling is not Ruling.ADMIT:
        return entry
    objection = flags_and_objections(pair, entry.standing) or wish(pair.contact, occasion.category, occasion.row)
    if objection is not None:
        return objection
    return entry if final_rule is None else admit(final_rule)


def is_barred_by_care(pupil: Pupil, contact: str) -> bool:
    """Tell whether P4 holds or excludes a contact, who may share an address with somebody else (R30).

    Whether the request names that contact does not matter: who reads along reads along. The student never meets P4.
    """
    row = pupil.rows.get(contact)
    if row is None or row.relation == SELF or not pupil.in_care_stage:
        return False
    pair = pair_of(pupil, pupil.occasion.index.contacts[contact], row)
    entitled = bool(pair.orders.must_send) or entitlement(pair).ruling is not Ruling.EXCLUDE
    return bars(care_stage(pair, entitled=entitled))


def is_barred_by_order(pupil: Pupil, contact: str, channel: str) -> bool:
    """Tell whether a contact has a live deny for this student, category and channel, draft and lapsed too (R30)."""
    orders = orders_between(pupil, contact)
    return bool(orders.blocks) or any(channel in deny.channels for deny in orders.limited)
