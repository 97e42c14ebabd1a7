"""Texts that people send, from Twilio's signed request to what the school keeps and what it may text back."""

import datetime as dt
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Row, Table, insert, select

from channels.base import Inbound
from gateway.access import Scope
from gateway.settings import Settings, Share
from gateway.settings.texts import TextSettings
from gateway.store.tables import chronology, deliveries, messages, point_marks, replies, tasks, wishes
from gateway.store.text_answers import unblock_number
from tests.api.office import MONDAY, NOTICE, Office, opened
from tests.channels.twilio_server import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    EMERGENCY_NUMBER,
    FROM_NUMBER,
    TwilioServer,
    refuses,
    running_twilio,
    signed_form,
)
from tests.channels.web_stand_in import cuts

PATH = "/v1/receipts/twilio"
URL = Settings().public_url + PATH

CLEO, DARIA, APART, TOGETHER, STRANGER = (f"+44770090011{digit}" for digit in range(5))
"""Cleo's and Daria's own numbers, one shared by parents who live apart, one by a couple, one that nobody knows."""

PEOPLE = {
    "cleo": ("en", CLEO),
    "daria": ("pl", DARIA),
    "emil": ("en", APART),
    "fay": ("en", APART),
    "gus": ("en", TOGETHER),
    "hana": ("en", TOGETHER),
}
DIRECTORY: dict[str, Any] = {
    "school": {"id": "oak", "name": "Oak School"},
    "students": [{"id": person, "given_name": f"Child of {person}"} for person in PEOPLE],
    "contacts": [
        {"id": person, "given_name": person.title(), "language": language} for person, (language, _) in PEOPLE.items()
    ],
    "contact_points": [
        *(
            {"id": f"{person}-sms", "contact": person, "channel": "sms", "address": number}
            for person, (_, number) in PEOPLE.items()
        ),
        {
            "id": "cleo-letter",
            "contact": "cleo",
            "channel": "letter",
            "address": {"lines": ["1 Loom Street", "Hollins"], "postcode": "ZZ9 9ZZ"},
        },
    ],
    "households": [{"id": "home", "members": ["gus", "hana"]}],
    "relationships": [{"student": person, "contact": person, "parental_responsibility": "yes"} for person in PEOPLE],
}
"""Every contact is the only parent of one child."""


@dataclass(kw_only=True)
class School:
    """A school whose texts go through Twilio."""

    office: Office
    twilio: TwilioServer
    _numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    async def send(self, category: str, *children: str) -> list[str]:
        """Send something to the parents of these children; gives the ids of the texts."""
        about = {"category": category, "audience": {"students": list(children)}}
        answer = await self.office.post("/v1/notifications", NOTICE | about)
        assert answer.status == 202, answer.text
        await self.office.deliver(answer.json["id"])
        rows = await self.rows(deliveries, notification=answer.json["id"], channel="sms")
        assert {row.state for row in rows} <= {"sent", "queued", "cancelled", "suppressed"}
        return [row.id for row in rows]

    async def gets(self, body: str, sender: str, *, sid: str | None = None, **more: str) -> None:
        """Let Twilio pass on a text, and wait until everything is done that it leads to."""
        sid = sid or f"SM{next(self._numbers):032x}"
        request = self.twilio.inbound(sid, body, url=URL, sender=sender, **more)
        answer = await self.office.call("POST", PATH, data=request.body, key=None, headers=_form(request.headers))
        assert answer.status == 204, answer.text
        await self.office.gateway.services.text_answers.finish()

    async def rows(self, table: Table, **values: object) -> list[Row[Any]]:
        """List rows in which these columns have these values."""
        query = select(table).where(*(table.c[name] == value for name, value in values.items()))
        async with self.office.gateway.database.reading() as connection:
            return list(await connection.execute(query))

    async def marks(self) -> dict[str, str]:
        """Give the numbers that are marked, with how."""
        return {row.address_key: row.state for row in await self.rows(point_marks, school="oak")}

    async def events(self, event: str) -> list[str]:
        """Name whose chronology tells of an event."""
        return sorted(row.contact for row in await self.rows(chronology, event=event))

    def texted(self, number: str) -> list[str]:
        """List what was sent to a number."""
        return [post["Body"] for post in self.twilio.posts if post["To"] == number]

    def pass_time(self, **span: float) -> None:
        """Let time pass."""
        self.office.clock.now += dt.timedelta(**span)


