"""What a restriction does to mail: at once, to what is queued, and only with two people the other way."""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Row, select, update

from gateway.access import Scope
from gateway.directory.model import Basis, Category, Effect, Restriction, RestrictionStatus
from gateway.dispatch.restriction_changes import weakens
from gateway.dispatch.restriction_tasks import after_weekdays
from gateway.rules.policy import Policy
from gateway.store.claims import claim_batch
from gateway.store.tables import decisions, deliveries, delivery_events, restrictions, tasks
from gateway.store.wishes import opt_out
from tests.api.office import Office, opened

PARENT = {"natural_parent": True, "parental_responsibility": "yes"}
SCHOOL: dict[str, Any] = {
    "school": {"id": "oak", "name": "Oak School"},
    "students": [
        {"id": "ana", "given_name": "Ana", "family_name": "Duarte", "birth_date": "2016-03-01"},
        {"id": "ben", "given_name": "Ben", "family_name": "Reed", "birth_date": "2017-04-01"},
    ],
    "contacts": [
        {"id": "father", "given_name": "Rui", "family_name": "Duarte"},
        {"id": "mother", "given_name": "Eva", "family_name": "Duarte"},
        {"id": "joan", "given_name": "Joan", "family_name": "Reed"},
        {"id": "paul", "given_name": "Paul", "family_name": "Reed"},
    ],
    "contact_points": [
        {"id": "father-e", "contact": "father", "channel": "email", "address": "rui@example.org"},
        {"id": "mother-e", "contact": "mother", "channel": "email", "address": "eva@example.org"},
        {"id": "joan-e", "contact": "joan", "channel": "email", "address": "reeds@example.org"},
        {"id": "paul-e", "contact": "paul", "channel": "email", "address": "reeds@example.org"},
        {
            "id": "paul-l",
            "contact": "paul",
            "channel": "letter",
            "address": {"lines": ["4 Larch Close"], "postcode": "ZZ9 9ZZ"},
        },
    ],
    "households": [{"id": "reeds", "members": ["joan", "paul"]}],
    "relationships": [
        {"student": "ana", "contact": "father", "relation": "father", **PARENT},
        {"student": "ana", "contact": "mother", "relation": "mother", "lives_with": True, **PARENT},
        {"student": "ben", "contact": "joan", "relation": "mother", "lives_with": True, **PARENT},
        {"student": "ben", "contact": "paul", "relation": "father", "lives_with": True, **PARENT},
    ],
}  # fmt: skip

ORDER = {
    "student": "ana",
    "contact": "father",
    "effect": "deny",
    "basis": "court_order",
    "evidence": "Safe 2, page 3",
}

TEN_AT_NIGHT = dt.datetime(2026, 6, 15, 21, 30, tzinfo=dt.UTC)  # 22:30 in London, within quiet hours


