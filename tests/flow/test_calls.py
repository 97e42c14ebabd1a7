"""Calls from end to end: placed at a stand-in for Twilio, taken by people and machines, spoken by the gateway."""

import datetime as dt
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from channels.base import Apology, Call
from channels.voice_twiml import APOLOGY
from gateway.directory.model import Directory
from gateway.settings import Share
from gateway.settings.texts import TextSettings
from gateway.settings.voice import VoiceSettings
from gateway.store.notifications import cancel
from gateway.store.pages import add_pages
from gateway.store.tables import deliveries, delivery_events, messages, point_marks
from gateway.web import make_application, serving
from tests.channels.twilio_calls_server import VOICE_FROM, Talk, TwilioCallsServer, delivery_in, running_calls
from tests.channels.twilio_server import ACCOUNT_SID, AUTH_TOKEN, signed_form
from tests.flow.families import DAD, DAD_NUMBER, HOUSE, KID, MUM, MUM_NUMBER, TOGETHER, parents
from tests.flow.installation import MONDAY, Installation, installed
from tests.flow.test_restrictions_unreadable import TABLE
from tests.unit.rules.households import deny, directory, email, letter, voice

PUBLIC_URL = "https://gateway.example.org"
PERSONAL = ("Zinnia", "Quillfeather", "Bartholomew", "Vantongeren", "Tamsin", "noon")
TEXT = {
    "language": "en",
    "subject": "Early closing",
    "body": "Dear ((contact_name)), please fetch ((student_names)) at the gate by noon.",
}


@dataclass(frozen=True, kw_only=True)
class Telephones:
    """A gateway that calls, the network it calls through, and where it is asked."""

    gateway: Installation
    twilio: TwilioCallsServer

    async def alert(self, category: str = "emergency", **fields: Any) -> str:
        """Post an alert and wait until all has left."""
        notification = await self.gateway.post(category, **{"content": TEXT, **fields})
        await self.gateway.at_rest()
        return notification

    async def taken(self, number: str = MUM_NUMBER, by: str | None = "human", *keys: str, **more: Any) -> Talk:
        """Let somebody take the last call to a number."""
        return await self.twilio.taken(self.placed(number), by, keys, **more)

    async def told(self, *statuses: str, number: str = MUM_NUMBER, **form: str) -> None:
        """Report statuses of the last call to a number, and wait until they are applied."""
        reports = [self.twilio.report(self.placed(number), status, **form) for status in statuses]
        assert set(await self.twilio.tell(*reports)) == {204}
        await self.gateway.front.services.receipts.take_parked()
        await self.gateway.at_rest()

    def placed(self, number: str) -> dict[str, Any]:
        """Give the last call to a number."""
        return next(call for call in reversed(self.twilio.calls) if call["to"] == number)

    async def events(self) -> list[tuple[str, str | None]]:
        """List the news of deliveries, with its explanations."""
        return [(row.news, row.detail) for row in await self.gateway.rows(delivery_events)]

    async def acknowledged(self) -> list[dt.datetime | None]:
        """Say when messages were confirmed."""
        return [row.acknowledged_at for row in await self.gateway.rows(messages)]

    async def confirmed(self) -> None:
        """Wait until the message is confirmed, at the one instant there is."""

        async def there() -> bool:
            return await self.acknowledged() == [MONDAY]

        await self.gateway.until(there)

    async def explained(self, words: str) -> None:
        """Wait until some news is explained with these words."""

        async def there() -> bool:
            return any(words in (detail or "") for _, detail in await self.events())

        await self.gateway.until(there)

    async def state(self, expected: str, point: str = "mum-v") -> None:
        """Wait until a point's delivery has come to a state: what was kept is applied soon after."""

        async def there() -> bool:
            return (await self.gateway.states()).get(point) == expected

        await self.gateway.until(there)


def family(**entities: Any) -> Directory:
    """Give a mother who can be telephoned."""
    return directory(
        **{
            "relationships": parents("mum"),
            "contacts": [MUM],
            "students": [KID],
            "contact_points": [voice("mum", MUM_NUMBER)],
            **entities,
        }
    )


