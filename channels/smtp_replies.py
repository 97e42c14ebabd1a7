"""What a mail server's reply means for one mail (RFC 5321 reply codes, RFC 3463 enhanced codes).

The server's own words never leave this module: they often repeat the address.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from channels.errors import Retry, SendError


class Stage(StrEnum):
    """How far the conversation about one mail had come."""

    CONNECT = "connect"
    """Greeting, EHLO and STARTTLS."""
    LOGIN = "login"
    SENDER = "sender"
    """MAIL FROM."""
    RECIPIENT = "recipient"
    """RCPT TO."""
    CONTENT = "content"
    """DATA and the bytes before the final dot."""
    FINAL_DOT = "final_dot"
    """The final dot has left: the server may have the mail."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a permanent refusal says, in words for staff."""

    code: str
    explanation: str
    ours: bool = False
    address_dead: bool = False


_UNKNOWN_MAILBOX = _Meaning(
    "mailbox_unknown", "The mail server says that this mailbox does not exist.", address_dead=True
)
_UNKNOWN_DOMAIN = _Meaning(
    "domain_unknown", "The mail server says that this address has no working domain.", address_dead=True
)
_SENDER_REFUSED = _Meaning(
    "sender_refused", "The mail server refuses the school's sender address; the operator must look.", ours=True
)
_TOO_LARGE = _Meaning("mail_too_large", "The mail is larger than the receiving server allows.")
_MAILBOX_FULL = _Meaning("mailbox_full", "The mailbox is full.")

_ENHANCED = {
    "1.1": _UNKNOWN_MAILBOX,
    "1.2": _UNKNOWN_DOMAIN,
    "1.3": _Meaning("address_invalid", "The mail server says that this address is not valid.", address_dead=True),
    "1.4": _Meaning("address_ambiguous", "The mail server cannot tell which mailbox is meant."),
    "1.5": None,
    "1.6": _Meaning("mailbox_moved", "The mailbox has moved and left no new address.", address_dead=True),
    "1.7": _SENDER_REFUSED,
    "1.8": _SENDER_REFUSED,
    "1.10": _UNKNOWN_DOMAIN,
    "2.1": _Meaning("mailbox_disabled", "The mailbox is switched off.", address_dead=True),
    "2.2": _MAILBOX_FULL,
    "2.3": _TOO_LARGE,
    "3.4": _TOO_LARGE,
}
"""Subject and detail of enhanced codes; None is a known code that says nothing."""

_SUBJECTS = {
    # Not dead: 5.1.0 is a policy's word on many servers, 5.1.90 the school's own limit of the day at Microsoft.
    "1": _Meaning("address_refused", "The mail server refused this address and did not say that it does not exist."),
    "7": _Meaning("refused_by_policy", "The mail server refused the mail by its own rules, for instance as spam."),
}
"""Subjects of enhanced codes without a row of their own."""

_BASIC = {
    (Stage.SENDER, 552): _TOO_LARGE,
    (Stage.RECIPIENT, 552): _MAILBOX_FULL,
    (Stage.FINAL_DOT, 552): _TOO_LARGE,
}
"""Replies without a telling enhanced code."""

_MAILBOX_REPLIES = frozenset({550, 551, 553})
_SAID_UNKNOWN = re.compile(
    r"(no such|unknown|invalid|non-?existent|unrout(e)?able) (local )?(user|address|mailbox|recipient|account|person)"
    r"|(user|address|mailbox|recipient|account)\b[^\n]{0,80}\b"
    r"(unknown|not (found|exist|known|local)|doesn.?t exist|no longer (exists|valid|active))",
    re.IGNORECASE,
)
_SAID_OF_US = re.compile(r"\bsender|\bverif|\bhelo\b|\bhost\b|\bsend(ing)? (address|domain)", re.IGNORECASE)
"""Without a telling code a mailbox is gone only where the server's words say so: `550 relay not permitted` comes to
every mail of a school whose account has lapsed, and an address that is called dead stays dead."""

_STAGES = {
    Stage.SENDER: _SENDER_REFUSED,
    Stage.RECIPIENT: _Meaning("recipient_refused", "The mail server refused this address."),
}

_REFUSED = _Meaning("mail_refused", "The mail server refused this mail.")

_LOGIN_NEEDED = frozenset({530, 534, 535, 538})
"""Replies about the account, at whatever stage they come (RFC 4954)."""

_ENHANCED_CODE = re.compile(r"[245]\.(\d{1,3})\.(\d{1,3})\b")

GO_ON = 354
"""The answer to DATA that asks for the content."""

