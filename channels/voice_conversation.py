"""The course of a call: what is said next, and what Twilio's question for it tells. Pure.

How far a call has come stands in the address that Twilio asks at, which its signature covers; nothing is kept here.

    taken ─ person ──▶ the text ──▶ said ──▶ the keys ──▶ asked ─ 1 ──▶ thanks
      │                  ▲  ▲        │ 1, 2 count here, too │ 2, or nothing at first ──▶ the text again
      │                  │  │        │ where no key is asked for: told, once more, end
      │                  │  └────────┴──────────────────────┘ nothing again ──▶ end
      ├─ nobody can tell ▶ the note, "press any key" ──▶ invited ─ any key ──▶ the text
      └─ machine ────────▶ the note
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs, urlencode, urlsplit

from channels.base import Apology, Call, ReceiptStatus, RejectReason
from channels.errors import ReceiptRefusedError
from channels.voice_languages import Voice, voice_for
from channels.voice_twiml import (
    DECISION_SECONDS,
    apology,
    asked_again,
    ended,
    left_on_machine,
    said_last,
    said_with_keys,
    sayable,
)

CONFIRM, REPEAT = "1", "2"
"""The keys that `Call.keys` speaks of."""

UNPROMPTED_ROUNDS = 2
"""How often the text is said to who presses nothing."""

MOST_ROUNDS = 5
"""How often it is said to who asks for it."""

MOST_WAITS = 10
WAIT_SECONDS = 2
"""For a gateway that cannot answer now: so long a person hears nothing, and so often is it asked again."""

_ROUNDS = frozenset(str(number) for number in range(1, MOST_ROUNDS + 1))
_WAITS = frozenset(str(number) for number in range(MOST_WAITS + 1))


MACHINE = "machine"
MACHINE_ONLY = "A machine took the call and was told nothing personal: no person has heard the message."
"""Code and explanation of a call that a mailbox took: like one that nobody took, it is worth another attempt."""


class Step(StrEnum):
    """What was done when Twilio asks how to go on."""

    TAKEN = "taken"
    """Somebody or something took the call."""
    INVITED = "invited"
    """The note was said, and that any key brings the text."""
    SAID = "said"
    """The text was said, or a key interrupted it."""
    TOLD = "told"
    """The same of a text that no key confirms."""
    ASKED = "asked"
    """The keys were explained."""


class Taker(StrEnum):
    """Who took the call, as far as Twilio can tell."""

    PERSON = "person"
    MACHINE = "machine"
    FAX = "fax"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One question of Twilio's."""

    delivery: str
    step: Step
    round: int
    """How often the text was begun."""
    taker: Taker
    number: str
    """The number that was called."""
    key: str
    """The key that was pressed; empty when none was."""
    waits: int = 0
    """How often the same was asked before."""
    on_line: bool = True
    """Whether the call goes on; Twilio may ask once more about one that was hung up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What a question tells of the call."""

    event: str
    """Constant; with the call's id it names the event."""
    status: ReceiptStatus
    explanation: str
    code: str | None = None
    reason: RejectReason | None = None
    again: bool = False
    """As of a receipt."""


_ANSWERED_BY = {Taker.PERSON: "human", Taker.MACHINE: "machine", Taker.FAX: "fax", Taker.UNKNOWN: "unknown"}


def taker_of(answered_by: str) -> Taker:
    """Read Twilio's `AnsweredBy`; what it does not know, or did not look for, is unknown."""
    if answered_by.startswith("machine"):
        return Taker.MACHINE
    return {"human": Taker.PERSON, "fax": Taker.FAX}.get(answered_by, Taker.UNKNOWN)