@pytest_asyncio.fixture
async def telephones(servers_urls: tuple[str, str | None], tmp_path: Path) -> AsyncIterator[Telephones]:
    """Give a gateway at work that calls through a stand-in for Twilio."""
    async with AsyncExitStack() as stack:
        twilio = await stack.enter_async_context(running_calls(lambda: MONDAY))
        changes = {
            "public_url": PUBLIC_URL,
            "voice": VoiceSettings(voice_provider=(Share("twilio", 1),), twilio_voice_from=VOICE_FROM),
            "texts": TextSettings(
                twilio_account_sid=ACCOUNT_SID, twilio_auth_token=AUTH_TOKEN, twilio_api_base_url=twilio.base_url
            ),
        }
        gateway = await stack.enter_async_context(installed(*servers_urls, tmp_path, changes=changes))
        application = make_application(gateway.front.services)
        port = await stack.enter_async_context(serving(application, host="127.0.0.1", port=0))
        twilio.gateway = (PUBLIC_URL, f"http://127.0.0.1:{port}")
        await gateway.put(family())
        yield Telephones(gateway=gateway, twilio=twilio)


async def test_an_alert_is_heard_and_confirmed(telephones: Telephones) -> None:
    """A person hears all of it by name, presses 1, and the message is delivered and acknowledged."""
    await telephones.alert()
    talk = await telephones.taken(MUM_NUMBER, "human", "", "1")
    assert talk.answers == [200, 200, 200]
    assert talk.hung_up
    assert talk.said[0].startswith("This is a message from School.")
    assert "Dear Ms Quillfeather, please fetch Tamsin at the gate by noon." in talk.said[0]
    assert talk.said[1].startswith("To confirm that you have heard this message, press 1.")
    assert talk.said[2].startswith("Thank you.")
    assert set(talk.voices) == {("Polly.Amy-Neural", "en-GB")}
    await telephones.told("completed", AnsweredBy="human")
    await telephones.state("delivered")
    await telephones.confirmed()
    assert ("acknowledged", "Somebody pressed the key that confirms.") in await telephones.events()


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["initiated", "ringing", "in-progress", "completed"]))[::5]
)
async def test_news_may_come_in_any_order_and_twice(telephones: Telephones, order: tuple[str, ...]) -> None:
    """Late and repeated news never undoes that somebody heard it."""
    await telephones.alert()
    await telephones.taken()
    await telephones.told(*order, *reversed(order))
    await telephones.state("delivered")
    assert len(telephones.twilio.calls) == 1
    assert await telephones.acknowledged() == [None]


async def test_who_hangs_up_at_once_has_not_heard_it(telephones: Telephones) -> None:
    """The call was taken; nothing claims that the message arrived."""
    await telephones.alert()
    await telephones.taken(stays_for=0)
    await telephones.told("in-progress", "completed", AnsweredBy="human")
    await telephones.state("sent")
    assert "delivered" not in [news for news, _ in await telephones.events()]


async def test_a_machine_hears_nothing_personal(telephones: Telephones) -> None:
    """After the beep: which school, that there is a message, whom to ask (R41)."""
    await telephones.alert()
    talk = await telephones.taken(MUM_NUMBER, "machine_end_beep", "1", "2")
    assert talk.said == ["This is a message from School. There is a message for you. Please contact the school office."]
    assert not [word for word in PERSONAL if word in talk.words]
    await telephones.told("completed", AnsweredBy="machine_end_beep")
    await telephones.explained("no person has heard")
    assert all("no person has heard" in detail for _, detail in await telephones.events() if detail)


