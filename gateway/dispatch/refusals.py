"""Why a request is not taken: a status, one sentence, and which field is meant."""

from dataclasses import dataclass

import msgspec


class FieldProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One field and what is wrong with it (RFC 9457 extension `errors`)."""

    pointer: str
    """JSON pointer into the body, or the header's or parameter's name."""
    detail: str


@dataclass(eq=False)  # not frozen: Python writes the traceback into it
class Refused(Exception):  # noqa: N818  # reads as what it says: raise Refused(...)
    """The request is refused and nothing was changed."""

    status: int
    detail: str
    errors: tuple[FieldProblem, ...] = ()
    retry_after: int | None = None
    """Seconds after which the same request may be taken."""


def unprocessable(pointer: str, detail: str) -> Refused:
    """Refuse for one field (422)."""
    return Refused(422, detail, (FieldProblem(pointer=pointer, detail=detail),))


def unprocessable_fields(problems: list[FieldProblem]) -> Refused:
    """Refuse for several fields (422); the first gives the sentence."""
    return Refused(422, problems[0].detail, tuple(problems))
