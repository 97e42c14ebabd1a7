"""What one stage says of one student and one contact: admitted, held or excluded, and by which rule."""

from enum import Enum, auto

import msgspec


class Ruling(Enum):
    """What a stage decided."""

    ADMIT = auto()
    HOLD = auto()
    EXCLUDE = auto()


class Standing(Enum):
    """As what a contact was admitted; the flags (P6) look at it."""

    PARENT = auto()
    CARER = auto()
    PLAN = auto()
    OTHER = auto()


class Verdict(msgspec.Struct, frozen=True):
    """One stage's word; an admission still goes through the later stages."""

    ruling: Ruling
    rule: str
    standing: Standing = Standing.OTHER


def admit(rule: str, standing: Standing = Standing.OTHER) -> Verdict:
    """Let a contact through under a rule."""
    return Verdict(Ruling.ADMIT, rule, standing)


def hold(rule: str) -> Verdict:
    """Leave it to a person; nothing leaves."""
    return Verdict(Ruling.HOLD, rule)


def exclude(rule: str) -> Verdict:
    """Do not tell this contact."""
    return Verdict(Ruling.EXCLUDE, rule)
