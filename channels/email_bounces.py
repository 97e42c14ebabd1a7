"""What a mail that comes back says of ours: delivery reports, complaints, automatic answers, a person's words.

RFC 3464 (reports of delivery) with the codes of RFC 3463, RFC 5965 (reports of complaints), RFC 3834 (automatic
answers), and what mail servers wrote before those. Which delivery it is about only the address says that it was sent
to, which we have signed: whatever a mail says of itself may be forged.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from channels.base import Inbound, Receipt, ReceiptStatus, RejectReason
from channels.email_reading import Part, addresses_in, author_in, header_of, read_mail, words_of
from channels.smtp_replies import Stage, reply_error

PROVIDER = "returned_mail"
"""Stands in receipts and replies for whoever hands mails back to us."""

_MOST_KEPT = 500
"""Characters of each field of a report that are kept as they came."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """A mail as it arrived at a signed address of ours."""

    content: bytes
    delivery: str
    """What the signed address stands for."""
    sender: str
    """Of the envelope; empty for `<>`."""
    recipient: str
    at: dt.datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """News of a delivery, with what the report itself says it is about."""

    receipt: Receipt
    recipients: tuple[str, ...] = ()
    """Addresses, in lower case."""
    gone: tuple[str, ...] | None = None
    """Those of them that the outcome is about: where the mail came to in the end. None where nobody can tell."""
    message_id: str | None = None
    """Of the mail that came back, when it came back."""


def read_bounce(arrival: Arrival) -> Report | Inbound:
    """Read a mail that came to the return path of ours: as a rule a report; some people's programs answer there."""
    mail = read_mail(arrival.content)
    if found := _found(mail, "message/feedback-report"):
        return _complaint(arrival, mail, found)
    if found := _found(mail, "message/delivery-status", "message/global-delivery-status"):
        return _delivery_report(arrival, mail, found)
    vacation = _is_vacation(mail)
    if _from_mail_server(mail, arrival.sender) or not (arrival.sender or vacation):
        return _old_report(arrival, mail)
    if vacation or _is_generated(mail):
        return _automatic(arrival, mail)
    return _answer(arrival, mail)


def read_answer(arrival: Arrival) -> Report | Inbound:
    """Read a mail that came to an address for answers; all who read the mail know it, so that it reports nothing."""
    mail = read_mail(arrival.content)
    is_report = _found(mail, "message/feedback-report", "message/delivery-status", "message/global-delivery-status")
    if is_report or not arrival.sender or _is_vacation(mail) or _is_generated(mail):
        return _automatic(arrival, mail)
    return _answer(arrival, mail)


def _found(mail: Part, *kinds: str) -> Part | None:
    """Find a part of one of these kinds; not in mails that lie within, such as our own."""
    return next((part for part in mail.walk() if part.content_type in kinds), None)


# --- reports of delivery (RFC 3464) ---------------------------------------------------------------------------

_GRAVITY = ("failed", "delayed", "delivered", "relayed", "expanded")
"""Of several recipients, as an alias has them, the gravest counts: telling somebody twice is better than not at all."""

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")


def _delivery_report(arrival: Arrival, mail: Part, found: Part) -> Report:
    about, *blocks = _blocks(found) or [{}]
    if "action" in about or "status" in about:  # some leave out what all recipients have in common
        blocks.insert(0, about)
    block = min(blocks, key=lambda each: _gravity(_action(each)), default={})
    receipt = _receipt(arrival, mail, *_outcome(_action(block), _status(block)), kept={**about, **block})
    recipients = [block.get(name, "") for block in blocks for name in ("original-recipient", "final-recipient")]
    # A reader may have it passed on, and keep a copy: ours is not gone when the further mailbox is.
    gone = addresses_in(block.get("final-recipient", "")) or addresses_in(block.get("original-recipient", ""))
    return Report(
        receipt=receipt,
        recipients=tuple(dict.fromkeys(address for text in recipients for address in addresses_in(text))),
        gone=gone or None,
        message_id=_returned_id(mail),
    )


