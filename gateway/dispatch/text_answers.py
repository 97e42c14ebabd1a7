"""Texts that people send: STOP, START and HELP are obeyed, wishes about kinds of news kept, all else handed to staff.

Whose a number is decides what may be concluded from a text: nothing is laid into the mouth of one of two people who
share it and live apart (R21, R29, R33, R40). A sender can be forged: a text does nothing that could not be undone.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Inbound, Receipt, ReceiptStatus
from gateway.directory.model import Category
from gateway.dispatch.inbox import Inbox
from gateway.dispatch.receipts import ReceiptDesk
from gateway.dispatch.requests import Lane
from gateway.dispatch.text_back import GOOD_FOR, Confirmation, TextBack
from gateway.dispatch.text_writers import Writer, find_writer, is_one_voice, may_be_barred
from gateway.rules.keywords import Asked, Wish, asked_by, confirms
from gateway.rules.policy import Policy
from gateway.store.database import Database
from gateway.store.policies import load_policy
from gateway.store.roster import raise_version
from gateway.store.text_answers import (
    answered_since,
    block_number,
    enter_people,
    enter_wish,
    is_blocked,
    knows_wish,
    overtaken,
    unblock_number,
)
from gateway.store.wishes import opt_out

MOST_ANSWERS = 3
"""Texts back to one number in a day: two machines that answer each other come to an end."""

_DAY = dt.timedelta(days=1)
_ORIGIN = "text"


class TextAnswers:
    """Takes in the texts that providers bring."""

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        receipts: ReceiptDesk,
        text_back: TextBack,
        *,
        now: Callable[[], dt.datetime],
        policy: Policy,
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._receipts = receipts
        self._text_back = text_back
        self._now = now
        self._policy = policy

    async def take(self, news: Sequence[Inbound]) -> None:
        """Obey or keep every text. Durable when it returns; a text that is told again changes nothing."""
        for inbound in sorted(news, key=lambda each: each.at):
            asked = _asked(inbound)
            if asked is None or not await self._obeyed(inbound, asked) or _may_be_an_answer(inbound, asked):
                await self._keep(inbound)

    async def finish(self) -> None:
        """Wait for confirmations that are being sent."""
        await self._text_back.finish()

    async def _obeyed(self, inbound: Inbound, asked: Asked) -> bool:
        """Do what was asked for with one word; False when a person has to see to it."""
        confirmation = None
        async with self._database.writing() as connection:
            writer = await find_writer(connection, inbound, now=self._now())
            schools = await self._concerned(connection, asked, writer)
            whole = schools == writer.schools and (bool(schools) or asked.wish is Wish.HELP)
            # To an alert it may mean what it says.
            whole = whole and not (asked.wish is Wish.HELP and _answers_alert(writer))
            if (schools or asked.wish is Wish.HELP) and not await knows_wish(connection, inbound):
                changed = await self._do(connection, inbound, asked, writer, schools)
                confirmation = await self._confirmation(connection, inbound, asked, writer) if changed else None
                # With nothing to lift, START is an ordinary word: a child has recovered, a course begins.
                whole = whole and (changed or asked.wish is not Wish.START)
                answered = confirmation is not None
                if not await enter_wish(connection, inbound, asked.wish, asked.category, answered=answered):
                    confirmation = None  # another process was quicker
        if confirmation is not None:
            self._text_back.say(inbound, confirmation)
        return whole

    async def _concerned(self, connection: AsyncConnection, asked: Asked, writer: Writer) -> list[str]:
        """Name the schools at which it can be done.

        All that know the number; for one kind of news those at which one person alone has it and may refuse that kind.
        """
        if asked.category is None:
            return writer.schools
        return [
            school
            for school in writer.schools
            if len(writer.people(school)) == 1 and await self._may_refuse(connection, school, asked.category)
        ]

    async def _may_refuse(self, connection: AsyncConnection, school: str, category: Category) -> bool:
        row = (await load_policy(connection, school, self._policy)).categories[category]
        return row.may_opt_out or row.must_opt_in

    async def _do(
        self, connection: AsyncConnection, inbound: Inbound, asked: Asked, writer: Writer, schools: Sequence[str]
    ) -> bool:
        """Do it; says whether there was anything to do."""
        if asked.category is not None:
            return await self._opt_out(connection, asked.category, writer, schools)
        if asked.wish is Wish.HELP:
            return True
        if await overtaken(connection, writer.number, inbound.at):
            return False
        return await self._block(connection, inbound, writer, schools, stop=asked.wish is Wish.STOP)

    async def _opt_out(
        self, connection: AsyncConnection, category: Category, writer: Writer, schools: Sequence[str]
    ) -> bool:
        """Record the wish of whoever has the number alone (R21)."""
        new = [
            await opt_out(connection, school, writer.people(school), category, origin=_ORIGIN, at=self._now())
            for school in schools
        ]
        return any(new)

    async def _block(
        self, connection: AsyncConnection, inbound: Inbound, writer: Writer, schools: Sequence[str], *, stop: bool
    ) -> bool:
        """Let nobody be texted at the number any more, or again (R33): what is on its way is decided again (R44)."""
        change = block_number if stop else unblock_number
        changed = sorted(await change(connection, schools, writer.number, at=inbound.at))
        people = [(school, person) for school in changed for person in writer.people(school)]
        await enter_people(connection, people, "texts_stopped" if stop else "texts_wanted_again", at=inbound.at)
        for school in changed:
            await raise_version(connection, school, at=self._now())
        return bool(changed)

    async def _confirmation(
        self, connection: AsyncConnection, inbound: Inbound, asked: Asked, writer: Writer
    ) -> Confirmation | None:
        """Say what is texted back: once to STOP, else nothing to a blocked number, and not much in a day.

        Nothing to who may be barred: the school's name alone would tell them where a child is.
        """
        now = self._now()
        if inbound.handled or writer.school is None or not self._text_back.may_text(writer.number):
            return None
        if now - inbound.at > GOOD_FOR or await may_be_barred(connection, writer, now=now, policy=self._policy):
            return None
        lately = await answered_since(connection, writer.number, now - _DAY)
        if len(lately) >= MOST_ANSWERS or (asked.wish is Wish.HELP and Wish.HELP in lately):
            return None
        stopping = asked.wish is Wish.STOP and asked.category is None
        if not stopping and await is_blocked(connection, writer.number):
            return None
        return Confirmation(
            wish=asked.wish,
            one_kind=asked.category is not None,
            school=writer.school,
            language=writer.language(asked.language),
        )

    async def _keep(self, inbound: Inbound) -> None:
        """Hand a text to the school's staff, with the message it answers if that tells whose words it is."""
        now = self._now()
        async with self._database.reading() as connection:
            writer = await find_writer(connection, inbound, now=now)
            answered = writer.answered
            if answered is not None and not await is_one_voice(connection, writer, now=now, policy=self._policy):
                answered = None
        delivery = None if answered is None else answered.id
        school = None if writer.school is None else writer.school.id
        await self._inbox.take([replace(inbound, delivery=delivery)], school=school)
        alone = answered is not None and writer.people(answered.school) == [answered.contact]
        if alone and answered.lane == Lane.EMERGENCY and confirms(inbound.body):
            await self._receipts.take([_acknowledgement(inbound, answered.id)])


def _asked(inbound: Inbound) -> Asked | None:
    """Read what is asked for: by words that the provider knows, else by ours."""
    ours = asked_by(inbound.body)
    if inbound.keyword in set(Wish) and (ours is None or ours.wish != inbound.keyword or ours.category is not None):
        return Asked(Wish(inbound.keyword), "en")
    return ours


def _may_be_an_answer(inbound: Inbound, asked: Asked) -> bool:
    """Tell whether a word may mean something else, too: providers take YES for START, readers for an answer."""
    return asked.wish is Wish.START and asked_by(inbound.body) is None


def _answers_alert(writer: Writer) -> bool:
    return writer.answered is not None and writer.answered.lane == Lane.EMERGENCY


def _acknowledgement(inbound: Inbound, delivery: str) -> Receipt:
    return Receipt(
        provider=inbound.provider,
        event_id=f"{inbound.event_id}:acknowledged",
        status=ReceiptStatus.ACKNOWLEDGED,
        at=inbound.at,
        delivery=delivery,
        explanation="Somebody answered the text and so confirmed it.",
    )
