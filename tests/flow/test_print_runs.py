"""Letters from the spool to the post: each is printed once, and never what is barred when its run is closed."""

import asyncio
import contextlib
import csv
import dataclasses
import datetime as dt
import io
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from pypdf import PdfReader
from sqlalchemy import update

from channels.letter_file import make
from channels.letter_jobs import Job, Made
from channels.letter_press import PressError
from gateway.dispatch.print_runs import PrintRuns
from gateway.dispatch.refusals import Refused
from gateway.settings import Share
from gateway.settings.letters import LetterSettings
from gateway.store.notifications import cancel
from gateway.store.tables import (
    chronology,
    delivery_events,
    notifications,
    point_marks,
    print_letters,
    print_runs,
    receipts,
)
from tests.channels.test_letter_sftp import print_house
from tests.flow.families import DAD, HOUSE, MUM, TOGETHER, parents
from tests.flow.installation import PRINCIPAL, Installation, installed
from tests.unit.rules.households import Row, deny, directory, email, letter

MONDAY_NOON = dt.datetime(2026, 6, 15, 11, tzinfo=dt.UTC)


def spooling(folder: Path, **changes: Any) -> dict[str, Any]:
    """Say that letters go to a spool."""
    fields = {"letter_provider": (Share("spool", 1),), "letter_spool_dir": folder / "spool", **changes}
    return {"letters": LetterSettings(**fields)}


@pytest_asyncio.fixture
async def office(servers_urls: tuple[str, str | None], tmp_path: Path) -> AsyncIterator[Installation]:
    """Give a gateway at work that spools letters, on a Monday at noon."""
    database_url, redis_url = servers_urls
    async with installed(database_url, redis_url, tmp_path, changes=spooling(tmp_path)) as installation:
        installation.time.now = MONDAY_NOON
        yield installation


async def spooled(gateway: Installation, *contacts: str, category: str = "report", **fields: Any) -> str:
    """Send something to contacts who have a postal address only; gives the notification."""
    await gateway.put(people(*contacts))
    notification = await gateway.post(category, **fields)
    await gateway.at_rest()
    return notification


def people(*contacts: str, **more: list[Row]) -> Any:
    """Make parents who live apart, each in a house of their own."""
    named = {"mum": MUM, "dad": DAD}
    points = [letter(contact, f"{number} Weir Street") for number, contact in enumerate(contacts, 1)]
    unnamed = {each: {"id": each, "given_name": each.title(), "family_name": "Sample"} for each in contacts}
    rows = {"contacts": [named.get(each, unnamed[each]) for each in contacts], "contact_points": points, **more}
    return directory(relationships=parents(*contacts), **rows)


async def run_now(gateway: Installation) -> str:
    """Close a run by hand and wait until it is ready; gives its id."""
    run = await gateway.front.services.printing.close(PRINCIPAL)
    await settled(gateway, run)
    return run


async def settled(gateway: Installation, run: str) -> None:
    """Wait until nothing is left to be done about a run."""

    async def done() -> bool:
        (row,) = await gateway.rows(print_runs, print_runs.c.id == run)
        return row.due_at is None or row.fault is not None

    async def told() -> bool:
        return not await gateway.rows(receipts, receipts.c.applied_at.is_(None))

    await gateway.until(done)
    await gateway.until(told)
    await gateway.at_rest()


async def until_states(gateway: Installation, **states: str) -> None:
    """Wait until the contacts' letters are in these states."""
    wanted = {f"{contact}-l": state for contact, state in states.items()}

    async def reached() -> bool:
        return await gateway.states() == wanted

    await gateway.until(reached)
    await gateway.at_rest()


def spool(gateway: Installation) -> Path:
    """Give the spool's folder."""
    return gateway.front.settings.letters.letter_spool_dir


def listed(gateway: Installation, run: str) -> list[dict[str, str]]:
    """Read a run's manifest."""
    text = (spool(gateway) / "runs" / run / "manifest.csv").read_text()
    return list(csv.DictReader(io.StringIO(text)))


def words_of(gateway: Installation, run: str) -> str:
    """Read everything that a run prints."""
    files = sorted((spool(gateway) / "runs" / run).glob("*.pdf"))
    return "\n".join(page.extract_text() for path in files for page in PdfReader(path).pages)