def _form(headers: Any) -> dict[str, str]:
    return {**headers, "Content-Type": "application/x-www-form-urlencoded"}


@asynccontextmanager
async def opened_school(database_url: str, folder: Path, **changes: Any) -> AsyncIterator[School]:
    """Open the school on a stand-in for Twilio."""
    async with running_twilio(lambda: MONDAY) as twilio:
        texts = TextSettings(
            sms_provider=(Share("twilio", 1),),
            twilio_account_sid=ACCOUNT_SID,
            twilio_auth_token=AUTH_TOKEN,
            twilio_from=FROM_NUMBER,
            twilio_emergency_from=EMERGENCY_NUMBER,
            twilio_api_base_url=twilio.base_url,
            **({"twilio_answers_stop": False, "sms_help": "020 7946 0123"} | changes),
        )
        async with opened(database_url, folder, directory=DIRECTORY, changes={"texts": texts}) as office:
            yield School(office=office, twilio=twilio)


@pytest_asyncio.fixture
async def school(database_url: str, tmp_path: Path) -> AsyncIterator[School]:
    """Give a school that confirms STOP itself, once on SQLite and once on PostgreSQL."""
    async with opened_school(database_url, tmp_path) as school:
        yield school


@pytest_asyncio.fixture
async def obeyed_school(tmp_path: Path) -> AsyncIterator[School]:
    """Give a school whose Twilio confirms STOP."""
    database_url = f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}"
    async with opened_school(database_url, tmp_path, twilio_answers_stop=True) as school:
        yield school


STOPPED = "Oak School: you will receive no more text messages from us. To receive them again, reply START."
STARTED = "Oak School: you will receive our text messages again. To end them, reply STOP."


async def test_stop_ends_texts_and_nothing_else(school: School) -> None:
    """One confirmation, then letters instead of texts, until START (R33)."""
    await school.gets("Stop!", CLEO)
    assert await school.marks() == {CLEO: "carrier_blocked"}
    assert school.texted(CLEO) == [STOPPED]
    assert await school.events("texts_stopped") == ["cleo"]
    assert await school.send("routine", "cleo") == []
    assert [row.state for row in await school.rows(deliveries, contact="cleo", channel="letter")] == ["sent"]
    await school.gets("START", CLEO)
    assert await school.marks() == {}
    assert school.texted(CLEO) == [STOPPED, STARTED]
    assert await school.events("texts_wanted_again") == ["cleo"]
    assert len(await school.send("routine", "cleo")) == 1
    assert await school.rows(replies) == []


async def test_a_text_on_its_way_does_not_leave_after_stop(school: School) -> None:
    """The directory's version rises, so that what waits is decided again (R44)."""
    answer = await school.office.post("/v1/notifications", NOTICE | {"audience": {"students": ["cleo"]}})
    await school.office.gateway.planner.plan(answer.json["id"])
    await school.gets("STOP", CLEO)
    await school.office.deliver(answer.json["id"])
    assert school.texted(CLEO) == [STOPPED]


async def test_stop_is_confirmed_in_the_readers_language(school: School) -> None:
    """Whatever language the word was in; the hint names a word that is understood."""
    await school.gets("STOP", DARIA)
    await school.gets("wznów", DARIA)
    assert [text.split(":")[1][:15] for text in school.texted(DARIA)] == [" nie będziemy j", " znów będziemy "]


async def test_what_twilio_has_confirmed_is_not_confirmed_again(obeyed_school: School) -> None:
    """Nothing but Twilio's own confirmation reaches the number; the mark is ours all the same."""
    await obeyed_school.gets("STOP", CLEO)
    assert await obeyed_school.marks() == {CLEO: "carrier_blocked"}
    await obeyed_school.gets("ARRET", DARIA, OptOutType="STOP")
    assert (await obeyed_school.marks()).keys() == {CLEO, DARIA}
    await obeyed_school.gets("HELP", APART)
    assert obeyed_school.twilio.posts == []


async def test_a_text_that_is_told_twice_counts_once(school: School) -> None:
    """Twilio repeats a request that was answered too late, even days later."""
    await school.gets("STOP", CLEO, sid="SM1")
    await school.gets("STOP", CLEO, sid="SM1")
    await school.gets("START", CLEO, sid="SM2")
    school.pass_time(days=3)
    await school.gets("STOP", CLEO, sid="SM1")
    await school.gets("Thank you", CLEO, sid="SM3")
    await school.gets("Thank you", CLEO, sid="SM3")
    assert await school.marks() == {}
    assert school.texted(CLEO) == [STOPPED, STARTED]
    assert await school.events("texts_stopped") == ["cleo"]
    assert [row.body for row in await school.rows(replies)] == ["Thank you"]


