"""The question behind which a document waits, and whether an answer to it is right (R41): pure."""

import datetime as dt
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.directory.addresses import squeeze
from gateway.directory.model import ChannelName, ContactPoint, PostalAddress, Student


class Kind(StrEnum):
    """What the reader is asked for."""

    BIRTH_DATE = "birth_date"
    POSTCODE = "postcode"
    NOTHING = "nothing"
    """The school knows nothing to ask for: the document is given out by the office."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One question with all its right answers, which neither logs nor pages ever show."""

    kind: Kind
    student: str | None = None
    """Whose date of birth is asked for; None where the message named nobody either."""
    answers: frozenset[str] = field(default=frozenset(), repr=False)

    def is_answered_by(self, given: str) -> bool:
        """Compare with every right answer, each in constant time."""
        matches = [hmac.compare_digest(given.encode(), answer.encode()) for answer in sorted(self.answers)]
        return any(matches)


def question_of(students: Sequence[Student], letters: Iterable[ContactPoint], *, named: bool) -> Question:
    """Ask for a date of birth, else for the postcode of a letter address.

    `named` says that the message named the students; otherwise the page does not either, and the date of any of
    them is right.
    """
    born = [student for student in students if student.birth_date is not None]
    if born:
        asked = born[:1] if named else born
        name = (asked[0].given_name or asked[0].family_name) if named else None
        return Question(
            kind=Kind.BIRTH_DATE,
            student=name,
            answers=frozenset(birth_date_answer(student.birth_date) for student in asked if student.birth_date),
        )
    postcodes = frozenset(
        postcode_answer(point.address.postcode)
        for point in letters
        if point.channel is ChannelName.LETTER and isinstance(point.address, PostalAddress)
    ) - {""}
    return Question(kind=Kind.POSTCODE, answers=postcodes) if postcodes else Question(kind=Kind.NOTHING)


def birth_date_answer(date: dt.date) -> str:
    """Write a date of birth the way answers are compared."""
    return date.isoformat()


def postcode_answer(postcode: str) -> str:
    """Write a postcode the way answers are compared: capitals, spaces and hyphens do not count."""
    return squeeze(postcode)