async def test_what_waits_is_printed_at_the_cut_off(office: Installation) -> None:
    """Before it nothing happens; at half past five, local time, the run is closed and its letters are printed."""
    await spooled(office, "mum", "dad")
    assert set((await office.states()).values()) == {"sent"}
    await office.forward(hours=5, minutes=20)
    assert await office.rows(print_runs) == []
    await office.forward(minutes=15)
    (run,) = await office.rows(print_runs)
    await settled(office, run.id)
    (run,) = await office.rows(print_runs)
    assert (run.status, run.reason, run.letters, run.sheets) == ("closed", "cut_off", 2, 2)
    assert {row["delivery"] for row in listed(office, run.id)} == {row.id for row in await office.deliveries()}
    text = words_of(office, run.id)
    assert "Zinnia Quillfeather" in text
    assert "Bartholomew Vantongeren" in text
    assert [event.news for event in await office.rows(delivery_events)] == ["printed", "printed"]
    assert list((spool(office) / "waiting").glob("*.json")) == []


async def test_a_full_run_is_closed_before_the_cut_off(servers_urls: tuple[str, str | None], tmp_path: Path) -> None:
    """So many letters wait that the printer may begin; no run has more."""
    changes = spooling(tmp_path, letter_run_size=2)
    async with installed(*servers_urls, tmp_path, changes=changes) as office:
        office.time.now = MONDAY_NOON
        await spooled(office, "a", "b", "c")
        await office.forward(seconds=10)
        (run,) = await office.rows(print_runs)
        await settled(office, run.id)
        (run,) = await office.rows(print_runs)
        assert (run.reason, run.letters) == ("full", 2)
        await office.forward(seconds=10)
        assert len(await office.rows(print_runs)) == 1
        second = await run_now(office)
        assert len(listed(office, second)) == 1
        assert len(await office.rows(print_letters)) == 3


async def test_a_letter_is_in_one_run(office: Installation) -> None:
    """What is printed is not printed again; when nothing waits there is no run."""
    await spooled(office, "mum")
    await run_now(office)
    with pytest.raises(Refused) as refused:
        await office.front.services.printing.close(PRINCIPAL)
    assert refused.value.status == 409
    await office.forward(days=1)
    assert len(await office.rows(print_runs)) == 1


async def test_a_cancelled_letter_is_not_printed(office: Installation) -> None:
    """The notification is withdrawn while its letters wait: none is printed, and their timelines say so."""
    notification = await spooled(office, "mum", "dad")
    await cancelled(office, notification)
    await office.forward(seconds=10)
    assert set((await office.states()).values()) == {"cancelled"}
    assert {event.news for event in await office.rows(delivery_events)} == {"called_off"}
    with pytest.raises(Refused):
        await office.front.services.printing.close(PRINCIPAL)


async def test_whoever_is_barred_by_now_gets_no_letter(office: Installation) -> None:
    """A court order comes after the hand-over: that letter is taken back within a minute, the other one is printed."""
    notification = await spooled(office, "mum", "dad")
    await office.put(people("mum", "dad", restrictions=[deny("dad")]))
    await office.forward(seconds=10)
    await until_states(office, mum="sent", dad="suppressed")
    assert (await office.decided(notification))["kid", "dad"].startswith("exclude R01")
    run = await run_now(office)
    assert len(listed(office, run)) == 1
    assert "Vantongeren" not in words_of(office, run)


async def test_the_rules_are_asked_when_the_run_is_closed(idle: Installation, tmp_path: Path) -> None:
    """Even when no round of the clock came between: whoever closes the run asks first."""
    del idle
    own = f"sqlite+aiosqlite:///{tmp_path / 'own.db'}"
    async with installed(own, None, tmp_path, changes=spooling(tmp_path)) as office:
        office.time.now = MONDAY_NOON
        notification = await spooled(office, "mum", "dad")
        await office.put(people("mum", "dad", restrictions=[deny("dad")]))
        run = await run_now(office)
        assert len(listed(office, run)) == 1
        assert await office.states(notification) == {"mum-l": "sent", "dad-l": "suppressed"}


async def test_a_letter_goes_to_the_address_of_this_day(office: Installation) -> None:
    """Who has moved since the hand-over gets it at the new address, not the old one."""
    await spooled(office, "mum")
    moved = directory(relationships=parents("mum"), contacts=[MUM], contact_points=[letter("mum", "99 New Road")])
    await office.put(moved)
    run = await run_now(office)
    text = words_of(office, run)
    assert "99 New Road" in text
    assert "1 Weir Street" not in text


async def test_of_a_joint_letter_only_who_may_still_read_it_is_named(office: Installation) -> None:
    """One of two who share a letter has no tie to the child any more: the other's letter is written anew."""
    couple = parents("mum", "dad")
    points = [letter("mum", HOUSE), letter("dad", HOUSE)]
    rows: dict[str, Any] = {"contacts": [MUM, DAD], "contact_points": points, "households": [TOGETHER]}
    await office.put(directory(relationships=couple, **rows))
    await office.post("report")
    await office.at_rest()
    await office.put(directory(relationships=parents("mum"), **rows))
    await office.forward(seconds=10)
    await until_states(office, mum="sent", dad="suppressed")
    run = await run_now(office)
    text = words_of(office, run)
    assert "Quillfeather" in text
    assert "Vantongeren" not in text
    assert len(listed(office, run)) == 1