def _blocks(found: Part) -> list[Mapping[str, str]]:
    """Read the groups of fields, parted by empty lines; at most fifty."""
    groups = re.split(rb"\r?\n(?:[ \t]*\r?\n)+", _below(found).strip(), maxsplit=50)[:50]
    return [fields for group in groups if (fields := header_of(group + b"\r\n\r\n"))]


def _below(found: Part) -> bytes:
    return found.content.lstrip(b"\r\n")


def _action(block: Mapping[str, str]) -> str:
    action = block.get("action", "").partition("(")[0].strip().lower()
    if not action:
        return {"5": "failed", "4": "delayed"}.get(_status(block)[:1], "")
    return action


def _gravity(action: str) -> int:
    return _GRAVITY.index(action) if action in _GRAVITY else len(_GRAVITY)


def _status(block: Mapping[str, str]) -> str:
    """Give the status; the server's own answer counts where the report says nothing in particular.

    And where it speaks of a policy: some relays call every 550 an unknown mailbox, which would make the address dead.
    """
    status = _STATUS.search(block.get("status", ""))
    told = _STATUS.search(block.get("diagnostic-code", ""))
    if told and (status is None or (status[1] == told[1] and (status[0].endswith(".0.0") or told[2] == "7"))):
        return told[0]
    return status[0] if status else ""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a mail."""

    status: ReceiptStatus
    explanation: str
    reason: RejectReason | None = None
    dead: bool = False


def _outcome(action: str, status: str) -> tuple[_Outcome, str | None]:
    """Say what an action and a status mean (standards sheet, section 6), with the code to be kept."""
    code = status or None
    if action == "failed" and not status.startswith("2"):
        return (_gave_up() if status.startswith("4") else _refused(status)), code
    if action == "delayed":
        explanation = "The mail server could not deliver the mail yet and goes on trying."
        return _Outcome(ReceiptStatus.DEFERRED, explanation, RejectReason.TIMED_OUT), code
    if action in {"delivered", "relayed"} and not status.startswith(("4", "5")):
        return _Outcome(ReceiptStatus.DELIVERED, "The mail server reports that it has delivered the mail."), code
    return _Outcome(ReceiptStatus.UNKNOWN, "A mail server reported something that says neither yes nor no."), code


def _gave_up() -> _Outcome:
    return _Outcome(
        ReceiptStatus.BOUNCED, "The mail server tried for a while and gave the mail up.", RejectReason.TIMED_OUT
    )


def _refused(status: str) -> _Outcome:
    """Translate the code as if the server had said it while we were handing over: there is one table for both."""
    error = reply_error(Stage.FINAL_DOT, 550, status)
    return _Outcome(ReceiptStatus.BOUNCED, error.explanation, _reason(status, error.address_dead), error.address_dead)


def _reason(status: str, dead: bool) -> RejectReason:  # noqa: FBT001  # what it is about
    if status.startswith("5.1."):
        return RejectReason.INVALID if dead else RejectReason.OTHER
    return RejectReason.BLOCKED if status.startswith("5.7.") else RejectReason.BOUNCED


def _returned_id(mail: Part) -> str | None:
    """Find the Message-ID of the mail that came back; whole, or its header alone."""
    kinds = {"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"}
    for part in mail.walk():
        if part.content_type in kinds and (found := header_of(_below(part)).get("message-id", "").strip()):
            return found[:_MOST_KEPT]
    return None


# --- complaints (RFC 5965) ------------------------------------------------------------------------------------

_COMPLAINTS = frozenset({"abuse", "fraud", "virus", "other", "opt-out", "opt-out-list"})
"""`not-spam` takes one back, `auth-failure` is about our signature."""


def _complaint(arrival: Arrival, mail: Part, found: Part) -> Report:
    fields = header_of(_below(found).rstrip() + b"\r\n\r\n")
    kind = fields.get("feedback-type", "").strip().lower()
    if kind in _COMPLAINTS:
        outcome = _Outcome(ReceiptStatus.COMPLAINED, "The recipient called the mail unwanted.", RejectReason.SPAM)
    else:
        outcome = _Outcome(ReceiptStatus.UNKNOWN, "A mail server reported on the mail; it is no complaint.")
    receipt = _receipt(arrival, mail, outcome, None, kept=fields)
    return Report(
        receipt=receipt, recipients=addresses_in(fields.get("original-rcpt-to", "")), message_id=_returned_id(mail)
    )


# --- automatic answers (RFC 3834) -----------------------------------------------------------------------------

_MARKS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-mail-autoreply")
_AUTOMATIC = frozenset({"auto_reply", "auto-reply"})
_BULK = frozenset({"bulk", "junk", "list"})
"""Of `Precedence`. Some companies put these, or `X-Auto-Response-Suppress`, on all their mail, and so on answers."""
_SUBJECTS = re.compile(
    r"(automatic reply|auto(matic)?[ -]?response|auto[ -]?reply|out of (the )?office|automatische antwort"
    r"|abwesenheitsnotiz|réponse automatique|respuesta automática|resposta automática|risposta automatica"
    r"|automatisch antwoord|odpowiedź automatyczna|automaattinen vastaus|automatiskt svar|automatisk svar|autosvar"
    r"|răspuns automat|otomatik yan\u0131t|автоматический ответ|автоматична відповідь|自动答复|自動回覆|自動応答)"
    r"\s*[:\uff1a]"
)
"""How mail programs begin the subject of what they answer by themselves; a person's answer to that begins with Re."""