def turn_of(url: str, form: Mapping[str, str]) -> Turn:
    """Read a question that was found genuine; raises `ReceiptRefusedError` when it is none of ours."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    step, number, waits = query.get("step", Step.TAKEN), query.get("round", "1"), query.get("waits", "0")
    if not query.get("delivery") or step not in set(Step) or number not in _ROUNDS or waits not in _WAITS:
        raise ReceiptRefusedError(400, "The address names no call of the gateway's.")
    return Turn(
        delivery=query["delivery"],
        step=Step(step),
        round=int(number),
        # Who took the call and what was pressed is told once only.
        taker=taker_of(query.get("by") or form.get("AnsweredBy", "")),
        number=form.get("To", ""),
        key=query.get("key") or form.get("Digits", ""),
        waits=int(waits),
        on_line=form.get("CallStatus") == "in-progress",
    )


def asking_at(url: str, delivery: str, step: Step = Step.TAKEN, number: int = 1) -> str:
    """Write the address for the next question; it holds ids and nothing of a person."""
    query = {"delivery": delivery}
    if step is not Step.TAKEN:
        query |= {"step": step.value, "round": str(number)}
    return f"{url}?{urlencode(query)}"


def heard(turn: Turn) -> Heard | None:
    """Say what news a question brings."""
    match turn.step:
        case Step.TAKEN:
            return _TAKEN[turn.taker]
        case Step.INVITED:
            return _TAKEN[Taker.PERSON] if turn.key else _UNWANTED
        case Step.SAID | Step.TOLD if not turn.key:
            return _SAID if turn.on_line else None
        case Step.SAID | Step.ASKED:
            return _CONFIRMED if turn.key == CONFIRM else None
        case _:
            return None


_TAKEN = {
    Taker.PERSON: Heard(event="person", status=ReceiptStatus.ANSWERED, explanation="Somebody took the call."),
    Taker.MACHINE: Heard(
        event="machine", status=ReceiptStatus.NO_ANSWER, code=MACHINE, explanation=MACHINE_ONLY, again=True
    ),
    Taker.FAX: Heard(
        event="fax",
        status=ReceiptStatus.FAILED,
        code="fax",
        reason=RejectReason.INVALID,
        explanation="A fax machine took the call; use another channel.",
    ),
    Taker.UNKNOWN: Heard(
        event="unclear",
        status=ReceiptStatus.SENT,
        code="machine_or_person",
        explanation="The call was taken, and nobody can tell whether by a person or a machine.",
    ),
}
_UNWANTED = Heard(
    event="unwanted",
    status=ReceiptStatus.NO_ANSWER,
    code="machine_or_person",
    explanation="The call was taken, and nobody pressed the key that brings the message: no person has heard it.",
    again=True,
)
_SAID = Heard(
    event="spoken", status=ReceiptStatus.DELIVERED, explanation="Somebody stayed on the line until all had been said."
)
_CONFIRMED = Heard(
    event="confirmed", status=ReceiptStatus.ACKNOWLEDGED, explanation="Somebody pressed the key that confirms."
)


def next_words(turn: Turn, words: Call | Apology, url: str) -> bytes:
    """Answer a question with TwiML; `url` is where the next one is to be asked.

    A call that reached another number than the message is for by now, or that no voice can speak to its end, gets the
    apology that is said where it is not known who listens.
    """
    voice = voice_for(words.language)
    if voice is None or not sayable(words.speech, voice):
        return apology()
    if isinstance(words, Apology):
        return said_last(words.speech, voice)
    if words.recipient not in {turn.number, ""}:
        return apology()
    talk = _Talk(turn, words, voice, url)
    match turn.step:
        case Step.TAKEN:
            return talk.opened()
        case Step.INVITED:
            return talk.text(1) if turn.key else ended()
        case _:
            return talk.gone_on()


def held(turn: Turn, url: str) -> bytes:
    """Hold the line and have the same asked again, with what Twilio tells only once; apologise after too many times."""
    if turn.waits >= MOST_WAITS:
        return apology()
    told = {"waits": str(turn.waits + 1), "by": _ANSWERED_BY[turn.taker], "key": turn.key}
    again = asking_at(url, turn.delivery, turn.step, turn.round)
    return asked_again(f"{again}&{urlencode(told)}", seconds=WAIT_SECONDS)


class _Talk:
    """One call's words, and where it stands."""

    def __init__(self, turn: Turn, call: Call, voice: Voice, url: str) -> None:
        self._turn = turn
        self._call = call
        self._voice = voice
        self._url = url

    def opened(self) -> bytes:
        """Speak to whoever took the call: all to a person, the note to a machine, both on request where it is unclear.

        What a machine records is heard by whoever comes home first (R41).
        """
        call, taker = self._call, self._turn.taker
        if taker is Taker.PERSON:
            return self.text(1)
        if taker is Taker.FAX or not call.voicemail:
            return ended()
        if taker is Taker.MACHINE:
            return left_on_machine(call.voicemail, self._voice)
        if not call.invitation:
            return said_last(call.voicemail, self._voice)
        return self._and_then(f"{call.voicemail}\n{call.invitation}", Step.INVITED, 1, DECISION_SECONDS)

    def gone_on(self) -> bytes:
        """Follow the key that was pressed; without one explain the keys, then say all once more, then end."""
        turn, call = self._turn, self._call
        if turn.key == CONFIRM and call.keys:
            return said_last(call.thanks, self._voice) if call.thanks else ended()
        if turn.key == REPEAT:
            return self.text(turn.round + 1) if turn.round < MOST_ROUNDS else ended()
        if turn.step is Step.SAID and call.keys:
            return self._and_then(call.keys, Step.ASKED, turn.round, DECISION_SECONDS)
        return self.text(turn.round + 1) if turn.round < UNPROMPTED_ROUNDS else ended()

    def text(self, number: int) -> bytes:
        """Say the text for the how manieth time."""
        return self._and_then(self._call.speech, Step.SAID if self._call.keys else Step.TOLD, number, 1)

    def _and_then(self, words: str, step: Step, number: int, seconds: int) -> bytes:
        then = asking_at(self._url, self._turn.delivery, step, number)
        return said_with_keys(words, self._voice, then=then, seconds=seconds)