async def test_news_that_was_overtaken_changes_nothing(school: School) -> None:
    """A STOP that arrives after the START that followed it."""
    await school.gets("STOP", CLEO)
    school.pass_time(minutes=5)
    await school.gets("START", CLEO)
    school.pass_time(minutes=-2)
    await school.gets("STOP", CLEO)
    assert await school.marks() == {}


async def test_start_forgives_nothing_but_stop(school: School) -> None:
    """A number that was found dead stays dead, and nothing is confirmed."""
    mark = {"school": "oak", "channel": "sms", "address_key": CLEO, "state": "dead", "reason": "30005", "at": MONDAY}
    async with school.office.gateway.database.writing() as connection:
        await connection.execute(insert(point_marks).values(mark))
    await school.gets("START", CLEO)
    assert await school.marks() == {CLEO: "dead"}
    assert school.twilio.posts == []


async def test_a_start_that_lifts_nothing_is_a_reply(school: School) -> None:
    """In many languages it is an ordinary word: a child has recovered, a course begins."""
    await school.gets("恢复", CLEO, sid="SM1")
    await school.gets("恢复", CLEO, sid="SM1")
    assert [row.body for row in await school.rows(replies)] == ["恢复"]
    assert school.twilio.posts == []


async def test_help_says_who_writes_and_how_to_reach_them_once_a_day(school: School) -> None:
    """And never to a number that wants no texts."""
    await school.gets("HELP", CLEO)
    await school.gets("help", CLEO)
    assert len(school.texted(CLEO)) == 1
    assert all(words in school.texted(CLEO)[0] for words in ("Oak School", "020 7946 0123", "STOP"))
    school.pass_time(hours=25)
    await school.gets("Info", CLEO)
    assert len(school.texted(CLEO)) == 2
    await school.gets("STOP", DARIA)
    await school.gets("POMOC", DARIA)
    assert len(school.texted(DARIA)) == 1


async def test_two_machines_do_not_talk_for_ever(school: School) -> None:
    """Three answers to one number in a day are the end of it."""
    for word in ("STOP", "START") * 4:
        await school.gets(word, CLEO)
    assert len(school.texted(CLEO)) == 3


@pytest.mark.parametrize("sender", ["60777", "OakSchool", "+442079460123", "+1", ""])
async def test_only_telephones_are_answered(obeyed_school: School, sender: str) -> None:
    """No short code, no name in letters, no landline."""
    await obeyed_school.gets("HELP!", sender)
    assert obeyed_school.twilio.posts == []


async def test_a_confirmation_that_fails_is_forgotten(school: School) -> None:
    """What was asked for is done, whatever becomes of it."""
    school.twilio.next_requests(refuses(400, 21610))
    await school.gets("STOP", CLEO)
    assert await school.marks() == {CLEO: "carrier_blocked"}
    await school.gets("STOP", CLEO)
    assert len(school.texted(CLEO)) == 1


@pytest.mark.parametrize(
    ("word", "category"),
    [("STOP NEWS", "newsletter"), ("stop donations", "fundraising"), ("Praise stop", "celebration")],
)
async def test_one_kind_of_news_can_be_refused(school: School, word: str, category: str) -> None:
    """By whoever has the number alone (R21); texts of other kinds go on."""
    await school.gets(word, CLEO)
    [wish] = await school.rows(wishes)
    assert (wish.contact, wish.category, wish.opted_out, wish.origin) == ("cleo", category, True, "text")
    assert await school.marks() == {}
    [confirmation] = school.texted(CLEO)
    assert confirmation.startswith("Oak School: You will receive no more messages of this kind.")
    assert await school.send("celebration", "cleo") == [] if category == "celebration" else True
    assert len(await school.send("routine", "cleo")) == 1


async def test_who_shares_a_number_refuses_nothing_for_the_other(school: School) -> None:
    """The office finds out who it was."""
    await school.gets("STOP NEWS", APART)
    await school.gets("STOP NEWS", TOGETHER)
    assert await school.rows(wishes) == []
    assert [(row.body, row.contact) for row in await school.rows(replies)] == [("STOP NEWS", None)] * 2
    assert len(await school.rows(tasks, done_at=None, owner="office")) == 2
    assert school.twilio.posts == []


