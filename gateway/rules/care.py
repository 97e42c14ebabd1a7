"""P4: children in care, adopted, under special guardianship (R17 to R20)."""

from gateway.directory.model import CareStatus, Category, Relationship, Responsibility
from gateway.rules.occasion import Pair
from gateway.rules.restrictions import covers
from gateway.rules.verdict import Ruling, Standing, Verdict, admit, exclude, hold

CARER_RELATIONS = frozenset({"foster_carer", "kinship_carer", "residential_carer"})
SOCIAL_WORKER = "social_worker"

_SECTION_20_WORKER_CATEGORIES = (Category.MEETING, Category.REPORT, Category.SEND, Category.SAFEGUARDING)
_CARE_ORDERS = (CareStatus.CARE_ORDER, CareStatus.INTERIM_CARE_ORDER)


def care_stage(pair: Pair, *, entitled: bool) -> Verdict | None:
    """P4: let the care status decide; None goes on. `entitled`: P5 admits or holds the contact, or an order does."""
    status = pair.pupil.student.care_status
    if status is CareStatus.SECTION_20:
        return _accommodated(pair)
    if status in _CARE_ORDERS:
        return _care_order(pair, entitled=entitled)
    if status is CareStatus.EMERGENCY_PROTECTION:
        return _emergency_protection(pair, entitled=entitled)
    if status is CareStatus.ADOPTED:
        return _adopted(pair)
    return None


def bars(verdict: Verdict | None) -> bool:
    """Tell whether P4 holds or excludes."""
    return verdict is not None and verdict.ruling is not Ruling.ADMIT


def is_carer(row: Relationship, category: Category) -> bool:
    """Tell whether a contact is the child's carer, who is told of everything but bills."""
    return row.relation in CARER_RELATIONS and row.care_of_child and category is not Category.BILLING


def _accommodated(pair: Pair) -> Verdict | None:
    """R17: parents stay; carers and, for some categories, the social worker join."""
    if pair.row.professional == SOCIAL_WORKER and pair.occasion.category in _SECTION_20_WORKER_CATEGORIES:
        return admit("R17")
    return admit("R17", Standing.CARER) if is_carer(pair.row, pair.occasion.category) else None


def _care_order(pair: Pair, *, entitled: bool) -> Verdict | None:
    """R18: social worker and carer; everyone else by placement plan, held until it has an entry."""
    if pair.professional:
        return admit("R18") if _is_worker_told(pair) else None
    if is_carer(pair.row, pair.occasion.category):
        return admit("R18", Standing.CARER)
    share = pair.occasion.index.plans.get((pair.pupil.student.id, pair.contact.id))
    if share is not None:
        return admit("R18", Standing.PLAN) if covers(share, pair.occasion.category) else exclude("R18")
    return hold("R18") if entitled else None


def _emergency_protection(pair: Pair, *, entitled: bool) -> Verdict | None:
    """R19: social worker only; everyone otherwise entitled is held."""
    if pair.professional:
        return admit("R19") if _is_worker_told(pair) else None
    return hold("R19") if entitled else None


def _is_worker_told(pair: Pair) -> bool:
    """Tell whether it is for the social worker: personal matters, but no bills."""
    personal = pair.occasion.row.sensitivity >= 1 and pair.occasion.category is not Category.BILLING
    return pair.row.professional == SOCIAL_WORKER and personal


def _adopted(pair: Pair) -> Verdict | None:
    """R20: adoption ends natural parents without responsibility."""
    if not pair.row.natural_parent or pair.row.parental_responsibility is Responsibility.YES:
        return None
    return exclude("R20") if pair.row.parental_responsibility is Responsibility.NO else hold("R20")
