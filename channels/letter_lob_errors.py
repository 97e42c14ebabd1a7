"""Lob's error codes as a policy: what each means for the address, for a retry, and for staff."""

from dataclasses import dataclass
from types import MappingProxyType

from channels.errors import Retry, SendError


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What one error code means."""

    code: str
    explanation: str
    retry: Retry = Retry.NEVER
    ours: bool = False
    address_dead: bool = False
    throttled: bool = False


_ACCOUNT = Policy(
    code="account_refused",
    explanation="The print house does not accept the school's account; the operator must look.",
    retry=Retry.LATER,
    ours=True,
)
_THROTTLED = Policy(
    code="throttled",
    explanation="The print house asked the gateway to slow down.",
    retry=Retry.LATER,
    throttled=True,
)
_FILE = Policy(
    code="file_refused",
    explanation="The print house cannot print this letter's file; the operator must look.",
    ours=True,
)
_TOO_LONG = Policy(code="letter-too-long", explanation="The letter has more pages than the print house takes.")
_BUSY = Policy(
    code="in_progress",
    explanation="The print house is still at work on this very letter; it is asked again later.",
    retry=Retry.UNKNOWN,
)

POLICIES = MappingProxyType(
    {
        "invalid_api_key": _ACCOUNT,
        "unauthorized": _ACCOUNT,
        "unauthorized_token": _ACCOUNT,
        "publishable_key_not_allowed": _ACCOUNT,
        "forbidden": _ACCOUNT,
        "email_required": _ACCOUNT,
        "feature_limit_reached": _ACCOUNT,
        "payment_method_unverified": _ACCOUNT,
        "billing_address_required": _ACCOUNT,
        "foreign_return_address": Policy(
            code="return_address_refused",
            explanation="The print house wants a return address in the United States; the operator must look.",
            retry=Retry.LATER,
            ours=True,
        ),
        "rate_limit_exceeded": _THROTTLED,
        "conflict": _BUSY,
        "address_length_exceeds_limit": Policy(
            code="address_too_long", explanation="The postal address has more than the print house can print."
        ),
        "failed_deliverability_strictness": Policy(
            code="address_undeliverable",
            explanation="The post knows no such address.",
            address_dead=True,
        ),
        "invalid_country_covid": Policy(
            code="country_not_served", explanation="The post takes no letters to this country at present."
        ),
        "file_pages_below_min": _FILE,
        "file_pages_exceed_max": _TOO_LONG,
        "file_size_exceeds_limit": _TOO_LONG,
        "inconsistent_page_dimensions": _FILE,
        "invalid_file": _FILE,
        "invalid_file_dimensions": _FILE,
    }
)
"""By Lob's code, in lower case."""

_BY_STATUS = MappingProxyType({401: _ACCOUNT, 402: _ACCOUNT, 403: _ACCOUNT, 404: _ACCOUNT, 429: _THROTTLED})

_REFUSED = Policy(code="refused", explanation="The print house refused this letter.")

_REDIRECTED = Policy(
    code="wrong_api_address",
    explanation="The print house's address in the settings leads elsewhere; the operator must correct it.",
    retry=Retry.LATER,
    ours=True,
)

_UNANSWERED = Policy(
    code="no_answer",
    explanation="The print house may have taken the letter, but gave no clear answer.",
    retry=Retry.UNKNOWN,
)


def refusal_error(status: int, code: str | None, retry_after: float | None) -> SendError:
    """Translate an HTTP answer that is not 2xx; from 500 on the letter may have been taken, whatever the code says."""
    if status >= 500 or status == 408:
        policy = _UNANSWERED
    elif status < 400:
        policy = _REDIRECTED
    else:
        policy = POLICIES.get((code or "").lower()) or _BY_STATUS.get(status, _REFUSED)
    return _send_error(policy, code or str(status), retry_after)


def unanswered_error() -> SendError:
    """Answer for a letter whose request left and whose answer did not come or made no sense."""
    return _send_error(_UNANSWERED, None, None)


def not_connected_error() -> SendError:
    """Answer for a letter whose request never left."""
    return SendError(
        retry=Retry.LATER,
        code="provider_unreachable",
        explanation="The print house could not be reached; nothing was sent.",
    )


def _send_error(policy: Policy, provider_code: str | None, retry_after: float | None) -> SendError:
    return SendError(
        retry=policy.retry,
        code=policy.code,
        explanation=policy.explanation,
        retry_after=retry_after,
        provider_code=provider_code,
        ours=policy.ours,
        address_dead=policy.address_dead,
        throttled=policy.throttled,
    )