async def test_a_letter_that_cannot_be_printed_goes_by_the_next_route(office: Installation) -> None:
    """One letter has a sign that no font knows: the others are printed, its contact is reached by other means."""
    await office.put(
        directory(
            relationships=parents("mum", "dad"),
            contacts=[{**MUM, "family_name": "Quill\N{PARTY POPPER}"}, DAD],
            contact_points=[letter("mum", HOUSE), letter("dad", "2 Weir Street")],
        )
    )
    await office.post("report")
    await office.at_rest()
    run = await run_now(office)
    assert len(listed(office, run)) == 1
    assert await office.states() == {"mum-l": "failed", "dad-l": "sent"}
    failed = next(row for row in await office.deliveries() if row.point == "mum-l")
    assert failed.code == "missing-glyph"
    assert [task.kind for task in await office.tasks()] == ["reach_by_hand"]
    assert "Letters: 1" in words_of(office, run)


async def test_a_letter_that_the_spool_has_lost_is_written_anew(office: Installation) -> None:
    """A folder that is not there for once, or a torn file, costs nobody their letter: the database knows it."""
    await spooled(office, "mum", "dad")
    for row in await office.deliveries():
        path = spool(office) / "waiting" / f"{row.id}.json"
        path.unlink() if row.point == "mum-l" else path.write_bytes(path.read_bytes()[:-1])
    run = await run_now(office)
    assert len(listed(office, run)) == 2
    text = words_of(office, run)
    assert "Quillfeather" in text
    assert "Vantongeren" in text


async def test_a_letter_that_vanishes_from_a_run_is_no_silent_loss(idle: Installation, tmp_path: Path) -> None:
    """It is lost between the closing and the press: its delivery fails, and staff hear of it."""
    del idle
    own = f"sqlite+aiosqlite:///{tmp_path / 'own.db'}"
    async with installed(own, None, tmp_path, working=False, changes=spooling(tmp_path)) as office:
        run = await waiting_run(office, people("mum", "dad"))
        lost = next(row for row in await office.deliveries() if row.point == "mum-l")

        async def loses(jobs: Sequence[Job]) -> list[Made]:
            (spool(office) / "waiting" / f"{lost.id}.json").unlink()
            return [make(job) for job in jobs]

        careless = worker(office)
        careless._press = loses
        await careless.work(run)
        await office.front.services.receipts.take_parked()
        assert len(listed(office, run)) == 1
        assert await office.states() == {"mum-l": "failed", "dad-l": "sent"}
        assert [task.kind for task in await office.tasks()] == ["reach_by_hand"]


async def test_classes_have_files_of_their_own(office: Installation) -> None:
    """Sealed letters and letters abroad are never between others; each file begins with its separator."""
    points = [letter("mum", HOUSE), letter("dad", "2 Weir Street")]
    points[1]["address"] = {"lines": ["Rue 1", "75001 Paris"], "postcode": "", "country": "FR"}
    rows: dict[str, Any] = {"contacts": [MUM, DAD], "contact_points": points}
    await office.put(directory(relationships=parents("mum", "dad"), **rows))
    await office.post("report")
    await office.post("newsletter")
    await office.at_rest()
    run = await run_now(office)
    folder = spool(office) / "runs" / run
    names = sorted(path.name for path in folder.glob("*.pdf"))
    assert names == ["europe-0001.pdf", "europe-sealed-0001.pdf", "second-0001.pdf", "second-sealed-0001.pdf"]
    for name in names:
        reader = PdfReader(folder / name)
        first = reader.pages[0].extract_text()
        assert ("seal each letter" in first) == ("sealed" in name)
        assert "File 1 of 1" in first
        assert "Letters: 1" in first
        assert not any(name in first for name in ("Quillfeather", "Vantongeren", "Weir"))
        assert "/StructTreeRoot" in reader.trailer["/Root"]
    assert {(row["postage"], row["sealed"], row["country"]) for row in listed(office, run)} == {
        ("second", "no", "GB"),
        ("second", "yes", "GB"),
        ("europe", "no", "FR"),
        ("europe", "yes", "FR"),
    }
    total = msgspec.json.decode((folder / "totals.json").read_bytes())
    assert total["letters"] == 4
    assert total["classes"]["europe-sealed"] == {"letters": 1, "sheets": 1}
    assert len((folder / "SHA256SUMS").read_text().splitlines()) == 6
    for private in ("Zinnia", "Weir", "75001", "News of"):
        assert private not in (folder / "manifest.csv").read_text() + (folder / "totals.json").read_text()