def _is_vacation(mail: Part) -> bool:
    """Tell whether a mail program answered for somebody who is away."""
    return (
        _submitted(mail) == "auto-replied"
        or _precedence(mail) in _AUTOMATIC
        or any(mark in mail.headers for mark in _MARKS)
        or ("x-auto-response-suppress" in mail.headers and not _is_answer(mail))
        or _SUBJECTS.match(mail.header("subject").strip().lower()) is not None
    )


def _is_generated(mail: Part) -> bool:
    """Tell whether no person wrote it, whatever it is."""
    return _submitted(mail) not in {"no", ""} or (_precedence(mail) in _BULK and not _is_answer(mail))


def _is_answer(mail: Part) -> bool:
    return _ANSWERS.match(mail.header("subject").strip()) is not None


def _precedence(mail: Part) -> str:
    return mail.headers.get("precedence", "").strip().lower()


def _submitted(mail: Part) -> str:
    return mail.headers.get("auto-submitted", "").partition(";")[0].strip().lower()


def _automatic(arrival: Arrival, mail: Part) -> Report:
    outcome = _Outcome(ReceiptStatus.AUTORESPONDED, "A machine answered in the recipient's place.")
    return Report(receipt=_receipt(arrival, mail, outcome, None, kept={}))


# --- reports that are none (qmail, Exchange and others) -------------------------------------------------------

_DAEMONS = re.compile(r"(mailer-daemon|postmaster|mail-daemon|mdaemon|microsoftexchange\w{0,60})@|mailer-daemon\b")
_COPY = re.compile(
    r"^(-{2,}[^\n]{0,20}(below this line is a copy|original message|returned message|message header)|received: |"
    r"return-path: )",
    re.IGNORECASE | re.MULTILINE,
)
"""Where the copy of our own mail begins, whose words mean nothing here."""
_ANSWERED = re.compile(r"\b[45]\d\d[ -]+#?([45]\.\d{1,3}\.\d{1,3})(?!\.?\d)|\(#([45]\.\d{1,3}\.\d{1,3})\)")
_BARE = re.compile(r"(?<![\d.])(5\.[0-7]\.\d{1,3})(?!\.?\d)")
_REPLY = re.compile(r"(?:said|answer|error|respon|repl|status|code|reject)[^\n]{0,200}?\b(5[0-5]\d)\b", re.IGNORECASE)
_WAITS = re.compile(r"delay|warning|(still|will) (be |being )?(tr|retr)|not yet been delivered", re.IGNORECASE)
_MOST_REPORT = 20_000
"""Characters in which a mail server has said what is wrong."""