@pytest.mark.parametrize(
    ("category", "minutes", "taker", "code"),
    [
        ("emergency", (1, 3, 5), "machine_end_beep", "machine"),
        ("emergency", (1, 3, 5), "unknown", "machine_or_person"),
        ("progress", (5, 30), "machine_end_beep", "machine"),
    ],
)
async def test_a_mailbox_is_called_again_and_then_staff_are_asked(
    telephones: Telephones, category: str, minutes: tuple[int, ...], taker: str, code: str
) -> None:
    """Nobody has heard it: as with a line that nobody takes, and staff read why."""
    await telephones.alert(category)
    for pause in minutes:
        await telephones.taken(MUM_NUMBER, taker)
        await telephones.told("in-progress", "completed", AnsweredBy=taker)
        await telephones.state("retrying")
        assert await telephones.gateway.tasks() == []
        await telephones.gateway.forward(minutes=pause * 1.1)
    await telephones.taken(MUM_NUMBER, taker)
    await telephones.told("completed", AnsweredBy=taker)
    await telephones.state("failed")
    await telephones.gateway.forward(hours=1)
    assert len(telephones.twilio.calls) == 1 + len(minutes)
    (row,) = await telephones.gateway.rows(deliveries)
    assert row.code == code
    assert "no person has heard" in row.detail
    assert [task.kind for task in await telephones.gateway.tasks()] == ["reach_by_hand"]


async def test_where_only_a_mailbox_was_reached_the_letter_goes(telephones: Telephones) -> None:
    """The next contact point starts as soon as the last call has ended in vain."""
    points = [voice("mum", MUM_NUMBER), letter("mum", HOUSE)]
    await telephones.gateway.put(family(contact_points=points))
    await telephones.alert("progress")
    for _ in range(2):
        await telephones.taken(MUM_NUMBER, "machine_end_beep")
        await telephones.state("retrying")
        await telephones.gateway.forward(minutes=33)
    await telephones.taken(MUM_NUMBER, "machine_end_beep")
    await telephones.state("sent", "mum-l")
    assert await telephones.gateway.states() == {"mum-v": "failed", "mum-l": "sent"}


async def test_who_takes_the_second_call_has_heard_it(telephones: Telephones) -> None:
    """A mailbox took the first: what is told late of that one undoes nothing."""
    await telephones.alert()
    await telephones.taken(MUM_NUMBER, "machine_end_beep")
    first = telephones.placed(MUM_NUMBER)
    await telephones.state("retrying")
    await telephones.gateway.forward(minutes=2)
    await telephones.taken()
    await telephones.state("delivered")
    late = telephones.twilio.report(first, "completed", AnsweredBy="machine_end_beep")
    assert await telephones.twilio.tell(late) == [204]
    await telephones.gateway.forward(hours=1)
    assert await telephones.gateway.states() == {"mum-v": "delivered"}
    assert len(telephones.twilio.calls) == 2


async def test_where_nobody_can_tell_a_key_brings_the_text(telephones: Telephones) -> None:
    """Until somebody presses it only the note is said."""
    await telephones.alert()
    talk = await telephones.taken(MUM_NUMBER, "unknown")
    assert not [word for word in PERSONAL if word in talk.words]
    assert "press any key" in talk.words
    talk = await telephones.taken(MUM_NUMBER, "unknown", "9", "", "1")
    assert "Tamsin" in talk.said[1]
    await telephones.state("delivered")


async def test_a_personal_message_is_not_told_on_the_telephone(telephones: Telephones) -> None:
    """What is no alert and has no short text is a bare notice, whoever takes the call (R41)."""
    await telephones.alert("progress")
    talk = await telephones.taken(MUM_NUMBER, "human", "1")
    assert "There is a message for you." in talk.words
    assert not [word for word in PERSONAL if word in talk.words]
    assert "press" not in talk.words
    await telephones.taken()
    await telephones.state("delivered")
    assert await telephones.acknowledged() == [None]
    assert "press" not in (await telephones.taken(MUM_NUMBER, "unknown")).words


async def _barred(telephones: Telephones) -> None:
    await telephones.gateway.put(family(restrictions=[deny("mum")]))


async def _expired(telephones: Telephones) -> None:
    telephones.gateway.time.now += dt.timedelta(days=30)


async def _moved(telephones: Telephones) -> None:
    await telephones.gateway.put(family(contact_points=[voice("mum", DAD_NUMBER)]))


async def _left(telephones: Telephones) -> None:
    await telephones.gateway.put(family(contact_points=[email("mum")]))


