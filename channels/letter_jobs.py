"""What the press is told and what it answers, free of any typesetter."""

from dataclasses import dataclass

NUMBER = "((number))"
"""Stands in a separator's line for the number of letters that are in the file in the end."""

DEADLY = "letter_not_set"
"""The code of a letter at which the typesetter breaks instead of refusing it."""
FAILS_AT_IT = "The typesetter fails at this letter; the operator must look at its text."


@dataclass(frozen=True, kw_only=True, slots=True)
class Separator:
    """The sheet in front of a file of letters, for the people at the printer; it names nobody."""

    title: str
    lines: tuple[str, ...]
    mark: str | None = None
    """What must not be overlooked, in a frame: that the letters travel sealed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Binding:
    """What the letters of one file have in common."""

    title: str
    """Of the PDF."""
    language: str
    """Of title and separators: the school's."""
    right_to_left: bool = False
    duplex: bool = False
    """Printed on both sides: each letter then begins on a sheet of its own, behind a blank back where need be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What one file is made of."""

    spool: str
    """The spool's folder."""
    path: str
    """Where the PDF goes."""
    separators: tuple[Separator, ...]
    letters: tuple[str, ...]
    """Deliveries, in order."""
    binding: Binding


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where in its file a letter is."""

    delivery: str
    first_page: int
    """Counted from 1."""
    pages: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why one letter is not in the file; names nobody."""

    delivery: str
    code: str
    explanation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What became of a job."""

    places: tuple[Place, ...] = ()
    failures: tuple[Failure, ...] = ()
    pages: int = 0
    """All pages of the file, blank backs and separators among them; 0 when there is no file, as no letter is left."""
    size: int = 0
    """Bytes."""
    sha256: str = ""
    fault: str | None = None
    """Why nothing could be printed at all, which is for the operator."""