def _from_mail_server(mail: Part, sender: str) -> bool:
    author = mail.headers.get("from", "").lower()
    return _DAEMONS.search(author) is not None or _DAEMONS.match(sender.lower()) is not None


def _old_report(arrival: Arrival, mail: Part) -> Report:
    """Read a report that only people were meant to read."""
    text = words_of(mail).text[:_MOST_REPORT]
    copy = _COPY.search(text)
    text = text[: copy.start()] if copy else text
    status = _status_in(text, certain=_from_mail_server(mail, arrival.sender))
    action = "failed" if status else ""
    if status.startswith("4") and _WAITS.search(f"{mail.header('subject')} {text}"):
        action = "delayed"
    receipt = _receipt(arrival, mail, *_outcome(action, status), kept={})
    return Report(receipt=receipt, recipients=addresses_in(text)[:10], message_id=_returned_id(mail))


def _status_in(text: str, *, certain: bool) -> str:
    """Find what a mail server answered; unless it is `certain` that it is a report, only what looks like nothing else.

    Programs that answer for somebody who is away write from the empty sender, too, and of rooms, prices and versions.
    """
    if answered := _ANSWERED.search(text):
        return answered[1] or answered[2]
    if not certain:
        return ""
    if bare := _BARE.search(text):
        return bare[1]
    return "5.0.0" if _REPLY.search(text) else ""


# --- what all have in common ----------------------------------------------------------------------------------


def _receipt(arrival: Arrival, mail: Part, outcome: _Outcome, code: str | None, *, kept: Mapping[str, str]) -> Receipt:
    return Receipt(
        provider=PROVIDER,
        event_id=_digest(arrival.delivery, outcome.status, code or "", _name_of(mail)),
        status=outcome.status,
        at=arrival.at,
        delivery=arrival.delivery,
        reason=outcome.reason,
        code=code,
        explanation=outcome.explanation,
        address_dead=outcome.dead,
        raw={name: value[:_MOST_KEPT] for name, value in list(kept.items())[:30]},
    )


def _answer(arrival: Arrival, mail: Part) -> Inbound:
    """Take a person's words, all of them; who they say they are is in the header, as people see it."""
    words = words_of(mail)
    subject = mail.header("subject").strip()
    body = words.text
    if subject and not (body and _is_answer(mail)):
        body = f"{subject}\n\n{body}".strip()
    contents = [hashlib.sha256(enclosure.content).hexdigest() for enclosure in words.enclosures]
    return Inbound(
        provider=PROVIDER,
        event_id=_digest("reply", arrival.delivery, _name_of(mail), body, *contents),
        at=arrival.at,
        sender=author_in(mail.headers.get("from", "")) or arrival.sender,
        recipient=arrival.recipient,
        body=body,
        delivery=arrival.delivery,
        enclosures=words.enclosures,
        cut=not words.whole,
    )


_ANSWERS = re.compile(
    r"(re|aw|sv|vs|odp|ynt|antw|r|res|rif|回复|答复|fw|fwd|wg)\s*(\[\d+\])?\s*[:\uff1a]", re.IGNORECASE
)
"""How programs begin the subject of an answer: it repeats ours and adds nothing."""


def _name_of(mail: Part) -> str:
    """Name a mail, so that the same mail told twice is known again: by its Message-ID, or by what stands in it."""
    return mail.headers.get("message-id", "").strip() or hashlib.sha256(mail.raw).hexdigest()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:40]
