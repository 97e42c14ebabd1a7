"""Staff as a provider: alone, and for the languages that a telephone provider does not speak."""

import datetime as dt
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import pytest

import channels.base
from channels.base import (
    STAFF,
    Answer,
    Apology,
    Askable,
    Call,
    CallbackRequest,
    Channel,
    Conversing,
    Envelope,
    Handover,
    Limits,
    Receipt,
    Recovery,
    Sheet,
    Text,
)
from channels.by_hand import ByHand, OrByHand
from channels.errors import ReceiptRefusedError, Retry, SendError
from channels.voice_twilio import TwilioCalls, TwilioCallSettings
from tests.channels.sending import sent

TWILIO = TwilioCallSettings(
    account_sid="AC0",
    auth_token="invented",
    from_number="+447700900100",
    call_url="https://gateway.example.org/v1/calls/twilio_voice",
    status_callback_url="https://gateway.example.org/v1/receipts/twilio_voice",
)
REQUEST = CallbackRequest(url="https://gateway.example.org/v1/receipts/telephone", headers={}, body=b"")


def call(delivery: str, language: str) -> Envelope:
    """Make a call in a language."""
    return Envelope(
        delivery=delivery, payload=Call(recipient="+447700900123", speech="Invented words.", language=language)
    )


@dataclass
class Telephone:
    """A telephone provider that speaks English alone and remembers what it was asked."""

    name: str = "telephone"
    recovery: Recovery = Recovery.LOOK_UP
    limits: Limits = field(default_factory=lambda: Limits(rate=1))
    taken: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    opened: int = 0

    async def open(self) -> None:
        """Count."""
        self.opened += 1

    async def close(self) -> None:
        """Count back."""
        self.opened -= 1

    async def send(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        """Take every call."""
        for envelope in envelopes:
            self.taken.append(envelope.delivery)
            wrong = None if isinstance(envelope.payload, Call) else WRONG
            yield Handover(delivery=envelope.delivery, provider=self.name, provider_id="CA1", error=wrong)

    async def look_up(self, envelopes: Sequence[Envelope]) -> list[Handover | None]:
        """Know every call it is asked about."""
        self.asked += [envelope.delivery for envelope in envelopes]
        return [Handover(delivery=each.delivery, provider=self.name, provider_id="CA1") for each in envelopes]

    def read_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """Refuse."""
        raise ReceiptRefusedError(403, f"No signature at {request.url}.")

    async def check(self) -> str | None:
        """Lack credit."""
        return "The account has no credit left."


class Talker(Telephone):
    """One that can be asked, and asks."""

    async def news_of(self, provider_ids: Sequence[str]) -> Sequence[Receipt]:
        """Remember the question."""
        self.asked += provider_ids
        return ()

    def asked_about(self, request: CallbackRequest) -> str:
        """Read the delivery."""
        return request.url.rpartition("/")[2]

    def instruct(self, request: CallbackRequest, words: Call | Apology) -> Answer:
        """Say what is said next."""
        del request
        return Answer(content_type="text/plain", body=words.speech.encode())

    def wait(self, request: CallbackRequest) -> Answer:
        """Hold the line."""
        del request
        return Answer(content_type="text/plain", body=b"Wait.")


WRONG = SendError(retry=Retry.NEVER, code="wrong_payload", explanation="No call.")


def speaks_english(language: str) -> bool:
    """Speak English."""
    return language == "en"


async def test_languages_without_a_voice_go_to_staff_and_the_others_to_the_provider() -> None:
    """Each hand-over names who took it, and nobody has it twice."""
    telephone = Telephone()
    handovers = await sent(OrByHand(telephone, speaks_english), [call("d1", "en"), call("d2", "so"), call("d3", "en")])
    assert [(each.delivery, each.provider) for each in handovers] == [
        ("d1", "telephone"), ("d2", STAFF), ("d3", "telephone"),
    ]  # fmt: skip
    assert all(each.accepted for each in handovers)
    assert telephone.taken == ["d1", "d3"]


async def test_the_provider_is_not_asked_about_what_staff_were_to_get() -> None:
    """What died between hand-over and record may be put on the list again: it has the same id there."""
    telephone = Telephone()
    found = await OrByHand(telephone, speaks_english).look_up([call("d1", "so"), call("d2", "en"), call("d3", "so")])
    assert [each and each.provider for each in found] == [None, "telephone", None]
    assert telephone.asked == ["d2"]
    assert await OrByHand(telephone, speaks_english).look_up([call("d1", "so")]) == [None]


async def test_everything_else_is_the_providers_own() -> None:
    """Name, limits that can be tightened, recovery, connections, callbacks and what is lacking."""
    telephone = Telephone()
    composite = OrByHand(telephone, speaks_english)
    assert isinstance(composite, Channel)
    assert (composite.name, composite.recovery) == ("telephone", Recovery.LOOK_UP)
    composite.limits = Limits(rate=5)
    assert telephone.limits == composite.limits == Limits(rate=5)
    await composite.open()
    assert telephone.opened == 1
    await composite.close()
    assert telephone.opened == 0
    assert await composite.check() == "The account has no credit left."
    with pytest.raises(ReceiptRefusedError) as refused:
        composite.read_receipts(REQUEST)
    assert refused.value.status == 403


async def test_it_asks_and_is_asked_as_far_as_its_provider_can() -> None:
    """Who cannot be asked has no news; who never asks refuses questions."""
    mute = OrByHand(Telephone(), speaks_english)
    call = Call(recipient="", speech="Yes.", language="en")
    assert await mute.news_of(["CA1"]) == ()
    for ask in (
        lambda: mute.asked_about(REQUEST), lambda: mute.instruct(REQUEST, call), lambda: mute.wait(REQUEST)
    ):  # fmt: skip
        with pytest.raises(ReceiptRefusedError) as refused:
            ask()
        assert refused.value.status == 404
    talker = Talker()
    composite = OrByHand(talker, speaks_english)
    assert isinstance(composite, Askable)
    assert isinstance(composite, Conversing)
    await composite.news_of(["CA7"])
    assert talker.asked == ["CA7"]
    assert composite.asked_about(REQUEST) == "telephone"
    assert composite.instruct(REQUEST, call).body == b"Yes."
    assert composite.wait(REQUEST).body == b"Wait."


def test_it_hides_nothing_that_the_telephone_provider_can() -> None:
    """Whatever of the channels' vocabulary Twilio's adapter speaks is asked for by its form: the wrapper has it too."""
    twilio = TwilioCalls(TWILIO, now=lambda: dt.datetime(2026, 6, 15, tzinfo=dt.UTC))
    composite = OrByHand(twilio, TwilioCalls.speaks)
    protocols = [each for each in vars(channels.base).values() if getattr(each, "_is_runtime_protocol", False)]
    assert {Channel, Askable, Conversing} <= set(protocols)
    spoken = [each for each in protocols if isinstance(twilio, each)]
    assert [each.__name__ for each in spoken if not isinstance(composite, each)] == []


async def test_what_is_no_call_at_all_is_not_given_to_staff() -> None:
    """The provider refuses it in its own way."""
    text = Envelope(delivery="d1", payload=Text(recipient="+447700900123", body="x", segments=1, language="so"))
    [handover] = await sent(OrByHand(Telephone(), speaks_english), [text])
    assert (handover.provider, handover.accepted) == ("telephone", False)


@pytest.mark.parametrize(("carries", "fits"), [(Call, True), (Sheet, False)])
async def test_staff_take_what_their_channel_is_for(carries: type[Call] | type[Sheet], *, fits: bool) -> None:
    """A call is not printed, and is accepted under its own id."""
    [handover] = await sent(ByHand(carries), [call("d1", "so")])
    assert handover.accepted is fits
    assert handover.provider_id == ("d1" if fits else None)