@pytest.mark.parametrize("taker", ["human", "machine_end_beep", "unknown"])
@pytest.mark.parametrize("change", [_barred, _expired, _moved, _left], ids=lambda one: one.__name__)
async def test_what_happened_since_the_call_was_placed_counts(telephones: Telephones, change: Any, taker: str) -> None:
    """Nothing is said any more of what may not be told now, not even who calls, and that is on record."""
    await telephones.alert(expires_at=MONDAY + dt.timedelta(days=7))
    await change(telephones)
    talk = await telephones.taken(MUM_NUMBER, taker, "1", "1")
    assert talk.said == [APOLOGY]
    assert "withheld" in [news for news, _ in await telephones.events()]
    assert await telephones.acknowledged() == [None]


@pytest.mark.parametrize("taker", ["human", "machine_end_beep", "unknown"])
async def test_a_cancelled_message_is_not_said_any_more(telephones: Telephones, taker: str) -> None:
    """What rings already says nothing of it, though the notification is finished, and it does not ring again."""
    notification = await telephones.alert()
    assert await telephones.gateway.status(notification) == "finished"
    async with telephones.gateway.front.database.writing() as connection:
        await cancel(connection, notification, at=MONDAY)
    assert (await telephones.taken(MUM_NUMBER, taker, "1")).said == [APOLOGY]
    await telephones.told("no-answer")
    await telephones.state("retrying")
    await telephones.gateway.forward(hours=1)
    assert await telephones.gateway.states() == {"mum-v": "cancelled"}
    assert len(telephones.twilio.calls) == 1


async def test_the_apology_is_in_the_language_of_who_is_called(telephones: Telephones) -> None:
    """Her call is in Polish, and so is its end."""
    await telephones.gateway.put(family(contacts=[{**MUM, "language": "pl"}]))
    await telephones.alert(content={"language": "pl", "subject": "Szkoła", "body": "Szkoła jest dziś zamknięta."})
    assert "Szkoła jest dziś zamknięta." in (await telephones.taken(stays_for=1)).words
    await telephones.gateway.put(family(contacts=[{**MUM, "language": "pl"}], restrictions=[deny("mum")]))
    talk = await telephones.taken()
    assert talk.said == ["Przepraszamy, ta rozmowa nie może być kontynuowana. Do widzenia."]
    assert set(talk.voices) == {("Polly.Ola-Neural", "pl-PL")}


async def test_a_bar_in_the_middle_of_a_call_ends_it(telephones: Telephones) -> None:
    """Whoever asks to hear it again hears nothing more."""
    await telephones.alert()
    call = telephones.placed(MUM_NUMBER)
    call["form"]["Url"] += "&step=said&round=1"
    await _barred(telephones)
    talk = await telephones.taken(MUM_NUMBER, None)
    assert talk.said == [APOLOGY]


async def test_a_companion_who_was_barred_is_not_named(telephones: Telephones) -> None:
    """A couple's one call greets both; once it may not reach one of them it says nothing (R25)."""
    points = [voice("mum", MUM_NUMBER), voice("dad", MUM_NUMBER)]
    couple: dict[str, Any] = {
        "relationships": parents("mum", "dad"),
        "contacts": [MUM, DAD],
        "contact_points": points,
        "households": [TOGETHER],
    }
    await telephones.gateway.put(family(**couple))
    await telephones.alert()
    assert len(telephones.twilio.calls) == 1
    talk = await telephones.taken(stays_for=1)
    assert "Quillfeather" in talk.words
    assert "Vantongeren" in talk.words
    for barred in ("mum", "dad"):
        await telephones.gateway.put(family(**couple, restrictions=[deny(barred)]))
        talk = await telephones.taken()
        assert talk.said == [APOLOGY]


async def test_while_nobody_can_tell_who_is_barred_nothing_is_said(telephones: Telephones) -> None:
    """A change in the directory asks the rules again, and they cannot be answered (R46)."""
    await telephones.alert("progress")
    await telephones.gateway.put(family(school=[{"name": "School of Today"}]))
    await TABLE.strike(telephones.gateway)
    talk = await telephones.taken()
    await TABLE.repair(telephones.gateway)
    assert talk.said == [APOLOGY]
    assert "There is a message for you." in (await telephones.taken()).words


async def test_a_number_that_was_forwarded_elsewhere_gets_nothing(telephones: Telephones) -> None:
    """The words are for the number that the message is for."""
    await telephones.alert()
    talk = await telephones.taken(called="+447700900999")
    assert talk.said == [APOLOGY]


