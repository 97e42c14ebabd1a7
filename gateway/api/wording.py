"""The decoder's complaints as refusals with a JSON pointer."""

from typing import Any

from gateway.directory.wording import complaint
from gateway.dispatch.refusals import FieldProblem, Refused


def refusal(message: str, kind: Any) -> Refused:
    """Turn msgspec's message about a body of this type into a refusal (422)."""
    steps, detail = complaint(message, kind)
    pointer = "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps)
    return Refused(422, detail, (FieldProblem(pointer=pointer, detail=detail),))
