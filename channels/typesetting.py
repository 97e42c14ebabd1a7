"""How an adapter has a letter typeset without knowing the typesetter, and what it answers when that fails."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from channels.base import Sheet
from channels.errors import Retry, SendError

Typeset = Callable[[Sheet], bytes]
"""Makes a PDF of a letter; an error with `code` and `explanation` means that this letter can never be printed."""


@runtime_checkable
class Unprintable(Protocol):
    """A typesetter's refusal of one letter, recognised by its shape so that adapters need no typesetter."""

    code: str
    explanation: str


def pdf_or_error(typeset: Typeset, sheet: Sheet) -> bytes | SendError:
    """Typeset a letter; what the typesetter raises is this letter's error, and costs the others nothing."""
    try:
        return typeset(sheet)
    except Exception as error:  # noqa: BLE001  # whatever goes wrong in there, the other letters want their answers
        if isinstance(error, Unprintable):
            return SendError(retry=Retry.NEVER, code=error.code, explanation=error.explanation)
        return SendError(
            retry=Retry.NEVER,
            code="typesetting_failed",
            explanation="The letter could not be typeset; the operator must look at the typesetter.",
            provider_code=type(error).__name__,
            ours=True,
        )