async def test_posting_is_told_to_every_letter(office: Installation) -> None:
    """The office says on which day the run was posted; said twice it counts once, said otherwise it is refused."""
    await spooled(office, "mum", "dad")
    run = await run_now(office)
    desk = office.front.services.printing
    today = MONDAY_NOON.date()
    for wrong in (today + dt.timedelta(days=1), today - dt.timedelta(days=1)):
        with pytest.raises(Refused) as refused:
            await desk.note_posted(PRINCIPAL, run, wrong)
        assert refused.value.status == 422
    await desk.note_posted(PRINCIPAL, run, today)
    await desk.note_posted(PRINCIPAL, run, today)
    news = [event.news for event in await office.rows(delivery_events)]
    assert sorted(news) == ["in_transit", "in_transit", "printed", "printed"]
    office.time.now += dt.timedelta(days=1)
    with pytest.raises(Refused) as refused:
        await desk.note_posted(PRINCIPAL, run, today + dt.timedelta(days=1))
    assert refused.value.status == 409


async def test_returned_mail_ends_the_address(office: Installation) -> None:
    """Gone away: the next contact point is tried at once, and the address is dead for everyone who has it (R34)."""
    await office.put(
        directory(
            relationships=parents("mum", "dad"),
            contacts=[{**MUM, "preferences": {"channels": {"*": ["letter"]}}}, DAD],
            contact_points=[letter("mum", HOUSE), email("mum"), letter("dad", HOUSE)],
        )
    )
    await office.post("report")
    await office.at_rest()
    row = next(row for row in await office.deliveries() if row.point == "mum-l")
    desk = office.front.services.printing
    with pytest.raises(Refused) as refused:
        await desk.note_returned(PRINCIPAL, row.id, "gone away")
    assert refused.value.status == 409
    await run_now(office)
    await desk.note_returned(PRINCIPAL, row.id, "gone away")
    await desk.note_returned(PRINCIPAL, row.id, "gone away")
    await office.at_rest()
    assert (await office.states())["mum-l"] == "failed"
    assert (await office.states())["mum-e"] == "sent"
    assert [mark.state for mark in await office.rows(point_marks)] == ["dead"]
    later = await office.post("report")
    await office.at_rest()
    assert (await office.decided(later))["kid", "dad"] == "unreachable R24"


async def test_a_letter_that_was_never_printed_cannot_come_back(office: Installation) -> None:
    """A slip of the hand must not close the address of somebody whose letter failed in the press."""
    await office.put(people("mum", "dad", contacts=[{**MUM, "family_name": "Quill\N{PARTY POPPER}"}, DAD]))
    await office.post("report")
    await office.at_rest()
    await run_now(office)
    row = next(row for row in await office.deliveries() if row.point == "mum-l")
    assert row.state == "failed"
    with pytest.raises(Refused) as refused:
        await office.front.services.printing.note_returned(PRINCIPAL, row.id, "gone away")
    assert refused.value.status == 409
    assert await office.rows(point_marks) == []


@pytest.mark.parametrize("deadline", ["respond_by", "expires_at"])
async def test_a_letter_that_would_come_too_late_is_a_task(office: Installation, deadline: str) -> None:
    """The sender's deadline is nearer than first class can be: the office is told to telephone as well."""
    await spooled(office, "mum", category="consent", **{deadline: (MONDAY_NOON + dt.timedelta(hours=20)).isoformat()})
    run = await run_now(office)
    assert listed(office, run)[0]["postage"] == "first"
    assert [task.kind for task in await office.tasks()] == ["letters_late"]


async def test_how_long_we_try_by_ourselves_buys_no_faster_class(office: Installation) -> None:
    """On a Thursday evening second class needs until the day on which we would give up; the sender is in no hurry."""
    office.time.now = MONDAY_NOON + dt.timedelta(days=3, hours=7)
    await spooled(office, "mum")
    run = await run_now(office)
    assert listed(office, run)[0]["postage"] == "second"


async def test_what_has_no_deadline_is_never_late(office: Installation) -> None:
    """A newsletter abroad takes a week and a half: nobody is asked to telephone about it."""
    points = [letter("mum", HOUSE)]
    points[0]["address"] = {"lines": ["Rue 1", "75001 Paris"], "postcode": "", "country": "FR"}
    await office.put(people("mum", contact_points=points))
    office.time.now = dt.datetime(2026, 6, 18, 18, tzinfo=dt.UTC)
    await office.post("newsletter")
    await office.at_rest()
    office.time.now = dt.datetime(2026, 6, 22, 11, tzinfo=dt.UTC)
    run = await run_now(office)
    assert listed(office, run)[0]["country"] == "FR"
    assert await office.tasks() == []


