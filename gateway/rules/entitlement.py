"""P5: who is entitled to hear about a student (R07, R10, R11, R13, R42)."""

from gateway.directory.model import Category, Flag, Relationship, Responsibility
from gateway.rules.categories import Audience
from gateway.rules.occasion import Pair, Pupil
from gateway.rules.verdict import Standing, Verdict, admit, exclude, hold

STEP_PARENT = "step_parent"

_PROFESSIONAL_CATEGORIES = (
    Category.MEETING,
    Category.REPORT,
    Category.SEND,
    Category.SAFEGUARDING,
    Category.REPLY,
    Category.ACCOUNT,
)
_REPORT_CATEGORIES = (Category.REPORT, Category.PROGRESS)

_OWN_ACCOUNT = admit("P5")
_PAYS = admit("P5")
_DOES_NOT_PAY = exclude("P5")
_PARENT = admit("R07", Standing.PARENT)
_STRANGER = exclude("R07")
_EMERGENCY_CONTACT = admit("R11")
_FLAGGED_OUT = exclude("R10c")
_FLAGGED_IN = admit("R10e")
_FLAG_NOT_ENOUGH = exclude("R10e")
_HARMLESS = admit("R13")
_STANDING_UNKNOWN = hold("R13")
_NAMED_PROFESSIONAL = admit("R42")
_OTHER_PROFESSIONAL = exclude("R42")


def entitlement(pair: Pair) -> Verdict:
    """P5: admit, hold or exclude by what the contact is to the student."""
    if pair.professional:
        return _professional(pair)
    category = pair.occasion.category
    if category is Category.ACCOUNT:
        return _OWN_ACCOUNT
    if pair.occasion.row.audience is Audience.BILL_PAYERS and has_bill_payer(pair.pupil):
        return _PAYS if pair.row.bill_payer else _DOES_NOT_PAY
    if is_parent(pair.pupil, pair.row):
        return _PARENT
    if _is_alerted(pair):
        return _EMERGENCY_CONTACT
    return _neither_parent_nor_alerted(pair)


def flag_of(row: Relationship, category: Category) -> Flag:
    """Read the flag that governs a category: `reports` for report and progress, `correspondence` for the rest."""
    return row.reports if category in _REPORT_CATEGORIES else row.correspondence


def flag_reason_of(row: Relationship, category: Category) -> str | None:
    """Read why that flag was set."""
    return row.reports_reason if category in _REPORT_CATEGORIES else row.correspondence_reason


def is_parent(pupil: Pupil, row: Relationship) -> bool:
    """R07: tell whether a contact is a parent of the student by the law that applies; never a professional."""
    if row.professional is not None:
        return False
    if row.natural_parent or row.legal_guardian:
        return True
    in_loco_parentis = row.lives_with and row.care_of_child
    if pupil.occasion.united_states:
        return in_loco_parentis and _stands_in(pupil, row)
    return in_loco_parentis or row.parental_responsibility is Responsibility.YES


def has_bill_payer(pupil: Pupil) -> bool:
    """Tell whether some living current contact of the student pays the bills."""
    return any(row.bill_payer and pupil.is_living(contact) for contact, row in pupil.rows.items())


def _is_alerted(pair: Pair) -> bool:
    """R11: tell whether this is an alert for emergency contacts, too, and the contact is one."""
    return pair.row.emergency_contact and pair.occasion.row.audience is Audience.PARENTS_AND_EMERGENCY


def _professional(pair: Pair) -> Verdict:
    """R42: alerts as an emergency contact; otherwise only when named, and in listed categories."""
    if _is_alerted(pair):
        return _EMERGENCY_CONTACT
    told = pair.named and pair.occasion.category in _PROFESSIONAL_CATEGORIES
    return _NAMED_PROFESSIONAL if told else _OTHER_PROFESSIONAL


def _neither_parent_nor_alerted(pair: Pair) -> Verdict:
    """R10 and R13: what flags and residence give somebody who is no parent."""
    occasion, row = pair.occasion, pair.row
    flag = flag_of(row, occasion.category)
    general = occasion.row.sensitivity == 0
    if flag is Flag.NO and not occasion.flag_exempt:
        return _FLAGGED_OUT
    unknown = row.parental_responsibility is Responsibility.UNKNOWN
    if not occasion.united_states and unknown and row.lives_with:
        return _HARMLESS if general else _STANDING_UNKNOWN
    if flag is Flag.YES and occasion.category is not Category.BILLING:
        return _FLAGGED_IN if general or occasion.category in row.consented_categories else _FLAG_NOT_ENOUGH
    return _STRANGER


def _stands_in(pupil: Pupil, row: Relationship) -> bool:
    """US: acting as a parent counts while no other parent lives with the child; one may, beside a step-parent."""
    parents_at_home = sum(
        1
        for contact, other in pupil.rows.items()
        if contact != row.contact
        and other.lives_with
        and (other.natural_parent or other.legal_guardian)
        and pupil.is_living(contact)
    )
    return parents_at_home <= (1 if row.relation == STEP_PARENT else 0)