@dataclass(kw_only=True)
class School:
    """The school's office and gateway, as these tests use them."""

    office: Office

    async def post(self, category: str, student: str = "ana") -> str:
        """Post a notification and plan it; gives its id."""
        wanted = {
            "category": category,
            "purpose": "information",
            "audience": {"students": [student]},
            "content": {"language": "en", "subject": "Summer", "body": "Dear ((contact_name)),\n\nsummer is near."},
        }
        posted = await self.office.post("/v1/notifications", wanted)
        assert posted.status == 202, posted.text
        await self.office.gateway.planner.plan(posted.json["id"])
        return str(posted.json["id"])

    async def begin(self, **change: Any) -> str:
        """Hand in an order; gives the restriction's id."""
        begun = await self.office.post("/v1/restrictions", ORDER | change, key="lead")
        assert begun.status == 201, begun.text
        return str(begun.json["id"])

    async def act(self, restriction: str, verb: str, body: Any = None, *, key: str = "lead") -> int:
        """Take a step on a restriction; gives the status of the answer."""
        return (await self.office.call("POST", f"/v1/restrictions/{restriction}/{verb}", body, key=key)).status

    async def bar(self, **change: Any) -> str:
        """Put an order into force; gives the restriction's id."""
        restriction = await self.begin(**change)
        assert await self.act(restriction, "approve", key="head") == 200
        return restriction

    async def rows(self, table: Any, *conditions: Any) -> list[Row[Any]]:
        """Read a table."""
        async with self.office.gateway.database.reading() as connection:
            return list(await connection.execute(select(table).where(*conditions).order_by(*table.primary_key)))

    async def decided(self, notification: str) -> dict[str, tuple[str, str]]:
        """Say what was decided about each contact: outcome and rule."""
        rows = await self.rows(decisions, decisions.c.notification == notification)
        return {row.contact: (row.outcome, row.rule) for row in rows}

    async def states(self, notification: str) -> dict[str, list[str]]:
        """Say where each contact's deliveries stand."""
        found: dict[str, list[str]] = {}
        for row in await self.rows(deliveries, deliveries.c.notification == notification):
            found.setdefault(row.contact, []).append(row.state)
        return {contact: sorted(states) for contact, states in found.items()}

    async def deliver(self, notification: str) -> None:
        """Send what is due."""
        for batch in {row.batch for row in await self.rows(deliveries, deliveries.c.notification == notification)}:
            await self.office.gateway.sender.send(batch)

    async def tick(self, **later: float) -> None:
        """Let time pass and the clock make one round."""
        self.office.clock.now += dt.timedelta(**later)
        await self.office.gateway.clock.round()

    async def open_tasks(self, *kinds: str) -> list[tuple[str, str]]:
        """List what is to do: kind and owner, in order of kind."""
        conditions = [tasks.c.done_at.is_(None)] + ([tasks.c.kind.in_(kinds)] if kinds else [])
        return sorted((row.kind, row.owner) for row in await self.rows(tasks, *conditions))


@pytest_asyncio.fixture
async def school(database_url: str, tmp_path: Path) -> AsyncIterator[School]:
    """Run the school, with a safeguarding lead and a head who keep the register."""
    async with opened(database_url, tmp_path, directory=SCHOOL) as office:
        await office.make_key("lead", Scope.ADMIN)
        await office.make_key("head", Scope.ADMIN)
        await office.gateway.open_providers()
        yield School(office=office)


async def test_an_order_handed_in_at_nine_bars_the_report_of_ten(school: School) -> None:
    """R06a: the draft alone withholds what is personal; the mother's report goes out."""
    await school.begin()
    school.office.clock.now += dt.timedelta(hours=1)
    report = await school.post("report")
    assert await school.decided(report) == {"father": ("exclude", "R06a"), "mother": ("send", "R07")}
    await school.deliver(report)
    assert await school.states(report) == {"mother": ["sent"]}


async def test_a_draft_holds_general_news_as_somebodys_task(school: School) -> None:
    """R06a and R45: a newsletter is held, not dropped, and the lead is asked."""
    await school.begin()
    newsletter = await school.post("newsletter")
    assert (await school.decided(newsletter))["father"] == ("hold", "R06a")
    assert await school.open_tasks("decide_hold") == [("decide_hold", "safeguarding")]


async def test_an_order_stops_the_newsletter_that_waits_for_the_morning(school: School) -> None:
    """R44: what quiet hours keep back is withdrawn in the clock's next round; the mother's still waits."""
    school.office.clock.now = TEN_AT_NIGHT
    newsletter = await school.post("newsletter")
    assert await school.states(newsletter) == {"father": ["queued"], "mother": ["queued"]}
    await school.bar()
    await school.tick(seconds=1)
    assert await school.states(newsletter) == {"father": ["suppressed"], "mother": ["queued"]}
    assert (await school.decided(newsletter))["father"] == ("exclude", "R01")
    (event,) = await school.rows(delivery_events)
    assert (event.state, event.news) == ("suppressed", "suppressed")
    assert event.detail.startswith("R01: ")
    await school.tick(hours=10)
    await school.deliver(newsletter)
    assert await school.states(newsletter) == {"father": ["suppressed"], "mother": ["sent"]}


async def test_a_draft_stops_what_is_queued_and_asks_somebody(school: School) -> None:
    """R45: general news withdrawn for a draft becomes a task; nothing is held in silence."""
    school.office.clock.now = TEN_AT_NIGHT
    newsletter = await school.post("newsletter")
    await school.begin()
    await school.tick(seconds=1)
    assert await school.states(newsletter) == {"father": ["suppressed"], "mother": ["queued"]}
    assert (await school.decided(newsletter))["father"] == ("hold", "R06a")
    assert await school.open_tasks("decide_hold") == [("decide_hold", "safeguarding")]