CLOSING = 421
"""At any moment: the server ends the connection."""

_SLOWER = re.compile(r"421\b|45[12]$|45\d 4\.7\.|45\d 4\.(?:3\.[012]|4\.5|5\.3)$")
"""Refusals that speak of the server or of our pace, not of one mailbox (RFC 3463; 452 4.5.3: too many recipients)."""

_WAIT = re.compile(r"\b(?:in|after|for)\s+(\d{1,5})\s*(s|m|h)(?:ec(?:ond)?s?|in(?:ute)?s?|ours?)?\b", re.IGNORECASE)
"""How long to wait, as postgrey and its like say it."""

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}

_LONGEST_WAIT = 86_400.0

_OUT_OF_STEP = re.compile(r"50[023]\b|\d{3} 5\.5\.[012]$")
"""Commands that the server did not expect or know: not the mail's fault when they were written ahead."""


def reply_error(stage: Stage, reply: int, words: str) -> SendError:
    """Translate a reply that is not the one hoped for."""
    enhanced = _ENHANCED_CODE.match(words)
    code = f"{reply} {enhanced[0]}" if enhanced else str(reply)
    if stage is Stage.LOGIN or reply in _LOGIN_NEEDED:
        return _login_error(code, passing=400 <= reply < 500)
    if stage is Stage.CONNECT:
        return _unavailable(code, ours=reply >= 500)
    if 400 <= reply < 500:
        return SendError(
            retry=Retry.LATER,
            code="deferred",
            explanation="The mail server asked the gateway to try again later.",
            provider_code=code,
            retry_after=_wait(words),
            throttled=_SLOWER.match(code) is not None,
        )
    if not 500 <= reply < 600:
        return lost_error(stage, provider_code=code)
    meaning = _meaning(stage, reply, enhanced, words)
    return SendError(
        retry=Retry.NEVER,
        code=meaning.code,
        explanation=meaning.explanation,
        provider_code=code,
        ours=meaning.ours,
        address_dead=meaning.address_dead,
    )


def lost_error(stage: Stage, *, timed_out: bool = False, provider_code: str | None = None) -> SendError:
    """Answer for a mail whose conversation broke off, timed out or became unintelligible at this stage."""
    if stage is Stage.FINAL_DOT:
        return SendError(
            retry=Retry.UNKNOWN,
            code="no_answer",
            explanation="The mail server may have taken the mail, but its answer did not arrive.",
            provider_code=provider_code,
        )
    if stage in (Stage.CONNECT, Stage.LOGIN):
        return _unavailable(provider_code, ours=False)
    return SendError(
        retry=Retry.LATER,
        code="timed_out" if timed_out else "connection_lost",
        explanation="The mail server went silent or away before the mail was handed over.",
        provider_code=provider_code,
    )


def is_out_of_step(error: SendError) -> bool:
    """Tell whether a refusal may come from commands that were written ahead."""
    return error.provider_code is not None and _OUT_OF_STEP.match(error.provider_code) is not None


def _wait(words: str) -> float | None:
    """Seconds after which the server wants to see the mail again, when it says so."""
    wait = _WAIT.search(words)
    return min(float(wait[1]) * _SECONDS[wait[2].lower()], _LONGEST_WAIT) if wait else None


def _meaning(stage: Stage, reply: int, enhanced: re.Match[str] | None, words: str) -> _Meaning:
    if enhanced:
        subject, detail = enhanced[1], enhanced[2]
        meaning = _ENHANCED.get(f"{subject}.{detail}", _SUBJECTS.get(subject))
        if meaning is not None and not (stage is Stage.SENDER and meaning.address_dead):
            return meaning
    if stage is Stage.RECIPIENT and reply in _MAILBOX_REPLIES and _says_unknown(words):
        return _UNKNOWN_MAILBOX
    return _BASIC.get((stage, reply)) or _STAGES.get(stage) or _REFUSED


def _says_unknown(words: str) -> bool:
    return _SAID_UNKNOWN.search(words) is not None and _SAID_OF_US.search(words) is None


def _login_error(code: str, *, passing: bool) -> SendError:
    return SendError(
        retry=Retry.LATER,
        code="login_deferred" if passing else "login_refused",
        explanation="The mail server did not accept the school's account; the operator must look.",
        provider_code=code,
        ours=not passing,
    )


def _unavailable(code: str | None, *, ours: bool) -> SendError:
    return SendError(
        retry=Retry.LATER,
        code="server_unavailable",
        explanation="The mail server cannot be reached or does not serve the gateway at present.",
        provider_code=code,
        ours=ours,
    )
