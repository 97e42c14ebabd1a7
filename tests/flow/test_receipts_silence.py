"""Providers that say nothing are asked, less and less often; what they answer is news like any other."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text, update

from channels.base import Receipt, ReceiptStatus
from channels.outbox import OutboxTexts, never_fails
from gateway.dispatch.questions import Questions, next_question
from gateway.dispatch.requests import Lane
from gateway.dispatch.silence import Silence
from gateway.store.silence import plan_questions
from gateway.store.tables import deliveries, delivery_events
from gateway.store.tables import receipts as receipts_table
from tests.flow.families import MUM_NUMBER, parents
from tests.flow.installation import Installation
from tests.unit.rules.households import directory, mobile


@dataclass
class Carrier(OutboxTexts):
    """A provider that takes texts like the outbox and can be asked about them."""

    gateway: Installation
    answer: ReceiptStatus | Exception | None = None
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Write where the outbox does."""
        OutboxTexts.__init__(self, self.gateway.outbox.folder, now=self.gateway.time, failures=never_fails)

    async def news_of(self, provider_ids: Sequence[str]) -> Sequence[Receipt]:
        """Answer for every text alike."""
        self.asked += provider_ids
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            return ()
        return [
            Receipt(
                provider="outbox",
                event_id=f"{name}:{self.answer}",
                status=self.answer,
                at=self.gateway.time(),
                provider_id=name,
            )
            for name in provider_ids
        ]


async def texted(gateway: Installation) -> tuple[Any, dt.datetime]:
    """Text a parent through a provider that can be asked; gives the delivery and when it was sent."""
    await gateway.put(directory(relationships=parents("mum"), contact_points=[mobile("mum", MUM_NUMBER)]))
    await gateway.post("attendance")
    await gateway.at_rest()
    (row,) = await gateway.deliveries()
    assert (row.state, row.provider) == ("sent", "outbox")
    async with gateway.front.database.writing() as connection:
        first = Questions(["outbox"]).first(row.lane, row.provider, now=row.changed_at)
        await plan_questions(connection, [(row.id, first)])
    return row, row.changed_at


def silence(gateway: Installation, carrier: Carrier) -> tuple[Silence, Callable[..., Any]]:
    """Give the sweep, and a way to let it make a round so many minutes after the text was sent."""
    services = gateway.front.services
    sweep = Silence(services.database, services.receipts, {"outbox": carrier}, now=gateway.time)

    async def round_at(instant: dt.datetime) -> None:
        gateway.time.now = instant
        await sweep.round()
        await sweep.answered()

    return sweep, round_at


async def test_a_silent_provider_is_asked_by_a_schedule(gateway: Installation) -> None:
    """After ten minutes, an hour, six hours and a day; then it stays `sent`, and its timeline says so."""
    row, sent_at = await texted(gateway)
    carrier = Carrier(gateway)
    _, round_at = silence(gateway, carrier)
    asked = []
    for minute in range(0, 3_000, 5):
        before = len(carrier.asked)
        await round_at(sent_at + dt.timedelta(minutes=minute))
        if len(carrier.asked) > before:
            asked.append(minute)
    assert asked == [10, 60, 360, 1_440]
    assert set(carrier.asked) == {row.provider_id}
    assert await gateway.states() == {"mum-m": "sent"}
    assert [event.news for event in await gateway.rows(delivery_events)] == ["silent"]


async def test_a_round_that_the_database_failed_harms_neither_the_next_nor_the_end(gateway: Installation) -> None:
    """Whoever ends the process has more to put away than what was asked."""
    _, sent_at = await texted(gateway)
    carrier = Carrier(gateway)
    sweep, round_at = silence(gateway, carrier)
    there, away = (text(f"ALTER TABLE deliveries RENAME COLUMN {pair}") for pair in ("away TO lane", "lane TO away"))
    async with gateway.front.database.writing() as connection:
        await connection.execute(away)
    await round_at(sent_at + dt.timedelta(minutes=10))
    await sweep.stop()
    async with gateway.front.database.writing() as connection:
        await connection.execute(there)
    await round_at(sent_at + dt.timedelta(minutes=11))
    assert len(carrier.asked) == 1


