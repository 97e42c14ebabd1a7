"""What a school may set for itself: the values marked **[set]** in the recipient rules, with their defaults.

How a school sets them: `policy_document`; what it may not set: `policy_faults`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.directory.model import Category, Preferences
from gateway.rules.categories import CATEGORIES, CategoryRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """One school's settings; every default is the rules' own."""

    united_states_prefixes: tuple[str, ...] = ("US",)
    """Jurisdictions that start so take the US rules, all others the England rules (section 2)."""
    quiet_hours: tuple[str, str] = Preferences().quiet_hours or ("21:00", "07:00")
    """For contacts whose own quiet hours are still the default (section 2)."""
    safeguarding_review_days: int = 90
    """A safeguarding restriction without an end lasts so long after its review (R02)."""
    lapsed_escalation_days: int = 5
    """School days until a lapsed restriction goes to the head (R05)."""
    draft_escalation_days: int = 2
    """Working days until an unapproved draft escalates (R06a)."""
    ladder_minutes: Mapping[Category, int] = field(
        default_factory=lambda: {Category.ATTENDANCE: 15, Category.CHILD_SAFETY: 3}
    )
    """Minutes without acknowledgement before the next step starts (R31)."""
    hold_page_minutes: int = 2
    """Minutes until a life-safety hold pages the safeguarding lead (R45)."""
    categories: Mapping[Category, CategoryRow] = field(default_factory=lambda: CATEGORIES)
    """The table of section 3; a school may set every column but the sensitivity."""
