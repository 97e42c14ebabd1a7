"""Random settings of a school, all of which the gateway accepts.

Each is drawn without regard to what is allowed; then whatever `policy_faults` points to is taken out again. So they
reach to the very edge of what a school may set.
"""

import random
from typing import Any

import msgspec
from hypothesis import strategies as st

from gateway.directory.model import Category, ChannelName
from gateway.rules.answer import Mode
from gateway.rules.categories import Audience
from gateway.rules.policy import Policy
from gateway.rules.policy_document import PolicyDocument
from gateway.rules.policy_faults import policy_faults

_SWITCHES = (
    "statutory",
    "may_opt_out",
    "must_opt_in",
    "own_channels",
    "quiet_hours",
    "first_of_each",
    "unsubscribe",
)
_HOURS = (["21:00", "07:00"], ["00:00", "23:59"], ["12:00", "12:00"], ["09:00", "17:00"], ["9", "noon"])


def documents() -> st.SearchStrategy[PolicyDocument]:
    """Draw a document that is free of faults."""
    return st.integers(0, 2**32).map(lambda seed: accepted(anything(random.Random(seed))))  # noqa: S311 - repeatable


def anything(chance: random.Random) -> dict[str, Any]:
    """Write a document of the right form with whatever comes."""
    document: dict[str, Any] = {
        "quiet_hours": chance.choice(_HOURS),
        "united_states_prefixes": chance.choice([[], ["US"], ["GB"], ["US", "GB-ENG"], ["England"]]),
        "safeguarding_review_days": chance.choice([1, 30, 31, 90, 3650]),
        "hold_page_minutes": chance.choice([1, 120]),
        "categories": {category.value: _category(chance) for category in Category},
    }
    return {name: value for name, value in document.items() if chance.random() < 0.8}


def _category(chance: random.Random) -> dict[str, Any]:
    settings: dict[str, Any] = {switch: chance.random() < 0.5 for switch in _SWITCHES}
    settings["audience"] = chance.choice(list(Audience)).value
    settings["mode"] = chance.choice(list(Mode)).value
    settings["channels"] = [channel.value for channel in chance.choices(list(ChannelName), k=chance.randint(1, 4))]
    settings["ladder_minutes"] = chance.randint(1, 120)
    settings["sensitivity"] = chance.choice([0, 1, 2])
    return {name: value for name, value in settings.items() if chance.random() < 0.5}


def accepted(document: dict[str, Any]) -> PolicyDocument:
    """Take out what is pointed to until nothing is; every pointer leads to something that the document says."""
    while faults := policy_faults(msgspec.convert(document, PolicyDocument), Policy()):
        for path in {_field(fault.pointer) for fault in faults}:
            inner: Any = document
            for step in path[:-1]:
                inner = inner[step]
            del inner[path[-1]]
    return msgspec.convert(document, PolicyDocument)


def _field(pointer: str) -> tuple[str, ...]:
    """Give the path to the setting that a pointer leads to, or into."""
    _, *steps = pointer.split("/")
    return tuple(steps[:3] if steps[0] == "categories" else steps[:1])