async def test_rounds_after_the_first_change_nothing(school: School) -> None:
    """What was found right is not asked about again until the directory changes."""
    school.office.clock.now = TEN_AT_NIGHT
    newsletter = await school.post("newsletter")
    await school.bar()
    await school.tick(seconds=1)
    before = await school.rows(deliveries, deliveries.c.notification == newsletter)
    await school.tick(seconds=1)
    assert await school.rows(deliveries, deliveries.c.notification == newsletter) == before
    assert len(await school.rows(delivery_events)) == 1


async def test_what_a_worker_has_claimed_is_the_workers(school: School) -> None:
    """The clock takes nothing out of a worker's hands; the worker's own check stops it."""
    newsletter = await school.post("newsletter")
    batches = {row.batch for row in await school.rows(deliveries, deliveries.c.notification == newsletter)}
    now = school.office.clock.now
    async with school.office.gateway.database.writing() as connection:
        for batch in batches:
            await claim_batch(
                connection, batch, provider="outbox", owner="w", now=now, until=now + dt.timedelta(minutes=1), limit=10
            )
    await school.bar()
    await school.tick(seconds=30)
    assert await school.states(newsletter) == {"father": ["sending"], "mother": ["sending"]}


async def test_a_backlog_is_decided_again_too(school: School) -> None:
    """What is due but was not taken for a while is withdrawn before any worker comes to it."""
    newsletter = await school.post("newsletter")
    await school.bar()
    await school.tick(seconds=30)
    assert await school.states(newsletter) == {"father": ["suppressed"], "mother": ["queued"]}


async def test_who_travels_along_goes_on_alone(school: School) -> None:
    """Joan wants no newsletter any more; Paul's, which hers would have carried, still comes, and not at night."""
    school.office.clock.now = TEN_AT_NIGHT
    newsletter = await school.post("newsletter", "ben")
    joined = {row.contact: row for row in await school.rows(deliveries, deliveries.c.notification == newsletter)}
    assert joined["paul"].merged_into == joined["joan"].id
    async with school.office.gateway.database.writing() as connection:
        await opt_out(connection, "oak", ["joan"], Category.NEWSLETTER, origin="test", at=school.office.clock.now)
    await school.tick(seconds=1)
    assert await school.states(newsletter) == {"joan": ["suppressed"], "paul": ["queued"]}
    parted = {row.contact: row for row in await school.rows(deliveries, deliveries.c.notification == newsletter)}
    assert parted["paul"].merged_into is None
    assert parted["paul"].due_at == joined["paul"].due_at > school.office.clock.now
    await school.tick(hours=10)
    await school.deliver(newsletter)
    assert await school.states(newsletter) == {"joan": ["suppressed"], "paul": ["sent"]}


async def test_who_shares_a_mailbox_with_a_barred_parent_gets_a_letter(school: School) -> None:
    """R30: Joan may not read it, so Paul's mail to their common mailbox becomes a letter."""
    school.office.clock.now = TEN_AT_NIGHT
    newsletter = await school.post("newsletter", "ben")
    await school.bar(student="ben", contact="joan")
    await school.tick(seconds=1)
    assert await school.states(newsletter) == {"joan": ["suppressed"], "paul": ["queued", "suppressed"]}
    (letter,) = await school.rows(deliveries, deliveries.c.contact == "paul", deliveries.c.state == "queued")
    assert letter.point == "paul-l"


async def test_what_cannot_be_decided_waits_and_keeps_nobody_else_waiting(school: School) -> None:
    """An unreadable restriction stops its own notification only: it stays queued, the other is withdrawn (R46)."""
    school.office.clock.now = TEN_AT_NIGHT
    reeds = await school.post("newsletter", "ben")
    duartes = await school.post("newsletter", "ana")
    unreadable = await school.bar(student="ben", contact="joan")
    await school.bar()
    async with school.office.gateway.database.writing() as connection:
        await connection.execute(update(restrictions).where(restrictions.c.id == unreadable).values(document="{"))
    await school.office.gateway.clock._sweeps[0]()
    assert await school.states(reeds) == {"joan": ["queued"], "paul": ["queued"]}
    assert await school.states(duartes) == {"father": ["suppressed"], "mother": ["queued"]}