@pytest.mark.parametrize(
    ("answer", "state"),
    [(ReceiptStatus.DELIVERED, "delivered"), (ReceiptStatus.FAILED, "failed"), (ReceiptStatus.SENT, "sent")],
)
async def test_what_it_answers_is_news(gateway: Installation, answer: ReceiptStatus, state: str) -> None:
    """The state follows, and who has said something final is not asked again."""
    _, sent_at = await texted(gateway)
    carrier = Carrier(gateway, answer)
    _, round_at = silence(gateway, carrier)
    await round_at(sent_at + dt.timedelta(minutes=10))
    assert await gateway.states() == {"mum-m": state}
    await round_at(sent_at + dt.timedelta(minutes=61))
    assert len(carrier.asked) == (2 if state == "sent" else 1)
    assert len(await gateway.rows(receipts_table)) == 1


async def test_a_provider_that_cannot_be_asked_is_asked_again_soon(gateway: Installation) -> None:
    """Its failure harms nobody; when it is back it tells."""
    row, sent_at = await texted(gateway)
    carrier = Carrier(gateway, OSError("away"))
    _, round_at = silence(gateway, carrier)
    for minute in (10, 11, 16):
        await round_at(sent_at + dt.timedelta(minutes=minute))
    assert len(carrier.asked) == 2
    carrier.answer = ReceiptStatus.DELIVERED
    await round_at(sent_at + dt.timedelta(minutes=22))
    assert await gateway.states() == {"mum-m": "delivered"}
    assert row.state == "sent"


async def test_a_provider_that_is_away_for_good_is_given_up(gateway: Installation) -> None:
    """A day after the last question nobody asks any more, and the timeline says so."""
    _, sent_at = await texted(gateway)
    carrier = Carrier(gateway, OSError("away"))
    _, round_at = silence(gateway, carrier)
    for hour in (1, 24, 48, 49, 60, 80):
        await round_at(sent_at + dt.timedelta(hours=hour))
    assert len(carrier.asked) == 3
    assert [event.news for event in await gateway.rows(delivery_events)] == ["silent"]


async def test_two_clocks_do_not_ask_twice(gateway: Installation) -> None:
    """Whoever asks has taken the questions for a while."""
    _, sent_at = await texted(gateway)
    carrier = Carrier(gateway)
    sweeps = [silence(gateway, carrier)[0] for _ in range(3)]
    gateway.time.now = sent_at + dt.timedelta(minutes=10)
    for sweep in sweeps:
        await sweep.round()
    for sweep in sweeps:
        await sweep.answered()
    assert len(carrier.asked) == 1


async def test_what_is_settled_is_not_asked_about(gateway: Installation) -> None:
    """Only what was sent and is silent costs a question."""
    row, sent_at = await texted(gateway)
    carrier = Carrier(gateway)
    sweep, round_at = silence(gateway, carrier)
    async with gateway.front.database.writing() as connection:
        await connection.execute(update(deliveries).where(deliveries.c.id == row.id).values(state="delivered"))
    await round_at(sent_at + dt.timedelta(days=3))
    assert carrier.asked == []
    await sweep.stop()


async def test_the_recorder_plans_the_first_question(gateway: Installation) -> None:
    """Only providers that can be asked are asked: nothing in these tests' outbox can."""
    await gateway.put(directory(relationships=parents("mum")))
    await gateway.post("report")
    await gateway.at_rest()
    assert [row.ask_at for row in await gateway.deliveries()] == [None]
    gateway.back.sender._recorder._questions = Questions(["outbox"])  # as the assembly does for such providers
    await gateway.post("report")
    await gateway.at_rest()
    asked_at = [row.ask_at for row in await gateway.deliveries()]
    assert sorted(asked_at, key=str) == [gateway.time() + dt.timedelta(minutes=10), None]


@pytest.mark.parametrize(
    ("lane", "minutes"), [(Lane.EMERGENCY, [2, 10, 60]), (Lane.BULK, [10, 60, 360, 1_440]), (Lane.WEBHOOKS, [])]
)
def test_questions_about_alerts_come_sooner(lane: Lane, minutes: list[int]) -> None:
    """Who was not reached by an alert must be known while somebody can go there."""
    start = now = dt.datetime(2026, 6, 15, tzinfo=dt.UTC)
    asked = []
    while (following := next_question(lane.value, start, now=now)) is not None:
        now = following
        asked.append((now - start) / dt.timedelta(minutes=1))
    assert asked == minutes
