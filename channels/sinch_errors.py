"""Sinch's error codes as a policy: what each means for the number, for a retry, and for staff.

The words of a refusal are from Sinch's page of HTTP status codes, the numbers of a delivery report from its pages of
delivery report and SMPP error codes. Sinch adds codes over time: an unknown word falls back on the class of the HTTP
status, an unknown number on a plain failure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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

_SENDER = Policy(
    retry=Retry.LATER,
    code="sender_refused",
    explanation="The text provider refuses the school's sender number; the operator must look.",
    ours=True,
)
_MALFORMED = Policy(
    code="malformed",
    explanation="The text provider cannot read what the gateway sends; the operator must look.",
    ours=True,
)
_NUMBER = Policy(
    code="number_refused",
    explanation="The text provider does not text to this number; use another channel.",
)

REFUSALS: Mapping[Code, Policy] = MappingProxyType(
    {
        "syntax_invalid_json": _MALFORMED,
        "syntax_constraint_violation": _MALFORMED,
        # Does not say which field: the recipient's number, or the school's. So no number counts as dead for it.
        "syntax_invalid_parameter_format": _NUMBER,
        "illegal_number_type": _NUMBER,
        "unknown_group": _SENDER,
        "unknown_campaign": _SENDER,
        "missing_callback_url": _API.account,
        "blocked_account": _API.account,
    }
)
"""By the word that Sinch sends along with 400 and 403."""

_BY_STATUS = MappingProxyType(
    {
        401: _API.account,
        402: _API.account,
        403: _API.account,
        404: _API.redirected,
        405: _API.redirected,
        415: _MALFORMED,
        429: _API.throttled,
    }
)


def refusal_error(status: int, code: Code, retry_after: float | None) -> SendError:
    """Translate an HTTP answer that is not 2xx; where it asks to slow down, no word that comes along counts."""
    known = None if status == 429 else REFUSALS.get(code)
    return _API.refusal(known or _BY_STATUS.get(status), status, code, retry_after)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """What a code in a delivery report means."""

    explanation: str
    reason: RejectReason = RejectReason.OTHER
    again: bool = False
    """Whether another attempt after a pause is worth it."""
    address_dead: bool = False


_UNREACHABLE = Failure(
    explanation="Text messages cannot be routed to this number; use another channel.", reason=RejectReason.BOUNCED
)
_NETWORK = Failure(
    explanation="The phone's network was in trouble; one later try is worth it.",
    reason=RejectReason.BOUNCED,
    again=True,
)
_ABSENT = Failure(
    explanation="The phone is switched off, out of reach or full; try later or another channel.",
    reason=RejectReason.TIMED_OUT,
    again=True,
)
_NO_TEXTS = Failure(
    explanation="This number takes no text messages; use voice or a letter.", reason=RejectReason.INVALID
)
_BLOCKED = Failure(explanation="The phone's network blocks texts to this number.", reason=RejectReason.BLOCKED)
_BARRED = Failure(
    explanation="The owner of this number does not take texts from this sender.", reason=RejectReason.UNSUBSCRIBED
)
_FILTERED = Failure(
    explanation="The network filtered this text as unwanted; do not repeat it, look at its wording.",
    reason=RejectReason.SPAM,
)
_OURS = Failure(explanation="The text provider would not send it from the school's account; the operator must look.")
_TOO_LONG = Failure(explanation="The text is longer than the text provider allows.")
_OVER = Failure(
    explanation="The text was still waiting when its time ran out, so it was not sent.", reason=RejectReason.TIMED_OUT
)
_FAILED = Failure(explanation="The text provider could not deliver this text.")


def _table(rows: Iterable[tuple[Failure, Iterable[int]]]) -> Mapping[int, Failure]:
    return MappingProxyType({code: failure for failure, codes in rows for code in codes})


FAILURES: Mapping[int, Failure] = _table(
    (
        # Sinch's own codes.
        (_UNREACHABLE, (402,)),
        (_NETWORK, (403, 404)),
        (_OVER, (406,)),
        (_FAILED, (407, 408)),
        (_OURS, (405, 410, 412, 413)),
        (_TOO_LONG, (411,)),
        # Those of the networks: routing, screening, and what goes wrong within the provider.
        (_UNREACHABLE, (*range(1, 4), *range(5, 14), 17)),
        (_NETWORK, (4, 14, 18, 40, 50, 51, 52, 56, 70, 71, 73, 74, 75, 76)),
        (_FILTERED, (15, 62)),
        (_BLOCKED, (16, 61)),
        (_OURS, (60, 63, 64, 65, 66, 67)),
        # The message centre, the home register, the visited network.
        (_NETWORK, (102, 106, 107, 109, 111, 112, 114, 155, 161, 162, 164, 207, 211, 214, 215, 217)),
        (
            Failure(
                explanation="The network knows no phone with this number.",
                reason=RejectReason.INVALID,
                address_dead=True,
            ),
            (150,),
        ),
        (_BLOCKED, (151, 205, 206)),
        (_NO_TEXTS, (101, 152, 154, 204, 212)),
        (_ABSENT, (153, 158, 159, 200, 201, 202, 203, 210)),
        # Barred by the sender's side, by the owner, by the operator.
        (_OURS, range(250, 254)),
        (_BARRED, (254, 255)),
        (_BLOCKED, (256, 257)),
        # Addresses that the next network would not take: theirs, then ours.
        (_NO_TEXTS, (300, 301, 302)),
        (_OURS, (310, 311, 312)),
        (_TOO_LONG, (343,)),
        (_NETWORK, (322, 360, 361, 362, 399)),
    )
)
"""By the number in a delivery report."""


def failure_of(code: int | None) -> Failure | None:
    """Say what a delivery report's code means; None for codes that report progress, or for none."""
    if code is None or code in {0, 400, 401}:
        return None
    return FAILURES.get(code, _FAILED)