async def test_a_reply_belongs_to_the_message_that_was_texted_last(school: School) -> None:
    """To that number, within 14 days; a stop among other words is no STOP."""
    [first] = await school.send("routine", "cleo")
    school.pass_time(minutes=1)
    await school.send("routine", "daria")
    await school.gets("please stop by the office", CLEO, sid="SM1")
    school.pass_time(days=1)
    [second] = await school.send("routine", "cleo")
    await school.gets("YES", CLEO, sid="SM2")
    school.pass_time(days=14, minutes=1)
    await school.gets("And now?", CLEO, sid="SM3")
    found = {row.body: (row.delivery, row.contact) for row in await school.rows(replies)}
    assert found == {
        "please stop by the office": (first, "cleo"),
        "YES": (second, "cleo"),
        "And now?": (None, None),
    }
    assert await school.marks() == {}


async def test_a_reply_to_the_alerts_number_answers_the_alert(school: School) -> None:
    """Each of the two numbers has its own conversation."""
    [alert] = await school.send("emergency", "cleo")
    school.pass_time(minutes=1)
    [usual] = await school.send("routine", "cleo")
    await school.gets("On my way", CLEO, To=EMERGENCY_NUMBER)
    await school.gets("Thanks", CLEO, To=FROM_NUMBER)
    found = {row.body: row.delivery for row in await school.rows(replies)}
    assert found == {"On my way": alert, "Thanks": usual}


async def test_words_from_a_shared_number_are_nobodys(school: School) -> None:
    """Of two who live apart nobody's words pass for the other's (R29, R40); a couple's belong to their message."""
    await school.send("emergency", "emil", "fay")
    await school.send("emergency", "gus")
    await school.gets("I cannot come", APART, To=EMERGENCY_NUMBER)
    await school.gets("We come", TOGETHER, To=EMERGENCY_NUMBER)
    found = {row.body: (row.contact, row.delivery is not None) for row in await school.rows(replies)}
    assert found == {"I cannot come": (None, False), "We come": ("gus", True)}


async def test_a_number_that_changed_hands_answers_nobody_elses_message(school: School) -> None:
    """Cleo was texted; by now the number is Daria's."""
    await school.send("routine", "cleo")
    moved = [
        point | {"address": {"cleo-sms": "+447700900199", "daria-sms": CLEO}.get(point["id"], point["address"])}
        for point in DIRECTORY["contact_points"]
    ]
    put = await school.office.call(
        "PUT", "/v1/directory?force=true", DIRECTORY | {"contact_points": moved}, key="directory"
    )
    assert put.status == 200
    await school.gets("Who is this?", CLEO)
    assert [(row.contact, row.delivery) for row in await school.rows(replies)] == [(None, None)]


@pytest.mark.parametrize(
    ("body", "sender", "child", "acknowledged"),
    [
        ("ok", CLEO, "cleo", True),
        ("Yes!", CLEO, "cleo", True),
        ("1", CLEO, "cleo", True),
        ("yes but who fetches Ben", CLEO, "cleo", False),
        ("ok", APART, "emil", False),
        ("ok", TOGETHER, "gus", False),
    ],
)
async def test_an_alert_can_be_acknowledged_by_text(
    school: School, body: str, sender: str, child: str, *, acknowledged: bool
) -> None:
    """In one word, from a number that is one person's alone."""
    await school.send("emergency", child)
    await school.gets(body, sender, To=EMERGENCY_NUMBER)
    [message] = await school.rows(messages, contact=child)
    assert (message.acknowledged_at is not None) is acknowledged
    assert len(await school.rows(replies)) == 1


async def test_a_yes_that_twilio_takes_for_start_is_an_answer_all_the_same(school: School) -> None:
    """Advanced Opt-Out knows YES as START: it lifts a STOP, and it is what somebody has answered."""
    await school.gets("STOP", CLEO, OptOutType="STOP")
    await school.gets("Yes", CLEO, OptOutType="START")
    assert await school.marks() == {}
    await school.send("emergency", "cleo")
    await school.gets("Yes", CLEO, OptOutType="START", To=EMERGENCY_NUMBER)
    [message] = await school.rows(messages, contact="cleo")
    assert message.acknowledged_at is not None
    assert [row.body for row in await school.rows(replies)] == ["Yes", "Yes"]


