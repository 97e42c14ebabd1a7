"""What any provider's HTTP API may answer instead of taking a message; the codes stand in a table for each provider."""

from dataclasses import dataclass, replace

from channels.base import RejectReason
from channels.errors import Retry, SendError

Code = int | str | None
"""A provider's own name for what went wrong; None when it gives none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy(SendError):  # noqa: N818  # a value, no exception
    """What one of a provider's codes means; the same row serves refusals at hand-over and later receipts."""

    retry: Retry = Retry.NEVER
    reason: RejectReason = RejectReason.OTHER
    """For receipts."""

    @property
    def again(self) -> bool:
        """Whether a receipt with this code is worth another attempt: not where only the operator can help."""
        return self.retry is Retry.LATER and not self.ours


class ApiErrors:
    """The errors that every API has, in the words of one kind of provider: a `print house` that takes a `letter`."""

    def __init__(self, provider: str, message: str, *, nothing_done: str = "nothing was sent") -> None:
        self.account = Policy(
            code="account_refused",
            explanation=f"The {provider} does not accept the school's account; the operator must look.",
            retry=Retry.LATER,
            ours=True,
        )
        self.throttled = Policy(
            code="throttled",
            explanation=f"The {provider} asked the gateway to slow down.",
            retry=Retry.LATER,
            throttled=True,
        )
        self.redirected = Policy(
            code="wrong_api_address",
            explanation=f"The {provider}'s address in the settings leads elsewhere; the operator must correct it.",
            retry=Retry.LATER,
            ours=True,
        )
        self.refused = Policy(code="refused", explanation=f"The {provider} refused this {message}.")
        self.unanswered = Policy(
            code="no_answer",
            explanation=f"The {provider} may have taken the {message}, but gave no clear answer.",
            retry=Retry.UNKNOWN,
        )
        self.not_connected = Policy(
            code="provider_unreachable",
            explanation=f"The {provider} could not be reached; {nothing_done}.",
            retry=Retry.LATER,
        )

    def refusal(self, known: Policy | None, status: int, code: Code, retry_after: float | None) -> SendError:
        """Translate an HTTP answer that is not 2xx; `known` is what the provider's table says of it.

        From 500 on the message may have been taken, whatever the table says.
        """
        if status >= 500 or status == 408:
            error = self.unanswered
        elif status < 400:
            error = self.redirected
        else:
            error = known or self.refused
        seconds = error.retry_after if retry_after is None else retry_after
        return replace(error, provider_code=str(code or status), retry_after=seconds)
