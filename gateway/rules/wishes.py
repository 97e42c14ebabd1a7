"""P7: what the contact asked for; a wish binds only its owner (R21)."""

from gateway.directory.model import ANY, Category, Contact
from gateway.rules.categories import CategoryRow
from gateway.rules.verdict import Verdict, exclude

_UNWANTED = exclude("R21")


def wish(contact: Contact, category: Category, row: CategoryRow) -> Verdict | None:
    """P7: leave out who opted out where that is allowed, or has not opted in where that is required."""
    preferences = contact.preferences
    if row.may_opt_out and (category in preferences.opted_out or ANY in preferences.opted_out):
        return _UNWANTED
    if row.must_opt_in and category not in preferences.opted_in:
        return _UNWANTED
    return None