async def test_a_bar_is_lifted_by_the_second_person_only(school: School) -> None:
    """Asking lifts nothing, nor does one's own approval; the second person's does."""
    order = await school.bar()
    assert await school.act(order, "supersede") == 200
    assert (await school.decided(await school.post("newsletter")))["father"] == ("exclude", "R01")
    assert await school.act(order, "approve") == 409
    assert (await school.decided(await school.post("newsletter")))["father"] == ("exclude", "R01")
    assert await school.act(order, "approve", key="head") == 200
    assert (await school.decided(await school.post("newsletter")))["father"] == ("send", "R07")


async def test_an_order_to_send_acts_when_approved(school: School) -> None:
    """R06: one person alone makes nobody a recipient."""
    order = await school.begin(effect="must_send", categories=["report"])
    assert (await school.decided(await school.post("report")))["father"] == ("send", "R07")
    assert await school.act(order, "approve", key="head") == 200
    assert (await school.decided(await school.post("report")))["father"] == ("send", "R06")


async def test_objections_change_nobodys_mail(school: School) -> None:
    """R03: she telephones to cut him out; the same people get the same things, queued or new, as before."""
    school.office.clock.now = TEN_AT_NIGHT
    queued = await school.post("newsletter")
    categories = [category.value for category in Category if category.value not in {"safeguarding", "account", "reply"}]
    asked = [{"category": category, "students": ["ana"]} for category in categories]
    before = [(await school.office.post("/v1/audience", question)).json for question in asked]
    said = {"student": "ana", "contact": "father", "by": "mother", "note": "He is not to be told."}
    assert (await school.office.post("/v1/objections", said, key="lead")).status == 201
    await school.tick(seconds=30)
    assert [(await school.office.post("/v1/audience", question)).json for question in asked] == before
    assert await school.states(queued) == {"father": ["queued"], "mother": ["queued"]}
    assert await school.open_tasks() == [("look_into_objection", "safeguarding")]


async def test_a_draft_escalates_after_two_working_days_and_stays_in_force(school: School) -> None:
    """R06a: handed in on Friday at nine, it is the head's matter on Tuesday at nine, and bars all the time."""
    school.office.clock.now = dt.datetime(2026, 6, 12, 8, 0, tzinfo=dt.UTC)  # 09:00 in London
    order = await school.begin()
    await school.tick()
    assert await school.open_tasks() == [("decide_restriction", "safeguarding")]
    await school.tick(days=3, hours=23)
    assert await school.open_tasks() == [("decide_restriction", "safeguarding")]
    await school.tick(hours=1)
    await school.tick(minutes=5)
    both = [("decide_restriction", "safeguarding"), ("overdue_restriction", "head")]
    assert await school.open_tasks() == both
    assert (await school.decided(await school.post("report")))["father"] == ("exclude", "R06a")
    assert await school.act(order, "approve", key="head") == 200
    await school.tick(minutes=5)
    assert await school.open_tasks() == []


async def test_an_end_is_announced_lapses_and_goes_to_the_head(school: School) -> None:
    """R05: a task 30 days before, a hold from the day after, the head's task after five school days; then a review."""
    order = await school.bar(until="2026-08-14")  # a Friday
    await school.tick(days=29)  # 14 July
    assert await school.open_tasks() == []
    await school.tick(days=1)
    await school.tick(days=1)
    assert await school.open_tasks() == [("review_restriction", "safeguarding")]
    school.office.clock.now = dt.datetime(2026, 8, 14, 9, tzinfo=dt.UTC)
    assert (await school.decided(await school.post("report")))["father"] == ("exclude", "R01")
    school.office.clock.now = dt.datetime(2026, 8, 15, 9, tzinfo=dt.UTC)
    assert (await school.decided(await school.post("report")))["father"] == ("hold", "R05")
    register = ("review_restriction", "lapsed_restriction", "decide_restriction")
    school.office.clock.now = dt.datetime(2026, 8, 23, 22, tzinfo=dt.UTC)
    await school.tick()
    assert await school.open_tasks(*register) == [("review_restriction", "safeguarding")]
    await school.tick(hours=2)  # the 24th in London: Monday to Friday are over since it lapsed
    assert await school.open_tasks(*register) == [
        ("lapsed_restriction", "head"),
        ("review_restriction", "safeguarding"),
    ]
    assert await school.act(order, "review", {"until": "2027-08-14"}) == 200
    assert await school.act(order, "approve", key="head") == 200
    await school.tick(minutes=5)
    assert await school.open_tasks(*register) == []
    assert (await school.decided(await school.post("report")))["father"] == ("exclude", "R01")


