"""Twilio's error codes for calls as a policy: what each means for the number, for another attempt, and for staff.

From Twilio's error pages; 10005, 20404, 21201 and 21212 from their titles alone. A code that is not here falls back on
the class of the HTTP status.
"""

from collections.abc import Mapping
from types import MappingProxyType

from channels.api_errors import ApiErrors, Code, Policy
from channels.base import RejectReason
from channels.errors import Retry, SendError

_API = ApiErrors("telephone provider", "call", nothing_done="nobody was called")
UNANSWERED = _API.unanswered
"""For a call whose request left and whose answer did not come or made no sense."""
NOT_CONNECTED = _API.not_connected
"""For a call whose request never left."""
EXPIRED = SendError(
    retry=Retry.NEVER, code="expired", explanation="The time for this call was over before it could be made."
)
"""For a call whose time was over before the request left."""
TOO_LONG = SendError(
    retry=Retry.NEVER, code="too_long", explanation="The text is too long for a call; use another channel."
)
"""For a call whose text Twilio would not read to its end."""
NO_VOICE = SendError(
    retry=Retry.NEVER,
    code="no_voice",
    explanation="The telephone provider has no voice for this language; somebody has to call.",
)
"""For a call that no voice could speak: a text in a wrong voice is no message."""

_CALLER = Policy(
    code="caller_refused",
    explanation="The telephone provider refuses the number the school calls from; the operator must look.",
    retry=Retry.LATER,
    ours=True,
)
_SET_UP = Policy(
    code="set_up_wrong",
    explanation="The telephone provider cannot reach the gateway under GATEWAY_PUBLIC_URL; the operator must look.",
    retry=Retry.LATER,
    ours=True,
)
_INVALID = Policy(
    code="number_invalid",
    explanation="This is not a valid telephone number.",
    reason=RejectReason.INVALID,
    address_dead=True,
)
_UNREACHABLE = Policy(
    code="unreachable",
    explanation="Calls cannot be routed to this number; use another channel.",
    reason=RejectReason.BOUNCED,
)
_COUNTRY = Policy(
    code="country_not_enabled",
    explanation="The school's account may not call this country; the operator can enable it.",
    reason=RejectReason.BLOCKED,
    ours=True,
)
_BARRED = Policy(
    code="blocked",
    explanation="The telephone provider does not let this number be called; use another channel.",
    reason=RejectReason.BLOCKED,
)
_TRIAL = Policy(
    code="trial_account",
    explanation="The school's telephone account is a trial for verified numbers only; the operator must act.",
    retry=Retry.LATER,
    ours=True,
)

POLICIES: Mapping[Code, Policy] = MappingProxyType(
    {
        10001: _API.account,
        10002: _TRIAL,
        10004: _API.throttled,
        10005: _API.account,
        # Also given while a network is out of reach, so the number is not dead.
        13224: _UNREACHABLE,
        13225: _BARRED,
        13227: _COUNTRY,
        20003: _API.account,
        20404: _API.account,
        20429: _API.throttled,
        21201: _INVALID,
        21202: _BARRED,
        21203: _COUNTRY,
        21205: _SET_UP,
        21210: _CALLER,
        21211: _INVALID,
        21212: _CALLER,
        21214: _UNREACHABLE,
        21215: _COUNTRY,
        21216: _BARRED,
        21217: _INVALID,
        21219: _TRIAL,
        32205: _COUNTRY,
        573005: _TRIAL,
    }
)
"""By Twilio's code."""

_BY_STATUS = MappingProxyType({401: _API.account, 404: _API.account, 429: _API.throttled})

_FAILED = Policy(
    code="call_failed",
    explanation="The call could not be connected: most likely nobody has this number any more.",
    reason=RejectReason.BOUNCED,
)


def policy_of(code: int | None) -> Policy:
    """Give the policy of an error code in a receipt; the default is a call that could not be connected."""
    return POLICIES.get(code, _FAILED)


def refusal_error(status: int, code: Code, retry_after: float | None) -> SendError:
    """Translate an HTTP answer that is not 2xx."""
    return _API.refusal(POLICIES.get(code) or _BY_STATUS.get(status), status, code, retry_after)