async def test_a_letter_whose_time_is_over_is_not_printed(office: Installation) -> None:
    """It waited over its own end: nobody gets news that is out of date."""
    await spooled(office, "mum", expires_at=(MONDAY_NOON + dt.timedelta(hours=1)).isoformat())
    office.time.now += dt.timedelta(hours=2)
    await run_now(office)
    assert await office.states() == {"mum-l": "expired"}
    assert await office.rows(print_letters) == []


async def test_another_school_sees_nothing(office: Installation) -> None:
    """Runs, files and letters are the school's own."""
    await spooled(office, "mum")
    run = await run_now(office)
    other = dataclasses.replace(PRINCIPAL, school="other")
    (row,) = await office.deliveries()
    desk = office.front.services.printing
    for call in (
        desk.note_posted(other, run, MONDAY_NOON.date()),
        desk.note_returned(other, row.id, "gone away"),
        desk.file(other, run, "manifest.csv"),
        desk.close(other),
    ):
        with pytest.raises(Refused):
            await call
    with pytest.raises(Refused):
        await desk.file(PRINCIPAL, run, "../../../etc/passwd")
    assert (await desk.file(PRINCIPAL, run, "manifest.csv")).is_file()


async def test_letters_of_yesterday_are_decided_about_again(office: Installation) -> None:
    """What was handed over after the cut-off is printed on the next working day, as the rules say then."""
    office.time.now = dt.datetime(2026, 6, 19, 17, tzinfo=dt.UTC)  # Friday at six
    await spooled(office, "mum")
    await office.forward(days=2)
    assert await office.rows(print_runs) == []
    await office.move_to(dt.datetime(2026, 6, 22, 16, 40, tzinfo=dt.UTC))
    (run,) = await office.rows(print_runs)
    await settled(office, run.id)
    assert "22 June 2026" in words_of(office, run.id)


class KilledError(BaseException):
    """The process is gone: nothing of ours handles this."""


class Mortal:
    """A database whose process is killed at one of its transactions: before it, or right after its commit."""

    def __init__(self, database: Any, lives: int) -> None:
        self._database = database
        self._lives = lives
        self.sqlite = database.sqlite

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        """Read, as long as there is life."""
        self._breathe()
        async with self._database.reading() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[Any]:
        """Write, and die before or after."""
        self._breathe()
        async with self._database.writing() as connection:
            yield connection
        self._breathe()

    def _breathe(self) -> None:
        self._lives -= 1
        if self._lives < 0:
            raise KilledError


def worker(office: Installation, lives: int = 1_000) -> PrintRuns:
    """Make a worker on print runs that typesets in this process."""
    runs = office.back.print_runs
    database: Any = Mortal(office.back.database, lives)

    async def quick(jobs: Sequence[Job]) -> list[Made]:
        return [make(job) for job in jobs]

    return PrintRuns(
        database,
        runs._receipts,
        runs._closing._recall,
        runs._closing._house,
        quick,
        None,
        terms=runs._terms,
        phrases=runs._phrases,
        owner=f"worker-{lives}",
        now=office.time,
    )


async def test_a_killed_worker_costs_no_letter_and_doubles_none(
    servers_urls: tuple[str, str | None], tmp_path: Path
) -> None:
    """Killed at every transaction in turn, and another goes on: each letter is in one run, once, and is told so."""
    async with installed(*servers_urls, tmp_path, working=False, changes=spooling(tmp_path)) as office:
        office.time.now = MONDAY_NOON
        printed: set[str] = set()
        deaths = 0
        for lives in range(100):
            contacts = [f"c{lives}", f"d{lives}"]
            await office.put(people(*contacts))
            notification = await office.post("report")
            await office.back.planner.plan(notification)
            await office.send_due()
            run = await office.front.services.printing.close(PRINCIPAL)
            try:
                await worker(office, lives).work(run)
            except KilledError:
                deaths += 1
            office.time.now += dt.timedelta(minutes=2)
            await worker(office).work(run)
            await office.front.services.receipts.take_parked()
            (row,) = await office.rows(print_runs, print_runs.c.id == run)
            assert (row.status, row.letters, row.due_at) == ("closed", 2, None)
            listed_now = [entry["delivery"] for entry in listed(office, run)]
            assert sorted(listed_now) == sorted(each.id for each in await office.deliveries(notification))
            assert not printed.intersection(listed_now)
            printed.update(listed_now)
            news = [event.news for event in await office.rows(delivery_events) if event.delivery in listed_now]
            assert news == ["printed", "printed"]
            if deaths <= lives:
                break
        assert deaths > 8
        assert list((spool(office) / "waiting").glob("*.json")) == []
        assert len(await office.rows(print_letters)) == len(printed)