@pytest.mark.parametrize("late", ["initiated", "ringing", "in-progress", "completed"])
async def test_late_news_of_a_call_in_vain_does_not_undo_the_next(telephones: Telephones, late: str) -> None:
    """That it had rung is told after that nobody took it: she is called again all the same."""
    await telephones.alert()
    await telephones.told("no-answer")
    await telephones.state("retrying")
    await telephones.told(late)

    async def applied() -> bool:
        return len(await telephones.events()) == 2

    await telephones.gateway.until(applied)
    await telephones.gateway.forward(hours=1)
    assert len(telephones.twilio.calls) == 2


@pytest.mark.parametrize("status", ["busy", "no-answer"])
async def test_a_line_that_nobody_takes_is_called_again(telephones: Telephones, status: str) -> None:
    """After a pause, and the second call is a call of its own."""
    await telephones.alert()
    await telephones.told("initiated", status)
    await telephones.state("retrying")
    await telephones.gateway.forward(hours=1)
    assert len(telephones.twilio.calls) == 2
    await telephones.told("ringing")
    await telephones.taken()
    await telephones.state("delivered")


async def test_a_dead_number_is_not_called_again(telephones: Telephones) -> None:
    """The provider says that nobody can have this number: it is marked, and the office told."""
    await telephones.alert()
    await telephones.told("failed", ErrorCode="21211")
    await telephones.state("failed")
    await telephones.gateway.forward(hours=1)
    assert len(telephones.twilio.calls) == 1
    assert [mark.state for mark in await telephones.gateway.rows(point_marks)] == ["dead"]


async def test_a_language_without_a_voice_is_a_task_for_staff(telephones: Telephones) -> None:
    """Nobody is read to in a wrong voice; somebody calls instead."""
    await telephones.gateway.put(family(contacts=[{**MUM, "language": "ur"}]))
    await telephones.alert(content={"language": "ur", "subject": "اسکول بند", "body": "آج اسکول بند ہے"})
    assert telephones.twilio.calls == []
    assert [task.kind for task in await telephones.gateway.tasks()] == ["call"]


async def test_addresses_hold_nothing_of_a_person(telephones: Telephones) -> None:
    """Twilio keeps the addresses it asks at: they hold the delivery's id alone."""
    await telephones.alert()
    await telephones.taken(MUM_NUMBER, "human", "", "2", "", "1")
    (row,) = await telephones.gateway.rows(deliveries)
    call = telephones.placed(MUM_NUMBER)
    for url in [*call["asked"], call["form"]["StatusCallback"]]:
        assert delivery_in(url) == row.id
        assert not [word for word in (*PERSONAL, MUM_NUMBER.strip("+")) if word in url]
    assert "Tamsin" not in str(telephones.twilio.posts)


async def test_a_page_to_staff_is_spoken(telephones: Telephones) -> None:
    """Somebody on duty hears that a decision is needed, twice and from a machine as well; never whose (R45)."""
    page = {
        "id": "page-1",
        "school": "school",
        "notification": "n",
        "task": "t",
        "person": "lead",
        "role": "lead",
        "round": 1,
        "channel": "voice",
        "address": DAD_NUMBER,
        "language": "en",
        "state": "sent",
        "attempts": 1,
        "created_at": MONDAY,
        "changed_at": MONDAY,
    }
    async with telephones.gateway.front.database.writing() as connection:
        await add_pages(connection, [page])
    call = telephones.twilio.store(
        {"To": DAD_NUMBER, "From": VOICE_FROM, "Url": f"{PUBLIC_URL}/v1/calls/twilio_voice?delivery=page-1"}
    )
    talk = await telephones.twilio.taken(call)
    assert len(talk.said) == 2
    assert "A decision is needed on an emergency message." in talk.said[0]
    assert "A decision is needed" in (await telephones.twilio.taken(call, "machine_end_beep")).words