async def test_a_draft_from_a_file_gets_its_task_and_its_time(school: School) -> None:
    """Nobody asked for it by name, so its two working days run from when the clock first saw it."""
    draft = {key: ORDER[key] for key in ("student", "contact", "effect", "basis")} | {"id": "order-7"}
    put = await school.office.call("PUT", "/v1/directory", SCHOOL | {"restrictions": [draft]}, key="directory")
    assert put.status == 200
    await school.tick()
    await school.tick()
    assert await school.open_tasks() == [("decide_restriction", "safeguarding")]
    history = (await school.office.call("GET", "/v1/restrictions/order-7")).json["history"]
    assert [(step["step"], step["by"]) for step in history] == [("imported", None)]


def bar_until(until: str | None, reviewed_on: str | None = None, basis: Basis = Basis.COURT_ORDER) -> Restriction:
    """Write a block in force."""
    return Restriction(
        id="r",
        student="ana",
        contact="father",
        effect=Effect.DENY,
        basis=basis,
        status=RestrictionStatus.ACTIVE,
        from_=dt.date(2026, 1, 1),
        until=dt.date.fromisoformat(until) if until else None,
        reviewed_on=dt.date.fromisoformat(reviewed_on) if reviewed_on else None,
    )


@pytest.mark.parametrize(
    ("before", "after", "answer"),
    [
        (bar_until("2026-06-30"), bar_until("2027-06-30", "2026-06-15"), False),
        (bar_until("2026-06-30"), bar_until("2026-12-31", "2026-06-15"), False),
        (bar_until("2026-06-30"), bar_until("2026-06-30", "2026-06-15"), True),
        (bar_until("2026-06-30"), bar_until("2026-07-10", "2026-06-15"), True),
        (bar_until("2026-06-30", "2026-06-10"), bar_until("2026-07-10", "2026-06-15"), False),
        (bar_until("2026-12-31"), bar_until("2026-12-30", "2026-06-15"), True),
        (bar_until(None), bar_until("2030-12-31", "2026-06-15"), True),
        (bar_until(None), bar_until(None, "2026-06-15"), False),
        (bar_until("2026-05-31"), bar_until("2026-05-31", "2026-06-15"), True),
        (bar_until("2026-05-31"), bar_until("2026-12-31", "2026-06-15"), False),
        (bar_until(None, None, Basis.SAFEGUARDING), bar_until(None, "2026-06-15", Basis.SAFEGUARDING), False),
    ],
    ids=[
        "a year longer",
        "half a year longer",
        "ends instead of lapsing",
        "a little longer, but then ends",
        "would end, ends later",
        "a day shorter",
        "an end where there was none",
        "reviewed without an end",
        "lapsed, now ended by its review",
        "lapsed, bars again",
        "another 90 days",
    ],
)
def test_what_weakens_a_bar(before: Restriction, after: Restriction, *, answer: bool) -> None:
    """A bar is weaker when it ends earlier, or ends by itself where it would have lapsed into a hold."""
    assert weakens(before, after, Policy()) is answer


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-06-15T09:30", 2, "2026-06-17T09:30"),
        ("2026-06-12T09:30", 2, "2026-06-16T09:30"),
        ("2026-06-13T09:30", 2, "2026-06-17T00:00"),
        ("2026-06-14T00:00", 5, "2026-06-22T00:00"),
        ("2026-06-16T00:00", 5, "2026-06-23T00:00"),
    ],
)
def test_working_days(start: str, days: int, end: str) -> None:
    """Saturdays and Sundays do not count, and what happens on one counts from Monday."""
    assert after_weekdays(dt.datetime.fromisoformat(f"{start}+01:00"), days) == dt.datetime.fromisoformat(
        f"{end}+01:00"
    )