async def test_a_lost_folder_is_printed_anew(servers_urls: tuple[str, str | None], tmp_path: Path) -> None:
    """What was printed vanishes before anybody could take it: the letters are still there, and are printed again."""
    async with installed(*servers_urls, tmp_path, working=False, changes=spooling(tmp_path)) as office:
        office.time.now = MONDAY_NOON
        await office.put(people("mum"))
        await office.back.planner.plan(await office.post("report"))
        await office.send_due()
        run = await office.front.services.printing.close(PRINCIPAL)
        for lives in range(30):
            with contextlib.suppress(KilledError):
                await worker(office, lives).work(run)
            (row,) = await office.rows(print_runs)
            if row.status == "printed":
                break
            office.time.now += dt.timedelta(minutes=2)
        for name in ("work", "runs"):
            await asyncio.to_thread(shutil.rmtree, spool(office) / name, ignore_errors=True)
        office.time.now += dt.timedelta(minutes=2)
        await worker(office).work(run)
        assert len(listed(office, run)) == 1
        assert _names(spool(office) / "work") == []


async def test_two_workers_do_not_share_a_run(idle: Installation, tmp_path: Path) -> None:
    """Whoever comes second finds it taken; asked for twice, it is one run."""
    del idle
    own = f"sqlite+aiosqlite:///{tmp_path / 'own.db'}"
    async with installed(own, None, tmp_path, working=False, changes=spooling(tmp_path)) as office:
        office.time.now = MONDAY_NOON
        await office.put(people("mum", "dad"))
        await office.back.planner.plan(await office.post("report"))
        await office.send_due()
        desk = office.front.services.printing
        first, second = await asyncio.gather(desk.close(PRINCIPAL), desk.close(PRINCIPAL))
        assert first == second
        await asyncio.gather(*(worker(office).work(first) for _ in range(3)))
        assert len(listed(office, first)) == 2
        assert len(await office.rows(print_letters)) == 2


async def test_a_press_that_fails_is_tried_again_and_staff_hear_of_it(
    servers_urls: tuple[str, str | None], tmp_path: Path
) -> None:
    """No letter is lost meanwhile; after some failures there is a task, and at last the run is printed."""
    async with installed(*servers_urls, tmp_path, working=False, changes=spooling(tmp_path)) as office:
        office.time.now = MONDAY_NOON
        await office.put(people("mum"))
        await office.back.planner.plan(await office.post("report"))
        await office.send_due()
        run = await office.front.services.printing.close(PRINCIPAL)
        broken = worker(office)

        async def fails(_jobs: Sequence[Job]) -> list[Made]:
            raise PressError("A font family that letters need is not installed.")

        broken._press = fails
        for number in range(1, 6):
            await broken.work(run)
            (row,) = await office.rows(print_runs)
            assert (row.status, row.failures) == ("printing", number)
            assert "font" in row.fault
            office.time.now = row.due_at
        assert [task.kind for task in await office.tasks()] == ["print_run_stuck"]
        await worker(office).work(run)
        assert len(listed(office, run)) == 1


async def test_who_takes_a_file_of_letters_is_on_record(office: Installation) -> None:
    """In the chronology of each whose address it shows; lists show none (R36)."""
    points = [letter("mum", HOUSE), letter("dad", HOUSE)]
    rows: dict[str, Any] = {"contacts": [MUM, DAD], "contact_points": points, "households": [TOGETHER]}
    await office.put(directory(relationships=parents("mum", "dad"), **rows))
    await office.post("report")
    await office.at_rest()
    run = await run_now(office)
    desk = office.front.services.printing
    for name in ("manifest.csv", "totals.json", "SHA256SUMS"):
        await desk.file(PRINCIPAL, run, name)
    shown = chronology.c.event == "address_shown"
    assert await office.rows(chronology, shown) == []
    await desk.file(PRINCIPAL, run, listed(office, run)[0]["file"])
    entries = await office.rows(chronology, shown)
    assert sorted((entry.school, entry.student, entry.contact) for entry in entries) == [
        (PRINCIPAL.school, "kid", "dad"),
        (PRINCIPAL.school, "kid", "mum"),
    ]
    detail = msgspec.json.decode(entries[0].detail)
    assert (detail["by"], detail["print_run"]) == (PRINCIPAL.key, run)
    assert detail["reason"]


async def waiting_run(office: Installation, roster: Any) -> str:
    """Send a report on a Monday at noon and ask for a run of its letters, which nobody has begun yet."""
    office.time.now = MONDAY_NOON
    await office.put(roster)
    await office.back.planner.plan(await office.post("report"))
    await office.send_due()
    return await office.front.services.printing.close(PRINCIPAL)


async def no_paper(_jobs: Sequence[Job]) -> list[Made]:
    """Be a press that does not work."""
    raise PressError("A font family that letters need is not installed.")


def broken(office: Installation) -> PrintRuns:
    """Make a worker whose press does not work."""
    made = worker(office)
    made._press = no_paper
    return made