async def test_an_ordinary_message_is_not_acknowledged(school: School) -> None:
    """A YES to it is a reply and nothing more."""
    await school.send("routine", "cleo")
    await school.gets("YES", CLEO)
    [message] = await school.rows(messages, contact="cleo")
    assert message.acknowledged_at is None


@pytest.mark.parametrize("body", ["STOP", "Hello", "STOP NEWS"])
async def test_a_stranger_is_heard_and_no_more(school: School, body: str) -> None:
    """What comes from a number that nobody knows goes to the office."""
    await school.gets(body, STRANGER)
    assert [(row.body, row.writer, row.contact) for row in await school.rows(replies)] == [(body, STRANGER, None)]
    assert (await school.marks(), school.twilio.posts) == ({}, [])


async def test_stop_holds_in_every_school_that_knows_the_number(school: School) -> None:
    """And what is written to neither of them in particular is kept by one that knows it, not by another."""
    elm = DIRECTORY | {"school": {"id": "elm", "name": "Elm School"}}
    await school.office.make_key("elm", Scope.DIRECTORY, school="elm")
    put = await school.office.call("PUT", "/v1/directory", elm, key="elm")
    assert put.status == 200, put.text
    await school.gets("STOP", CLEO)
    await school.gets("Hello", APART)
    blocked = {row.school for row in await school.rows(point_marks, address_key=CLEO)}
    assert blocked == {"oak", "elm"}
    assert len(school.texted(CLEO)) == 1
    assert [row.school for row in await school.rows(replies)] == ["elm"]


async def test_a_forged_text_changes_nothing(school: School) -> None:
    """Neither a mark nor a wish nor a reply without Twilio's signature."""
    good = school.twilio.inbound("SM1", "STOP", url=URL, sender=CLEO)
    other = signed_form({"MessageSid": "SM1"}, url=URL)
    for headers in ({}, dict(other.headers), {"x-twilio-signature": "forged"}):
        answer = await school.office.call("POST", PATH, data=good.body, key=None, headers=_form(headers))
        assert answer.status == 403
    assert (await school.marks(), await school.rows(replies), school.twilio.posts) == ({}, [], [])


async def test_an_answer_told_late_answers_what_had_been_sent_by_then(school: School) -> None:
    """A provider repeats an OK to the first alert after the second has left: the second is not acknowledged."""
    [first] = await school.send("emergency", "cleo")
    school.pass_time(minutes=2)
    written = MONDAY + dt.timedelta(minutes=2)
    school.pass_time(minutes=8)
    await school.send("emergency", "cleo")
    late = Inbound(
        provider="twilio",
        event_id="SM1:received",
        at=written,
        sender=CLEO,
        recipient=EMERGENCY_NUMBER,
        body="OK",
        urgent=True,
    )
    await school.office.gateway.services.text_answers.take([late])
    assert [row.delivery for row in await school.rows(replies)] == [first]
    confirmed = {row.notification: row.acknowledged_at for row in await school.rows(messages, contact="cleo")}
    [answered] = await school.rows(deliveries, id=first)
    assert [key for key, at in confirmed.items() if at is not None] == [answered.notification]


async def test_a_cry_for_help_in_an_alert_reaches_a_person(school: School) -> None:
    """HELP is a keyword of networks; to an alert it may mean what it says."""
    await school.send("emergency", "cleo")
    await school.gets("Help!", CLEO, To=EMERGENCY_NUMBER)
    assert [(row.body, row.contact) for row in await school.rows(replies)] == [("Help!", "cleo")]
    assert len(await school.rows(tasks, kind="answer_reply", done_at=None, owner="safeguarding")) == 1


async def test_who_is_barred_is_not_told_which_school_knows_the_number(school: School) -> None:
    """What they ask for is done, in silence: the school's name would tell where the child is."""
    barred = DIRECTORY | {
        "restrictions": [
            {
                "id": "X1",
                "student": "cleo",
                "contact": "cleo",
                "effect": "deny",
                "basis": "court_order",
                "status": "active",
            }
        ]
    }
    put = await school.office.call("PUT", "/v1/directory?force=true", barred, key="directory")
    assert put.status == 200, put.text
    await school.gets("HELP", CLEO)
    await school.gets("STOP", CLEO)
    assert await school.marks() == {CLEO: "carrier_blocked"}
    assert school.twilio.posts == []


