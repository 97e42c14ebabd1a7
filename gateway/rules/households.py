"""Who lives together, so far as the school may rely on it: the definition of *joint* (recipient rules, section 5)."""

import datetime as dt

from gateway.directory.indexing import DirectoryIndex, in_range
from gateway.rules.policy import Policy
from gateway.rules.restrictions import is_live


class Households:
    """Answers on one day whether two contacts are joint; it remembers its answers for one evaluation."""

    def __init__(self, index: DirectoryIndex, today: dt.date, policy: Policy) -> None:
        self._index = index
        self._today = today
        self._policy = policy
        self._joint: dict[tuple[str, str], bool] = {}

    def are_joint(self, one: str, other: str) -> bool:
        """Tell whether two contacts count as living together; all others live apart, the safe default."""
        pair = (one, other) if one < other else (other, one)
        known = self._joint.get(pair)
        if known is None:
            known = self._joint[pair] = self._look_up(*pair)
        return known

    def _look_up(self, one: str, other: str) -> bool:
        theirs = {household.id for household in self._index.households.get(other, ())}
        common = [
            household
            for household in self._index.households.get(one, ())
            if household.id in theirs and in_range(household.from_, household.to, self._today)
        ]
        together = bool(common) and not any(household.separated for household in common)
        return together and self._is_plain(one) and self._is_plain(other)

    def _is_plain(self, contact: str) -> bool:
        """No live restriction of any kind names the contact, and the contact is nobody's `self`."""
        restrictions = self._index.restrictions_naming.get(contact, ())
        restricted = any(is_live(restriction, self._today, self._policy) for restriction in restrictions)
        return not restricted and contact not in self._index.selves