async def test_a_run_that_was_held_up_is_decided_about_anew(
    servers_urls: tuple[str, str | None], tmp_path: Path
) -> None:
    """The press stood still while a court order came, and a family moved: neither is printed as it was entered."""
    async with installed(*servers_urls, tmp_path, working=False, changes=spooling(tmp_path)) as office:
        run = await waiting_run(office, people("mum", "dad"))
        await broken(office).work(run)
        (row,) = await office.rows(print_runs)
        assert (row.status, row.letters) == ("printing", 2)
        points = [letter("mum", "99 New Road"), letter("dad", "2 Weir Street")]
        await office.put(people("mum", "dad", restrictions=[deny("dad")], contact_points=points))
        office.time.now = row.due_at
        await worker(office).work(run)
        assert await office.states() == {"mum-l": "sent", "dad-l": "suppressed"}
        assert len(listed(office, run)) == 1
        text = words_of(office, run)
        assert "99 New Road" in text
        assert "1 Weir Street" not in text
        assert "Vantongeren" not in text


async def test_a_run_that_was_held_up_prints_nothing_that_is_called_off(
    servers_urls: tuple[str, str | None], tmp_path: Path
) -> None:
    """The sender takes it back while the press stands still: the run comes to nothing."""
    async with installed(*servers_urls, tmp_path, working=False, changes=spooling(tmp_path)) as office:
        run = await waiting_run(office, people("mum", "dad"))
        await broken(office).work(run)
        (delivery, _) = await office.deliveries()
        await cancelled(office, delivery.notification)
        (row,) = await office.rows(print_runs)
        office.time.now = row.due_at
        await worker(office).work(run)
        assert set((await office.states()).values()) == {"cancelled"}
        assert await office.rows(print_letters) == []
        (row,) = await office.rows(print_runs)
        assert (row.status, row.due_at) == ("empty", None)


async def test_letters_of_a_run_that_was_held_up_join_the_next_one(
    servers_urls: tuple[str, str | None], tmp_path: Path
) -> None:
    """The next one is asked for before the press works again: it takes all letters, each once."""
    async with installed(*servers_urls, tmp_path, working=False, changes=spooling(tmp_path)) as office:
        first = await waiting_run(office, people("mum", "dad"))
        await broken(office).work(first)
        await office.back.planner.plan(await office.post("newsletter"))
        await office.send_due()
        second = await office.front.services.printing.close(PRINCIPAL)
        office.time.now += dt.timedelta(hours=1)
        for run in (first, second):
            await worker(office).work(run)
        assert {row.id: row.status for row in await office.rows(print_runs)} == {first: "empty", second: "closed"}
        assert len(listed(office, second)) == 4


async def test_a_failing_press_does_not_fill_the_disk(idle: Installation, tmp_path: Path) -> None:
    """Each try has a folder of its own, and leaves nothing of it; nor does one that was killed, in the end."""
    del idle
    own = f"sqlite+aiosqlite:///{tmp_path / 'own.db'}"
    async with installed(own, None, tmp_path, working=False, changes=spooling(tmp_path)) as office:
        run = await waiting_run(office, people("mum"))
        work = spool(office) / "work"
        killed = work / f"{run}.killed"
        killed.mkdir(parents=True)
        (killed / "second-0001.pdf").write_bytes(b"half")
        await broken(office).work(run)
        assert _names(work) == []


async def test_letters_nobody_can_decide_about_are_a_task(idle: Installation, tmp_path: Path) -> None:
    """They hold up no other letter, and do not wait unheard of."""
    del idle
    own = f"sqlite+aiosqlite:///{tmp_path / 'own.db'}"
    async with installed(own, None, tmp_path, working=False, changes=spooling(tmp_path)) as office:
        run = await waiting_run(office, people("mum"))
        (torn,) = await office.rows(notifications)
        await office.back.planner.plan(await office.post("newsletter"))
        await office.send_due()
        async with office.back.database.writing() as connection:
            await connection.execute(update(notifications).where(notifications.c.id == torn.id).values(sources="{"))
        await office.put(people("mum", "dad"))
        for _ in range(2):
            await worker(office).work(run)
        (letter_,) = listed(office, run)
        assert letter_["delivery"] not in {row.id for row in await office.deliveries(torn.id)}
        (task,) = await office.tasks()
        assert (task.kind, task.notification) == ("letters_undecided", torn.id)
        assert f"print run {run}" in task.detail