@pytest.mark.parametrize("state", ["opted_out", "carrier_blocked"])
async def test_a_number_that_the_directory_knows_as_refused_is_not_texted(school: School, state: str) -> None:
    """Whoever told the office has told us."""
    refused = [point | ({"state": state} if point["id"] == "cleo-sms" else {}) for point in DIRECTORY["contact_points"]]
    put = await school.office.call(
        "PUT", "/v1/directory?force=true", DIRECTORY | {"contact_points": refused}, key="directory"
    )
    assert put.status == 200, put.text
    await school.gets("HELP", CLEO)
    assert school.twilio.posts == []


async def test_what_the_provider_took_for_stop_is_one_whatever_else_it_says(school: School) -> None:
    """Twilio has blocked the number: texts of other kinds would only be refused."""
    await school.gets("STOP NEWS", CLEO, OptOutType="STOP")
    assert await school.marks() == {CLEO: "carrier_blocked"}
    assert await school.rows(wishes) == []


async def test_a_start_from_between_two_stops_lifts_nothing(school: School) -> None:
    """Not even when the last STOP is still being put on record: the mark bears its instant."""
    await school.gets("STOP", CLEO)
    school.pass_time(minutes=5)
    await school.gets("STOP", CLEO)
    async with school.office.gateway.database.writing() as connection:
        assert await unblock_number(connection, ["oak"], CLEO, at=MONDAY + dt.timedelta(minutes=3)) == set()
    [mark] = await school.rows(point_marks, address_key=CLEO)
    assert mark.at == MONDAY + dt.timedelta(minutes=5)
    assert await school.events("texts_stopped") == ["cleo"]


async def test_what_comes_long_after_it_was_written_is_obeyed_in_silence(school: School) -> None:
    """A confirmation hours later confuses, and would not count among those of a day."""
    late = Inbound(
        provider="twilio",
        event_id="SM1:received",
        at=MONDAY - dt.timedelta(hours=3),
        sender=CLEO,
        recipient=FROM_NUMBER,
        body="STOP",
    )
    await school.office.gateway.services.text_answers.take([late])
    await school.office.gateway.services.text_answers.finish()
    assert await school.marks() == {CLEO: "carrier_blocked"}
    assert school.twilio.posts == []


async def test_a_text_to_no_message_goes_to_the_school_that_has_the_number_now(school: School) -> None:
    """Not to one that the family has left, whatever its name."""
    await school.office.make_key("elm", Scope.DIRECTORY, school="elm")
    elm = DIRECTORY | {"school": {"id": "elm", "name": "Elm School"}}
    assert (await school.office.call("PUT", "/v1/directory", elm, key="elm")).status == 200
    gone = elm | {
        name: [row for row in elm[name] if "cleo" not in {row.get("contact"), row.get("id")}]
        for name in ("students", "contacts", "contact_points", "relationships")
    }
    assert (await school.office.call("PUT", "/v1/directory?force=true", gone, key="elm")).status == 200
    await school.gets("Hello", CLEO)
    await school.gets("HELP", CLEO)
    assert [row.school for row in await school.rows(replies)] == ["oak"]
    assert ["Oak School" in text for text in school.texted(CLEO)] == [True]


async def test_the_first_alert_is_not_taken_for_the_second_with_the_same_words(school: School) -> None:
    """The second got no answer and Twilio has it not: it is sent once more, and the first stays what it was."""
    [first] = await school.send("emergency", "cleo")
    school.pass_time(minutes=30)
    school.twilio.next_requests(cuts(school.twilio, stored=False))
    answer = await school.office.post(
        "/v1/notifications", NOTICE | {"category": "emergency", "audience": {"students": ["cleo"]}}
    )
    await school.office.deliver(answer.json["id"])
    [row] = await school.rows(deliveries, notification=answer.json["id"], channel="sms")
    assert row.state == "unknown"
    for _ in range(3):
        school.pass_time(minutes=2)
        await school.office.deliver(answer.json["id"])
    [row] = await school.rows(deliveries, notification=answer.json["id"], channel="sms")
    [earlier] = await school.rows(deliveries, id=first)
    assert row.state == "sent"
    assert row.provider_id != earlier.provider_id
    assert len(school.twilio.messages) == 2
