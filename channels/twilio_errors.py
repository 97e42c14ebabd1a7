"""Twilio's error codes as a policy: what each means for the number, for a retry, and for staff.

Twilio splits codes over time, so an unknown code falls back on the class of the HTTP status. 20404, 21212, 21408, 21606
and 21617 are from general knowledge and want checking against Twilio's list.
"""

from collections.abc import Mapping
from types import MappingProxyType

from channels.api_errors import ApiErrors, Code, Policy
from channels.base import RejectReason
from channels.errors import Retry, SendError

_API = ApiErrors("text provider", "text")
UNANSWERED = _API.unanswered
"""For a text whose request left and whose answer did not come or made no sense."""
NOT_CONNECTED = _API.not_connected
"""For a text whose request never left."""
EXPIRED = SendError(
    retry=Retry.NEVER, code="expired", explanation="The time for this text was over before it could be sent."
)
"""For a text whose time was over before the request left."""

_NOT_A_MOBILE = Policy(
    code="not_a_mobile",
    explanation="This number cannot receive text messages; use voice or a letter.",
    reason=RejectReason.INVALID,
    address_dead=True,
)
_UNREACHABLE = Policy(
    code="unreachable",
    explanation="Text messages cannot be routed to this number; use another channel.",
    reason=RejectReason.BOUNCED,
)
_QUEUE_FULL = Policy(
    code="queue_full",
    explanation="The text provider's queue is full; the gateway slows down.",
    retry=Retry.LATER,
    retry_after=30,
    throttled=True,
)
_SENDER = Policy(
    code="sender_refused",
    explanation="The text provider refuses the school's sender number; the operator must look.",
    retry=Retry.LATER,
    ours=True,
)

POLICIES: Mapping[Code, Policy] = MappingProxyType(
    {
        20003: _API.account,
        20404: _API.account,
        20429: _API.throttled,
        21211: Policy(
            code="number_invalid",
            explanation="This is not a valid telephone number.",
            reason=RejectReason.INVALID,
            address_dead=True,
        ),
        21212: _SENDER,
        21214: _UNREACHABLE,
        21408: Policy(
            code="country_not_enabled",
            explanation="The school's account may not text to this country; the operator can enable it.",
            reason=RejectReason.BLOCKED,
            ours=True,
        ),
        21606: _SENDER,
        21608: Policy(
            code="trial_account",
            explanation="The school's text account is a trial for verified numbers only; the operator must act.",
            retry=Retry.LATER,
            ours=True,
        ),
        21610: Policy(
            code="opted_out",
            explanation="The owner of this number answered STOP; texts reach it again only after START.",
            reason=RejectReason.UNSUBSCRIBED,
            opted_out=True,
        ),
        21611: _QUEUE_FULL,
        21612: _UNREACHABLE,
        21614: _NOT_A_MOBILE,
        21617: Policy(code="text_too_long", explanation="The text is longer than the text provider allows."),
        21635: _NOT_A_MOBILE,
        30001: _QUEUE_FULL,
        30002: _API.account,
        30003: Policy(
            code="handset_unreachable",
            explanation="The phone is switched off or out of reach; try later or another channel.",
            retry=Retry.LATER,
            reason=RejectReason.TIMED_OUT,
        ),
        30004: Policy(
            code="blocked",
            explanation="The phone's network blocks texts to this number.",
            reason=RejectReason.BLOCKED,
        ),
        30005: Policy(
            code="handset_unknown",
            explanation="The network knows no phone with this number.",
            reason=RejectReason.INVALID,
            address_dead=True,
        ),
        # Not dead: the code also covers carriers that are out of reach for a while.
        30006: Policy(
            code="landline_or_carrier",
            explanation="This is a landline, or its network takes no texts; use voice or a letter.",
            reason=RejectReason.BOUNCED,
        ),
        30007: Policy(
            code="filtered",
            explanation="The network filtered this text as unwanted; do not repeat it, look at its wording.",
            reason=RejectReason.SPAM,
            ours=True,
        ),
        30008: Policy(
            code="carrier_unknown",
            explanation="The network refused the text without a reason; one later try is worth it.",
            retry=Retry.LATER,
            retry_after=300,
            reason=RejectReason.BOUNCED,
        ),
        30036: Policy(
            code="validity_expired",
            explanation="The text was still waiting when its time ran out, so it was not sent.",
            reason=RejectReason.TIMED_OUT,
        ),
    }
)
"""By Twilio's code; 20404 and 21212, 21408, 21606, 21617 and 30036 from Twilio's error pages."""

_BY_STATUS = MappingProxyType({401: _API.account, 404: _API.account, 429: _API.throttled})


def policy_of(code: int | None) -> Policy:
    """Give the policy of an error code in a receipt; the default is a plain refusal."""
    return POLICIES.get(code, _API.refused)


def refusal_error(status: int, code: Code, retry_after: float | None) -> SendError:
    """Translate an HTTP answer that is not 2xx."""
    return _API.refusal(POLICIES.get(code) or _BY_STATUS.get(status), status, code, retry_after)