@pytest.mark.parametrize(
    ("more", "barred"),
    [
        pytest.param({"restrictions": [deny("dad")]}, True, id="a court order"),
        pytest.param(
            {"contact_points": [letter("mum", "1 Weir Street"), letter("dad", "99 New Road")]}, True, id="moved"
        ),
        pytest.param({"contacts": [MUM, {**DAD, "deceased": True}]}, True, id="has died"),
        pytest.param({"contacts": [{**MUM, "given_name": "Zinnie"}, DAD]}, False, id="nothing of his"),
    ],
)
async def test_what_is_printed_and_barred_by_now_is_taken_out_by_hand(
    office: Installation, more: dict[str, Any], *, barred: bool
) -> None:
    """Between closing and post lies a night: staff are told which pages must not go, once, and never of others."""
    await spooled(office, "mum", "dad")
    run = await run_now(office)
    await office.put(people("mum", "dad", **more))
    for _ in range(3):
        await office.forward(seconds=10)
    found = [task for task in await office.tasks() if task.kind == "letter_withdrawn"]
    assert [task.contact for task in found] == (["dad"] if barred else [])
    if barred:
        (row,) = [each for each in listed(office, run) if each["delivery"] == found[0].delivery]
        assert f"page {row['first_page']} of {row['file']} out of print run {run}" in found[0].detail
        assert "Vantongeren" not in found[0].detail


async def test_what_is_posted_is_not_asked_back(office: Installation) -> None:
    """Nobody can take it out of a letter box."""
    await spooled(office, "mum", "dad")
    run = await run_now(office)
    await office.front.services.printing.note_posted(PRINCIPAL, run, MONDAY_NOON.date())
    await office.put(people("mum", "dad", restrictions=[deny("dad")]))
    await office.forward(seconds=10)
    assert await office.tasks() == []


async def test_of_a_joint_letter_each_reader_counts(office: Installation) -> None:
    """One of two whom it names may not have it any more: the letter is taken out."""
    points = [letter("mum", HOUSE), letter("dad", HOUSE)]
    rows: dict[str, Any] = {"contacts": [MUM, DAD], "contact_points": points, "households": [TOGETHER]}
    await office.put(directory(relationships=parents("mum", "dad"), **rows))
    await office.post("report")
    await office.at_rest()
    run = await run_now(office)
    assert len(listed(office, run)) == 1
    await office.put(directory(relationships=parents("mum"), **rows))
    await office.forward(seconds=10)
    (task,) = [task for task in await office.tasks() if task.kind == "letter_withdrawn"]
    assert task.delivery == listed(office, run)[0]["delivery"]


async def test_the_separator_has_the_schools_date(idle: Installation, tmp_path: Path) -> None:
    """At half past five in Los Angeles it is tomorrow in Greenwich."""
    del idle
    own = f"sqlite+aiosqlite:///{tmp_path / 'own.db'}"
    async with installed(own, None, tmp_path, working=False, changes=spooling(tmp_path)) as office:
        there = people("mum")
        there = msgspec.structs.replace(
            there, school=msgspec.structs.replace(there.school, timezone="America/Los_Angeles")
        )
        office.time.now = dt.datetime(2026, 6, 16, 0, 30, tzinfo=dt.UTC)
        await office.put(there)
        await office.back.planner.plan(await office.post("report"))
        await office.send_due()
        run = await office.front.services.printing.close(PRINCIPAL)
        await worker(office).work(run)
        assert "15 June 2026" in words_of(office, run)
        assert "16 June 2026" not in words_of(office, run)


async def test_a_run_is_brought_to_the_print_house(servers_urls: tuple[str, str | None], tmp_path: Path) -> None:
    """Over SFTP, into a folder of its own; while the house is away the run waits, and goes when it is back."""
    async with print_house(tmp_path) as house:
        settings = house.settings
        changes = spooling(
            tmp_path,
            letter_sftp_url=f"sftp://school@127.0.0.1:{settings.port}/incoming",
            letter_sftp_key_file=settings.key_file,
            letter_sftp_host_key=settings.host_key,
        )
        async with installed(*servers_urls, tmp_path, changes=changes) as office:
            office.time.now = MONDAY_NOON
            await spooled(office, "mum")
            house.refuses = lambda name: "manifest" in name
            run = await run_now(office)
            (row,) = await office.rows(print_runs)
            assert (row.status, row.uploaded_at, row.failures) == ("closed", None, 1)
            assert f"incoming/{run}/manifest.csv" not in house.files()
            house.refuses = lambda _name: False
            await office.forward(minutes=2)

            async def uploaded() -> bool:
                (row,) = await office.rows(print_runs)
                return row.uploaded_at is not None

            await office.until(uploaded)
            folder = spool(office) / "runs" / run
            assert house.files() == {f"incoming/{run}/{path.name}": path.read_bytes() for path in folder.iterdir()}


async def cancelled(gateway: Installation, notification: str) -> None:
    """Cancel a notification as the API does."""
    async with gateway.front.database.writing() as connection:
        await cancel(connection, notification, at=gateway.time())
        await gateway.front.services.printing.call_off(connection, notification)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
