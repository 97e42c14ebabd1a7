"""Lob's error codes as a policy: what each means for the address, for a retry, and for staff."""

from collections.abc import Mapping
from types import MappingProxyType

from channels.api_errors import ApiErrors, Code, Policy
from channels.errors import Retry, SendError

_API = ApiErrors("print house", "letter")
UNANSWERED = _API.unanswered
"""For a letter whose request left and whose answer did not come or made no sense."""
NOT_CONNECTED = _API.not_connected
"""For a letter whose request never left."""

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

POLICIES: Mapping[Code, Policy] = MappingProxyType(
    {
        "invalid_api_key": _API.account,
        "unauthorized": _API.account,
        "unauthorized_token": _API.account,
        "publishable_key_not_allowed": _API.account,
        "forbidden": _API.account,
        "email_required": _API.account,
        "feature_limit_reached": _API.account,
        "payment_method_unverified": _API.account,
        "billing_address_required": _API.account,
        "foreign_return_address": Policy(
            code="return_address_refused",
            explanation="The print house wants a return address in the United States; the operator must look.",
            retry=Retry.LATER,
            ours=True,
        ),
        "rate_limit_exceeded": _API.throttled,
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

_BY_STATUS = MappingProxyType(
    {401: _API.account, 402: _API.account, 403: _API.account, 404: _API.account, 429: _API.throttled}
)


def refusal_error(status: int, code: str | None, retry_after: float | None) -> SendError:
    """Translate an HTTP answer that is not 2xx; Lob also writes its codes in capitals."""
    known = POLICIES.get((code or "").lower()) or _BY_STATUS.get(status)
    return _API.refusal(known, status, code, retry_after)