@pytest.mark.parametrize(
    ("identity", "words"),
    [("test-1f", "This is a test message."), ("test-1f-pl", "To jest"), ("test-1f-nothing", "This is a test message.")],
)
async def test_a_test_call_is_spoken(telephones: Telephones, identity: str, words: str) -> None:
    """`gateway test-send` places it, and whoever takes it hears it: it is about nobody."""
    call = telephones.twilio.store(
        {"To": DAD_NUMBER, "From": VOICE_FROM, "Url": f"{PUBLIC_URL}/v1/calls/twilio_voice?delivery={identity}"}
    )
    assert words in (await telephones.twilio.taken(call)).words


async def _asked(telephones: Telephones, path: str, **headers: str) -> int:
    _, real = telephones.twilio.gateway
    async with aiohttp.ClientSession() as session, session.post(real + path, data=b"a=1", headers=headers) as answer:
        assert "Say" not in await answer.text()
        return answer.status


async def test_who_is_not_twilio_hears_nothing(telephones: Telephones) -> None:
    """Without a signature nothing is said and nothing recorded; other providers ask nothing."""
    await telephones.alert()
    (row,) = await telephones.gateway.rows(deliveries)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    path = f"/v1/calls/twilio_voice?delivery={row.id}"
    assert await _asked(telephones, path, **form) == 403
    assert await _asked(telephones, path, **form, **{"X-Twilio-Signature": "bm90IGdvb2Q="}) == 403
    assert await _asked(telephones, f"/v1/calls/outbox?delivery={row.id}", **form) == 404
    assert await _asked(telephones, f"/v1/calls/nobody?delivery={row.id}", **form) == 404
    assert [news for news, _ in await telephones.events() if news == "answered"] == []
    figures = telephones.gateway.front.services.metrics.exposition().decode()
    assert 'gateway_receipts_refused_total{provider="twilio_voice",reason="forged"} 2.0' in figures
    assert 'gateway_receipts_refused_total{provider="none",reason="not_taken"} 2.0' in figures


async def test_a_call_that_is_nobodys_gets_an_apology(telephones: Telephones) -> None:
    """Genuine, but about a delivery that does not exist, or is no call."""
    await telephones.gateway.put(family(contact_points=[email("mum")]))
    await telephones.alert()
    (row,) = await telephones.gateway.rows(deliveries)
    for delivery in ("nobody", row.id):
        call = telephones.twilio.store(
            {"To": MUM_NUMBER, "From": VOICE_FROM, "Url": f"{PUBLIC_URL}/v1/calls/twilio_voice?delivery={delivery}"}
        )
        assert (await telephones.twilio.taken(call)).said == [APOLOGY]


class _Silent:
    """Words that cannot be had for some time."""

    def __init__(self, words: Any, times: int) -> None:
        self._words = words
        self._times = times

    async def words(self, delivery: str) -> Call | Apology:
        """Fail, then answer."""
        self._times -= 1
        if self._times >= 0:
            raise OSError("the database is away")
        words: Call | Apology = await self._words.words(delivery)
        return words


async def test_a_gateway_that_cannot_answer_holds_the_line(telephones: Telephones) -> None:
    """A person hears silence for some seconds, never an error message, and then the text."""
    await telephones.alert()
    services = telephones.gateway.front.services
    for times, said in ((3, True), (99, False)):
        troubled = replace(services, calls=_Silent(services.calls, times))
        async with serving(make_application(troubled), host="127.0.0.1", port=0) as port:
            telephones.twilio.gateway = (PUBLIC_URL, f"http://127.0.0.1:{port}")
            talk = await telephones.taken()
        assert set(talk.answers) == {200}
        assert talk.pauses == (3 if said else 10)
        assert ("Tamsin" in talk.words) is said
        assert (talk.said == [APOLOGY]) is not said


async def test_what_a_question_tells_is_durable_before_it_is_answered(telephones: Telephones) -> None:
    """Thanks are said only for what is on record."""
    await telephones.alert()
    call = telephones.placed(MUM_NUMBER)
    url = f"{call['form']['Url']}&step=asked&round=1"
    request = signed_form(
        {"CallSid": call["sid"], "CallStatus": "in-progress", "To": MUM_NUMBER, "Digits": "1"}, url=url
    )
    status = await telephones.twilio.tell(request)
    assert status == [200]
    await telephones.state("delivered")
    await telephones.confirmed()
