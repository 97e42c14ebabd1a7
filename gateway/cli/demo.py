"""`gateway demo`, the main job end to end: the sample school, an emergency, a report, a newsletter.

Safe to repeat and to kill: the same notifications are posted under the same idempotency keys, so that a second run
finishes what the first left undone and sends nothing twice.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from importlib import resources
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from channels.base import Envelope, Mail
from channels.errors import Retry, SendError
from gateway.access import Principal, Scope
from gateway.assembly import Gateway, assembled, running_clock, utc_now
from gateway.cli.files import print_report
from gateway.cli.summary import print_summary
from gateway.directory.documents import without_problems
from gateway.directory.model import Category, Directory, Restriction
from gateway.directory.oneroster import read_oneroster
from gateway.dispatch.owners import reclaim_from_the_dead
from gateway.dispatch.requests import Audience, Lane, NotificationRequest, Purpose
from gateway.dispatch.roster import Roster
from gateway.settings import Settings
from gateway.store.notifications import count, find_notification
from gateway.store.sending import next_due_at

_DONE = {"finished", "held", "cancelled"}
_DEAD_HOST = "@bounce.example.org"
_LOOK_SECONDS = 0.2
_PATIENCE = dt.timedelta(minutes=5)
_STALLED_SECONDS = 90.0
"""Without any news for so long, something is wrong: the log and `gateway doctor` say what."""
_ZONE = ZoneInfo("Europe/London")


async def run_demo(settings: Settings) -> int:
    """Import the sample school, send three notifications and account for every candidate."""
    console = Console()
    async with assembled(settings, now=school_morning(utc_now()), failures=dead_addresses) as gateway:
        directory = await _import_sample(gateway, console)
        if settings.embedded:
            await reclaim_from_the_dead(gateway.database)
            await gateway.work(list(Lane))
        async with running_clock(gateway):
            posted = [(name, await _post(gateway, directory, name)) for name in REQUESTS]
            unfinished = await _watch(gateway, directory.school.id, posted, console)
        async with gateway.database.reading() as connection:
            complete = [await print_summary(connection, console, name, identifier) for name, identifier in posted]
    if unfinished:
        console.print(f"\n[red]No progress for {_STALLED_SECONDS:.0f} s:[/] gateway doctor and the log say more.")
    console.print(f"\nThe outbox: [bold]{settings.outbox_dir}[/]  (email/*.eml, sms.jsonl, voice.jsonl, letters/*.pdf)")
    return 0 if all(complete) and not unfinished else 1


def school_morning(real_now: dt.datetime) -> Callable[[], dt.datetime]:
    """Give a clock that runs on from ten o'clock of this day at the school.

    Run in the evening, the demonstration would rightly wait for the end of the parents' quiet hours (R32).
    """
    morning = real_now.astimezone(_ZONE).replace(hour=10, minute=0, second=0, microsecond=0)
    return lambda: (morning + (utc_now() - real_now)).astimezone(dt.UTC)


def dead_addresses(envelope: Envelope) -> SendError | None:
    """Refuse the sample's dead mailboxes, so that the fall-back to the next contact point can be seen."""
    if isinstance(envelope.payload, Mail) and envelope.payload.recipient.endswith(_DEAD_HOST):
        return SendError(
            retry=Retry.NEVER,
            code="mailbox_unavailable",
            explanation="The mailbox does not exist.",
            provider_code="550 5.1.1",
            address_dead=True,
        )
    return None


async def _import_sample(gateway: Gateway, console: Console) -> Directory:
    sample = resources.files("gateway.sample")
    today = gateway.services.now().astimezone(_ZONE).date()
    imported = await asyncio.to_thread(read_oneroster, (sample / "hollins.zip").read_bytes(), today=today)
    approved = msgspec.json.decode((sample / "restrictions.json").read_bytes(), type=tuple[Restriction, ...])
    ids = {restriction.id for restriction in approved}
    drafts = [row for row in imported.directory.restrictions if row.id not in ids]
    # A file cannot approve a restriction: the sample's register stands for the two people who did.
    directory = msgspec.structs.replace(imported.directory, restrictions=(*approved, *drafts))
    report = await Roster(gateway.database, gateway.services.library, now=gateway.services.now).replace(
        without_problems(directory, today=today), today=today, lines=imported.refused, notes=imported.notes
    )
    console.rule(f"{directory.school.name}: the import")
    print_report(report, console)
    return directory


async def _post(gateway: Gateway, directory: Directory, name: str) -> str:
    principal = Principal(key="demo", name="demo", school=directory.school.id, scopes=frozenset(Scope))
    accepted = await gateway.services.intake.accept(principal, REQUESTS[name](directory), key=f"demo-{name}")
    answer: dict[str, object] = msgspec.json.decode(accepted.body)
    return str(answer["id"])


def _closure(_directory: Directory) -> NotificationRequest:
    return NotificationRequest(
        category=Category.EMERGENCY,
        purpose=Purpose.SAFETY,
        audience=Audience(everyone=True),
        template="emergency_closure",
        values={
            "closure_date": "2026-11-23",
            "reason": "a burst water pipe",
            "collect_at": "13:30",
            "collect_from": "the main gate",
        },
        reference="demo-closure",
    )


def _report(directory: Directory) -> NotificationRequest:
    return NotificationRequest(
        category=Category.REPORT,
        purpose=Purpose.PROGRESS,
        audience=Audience(students=tuple(student.id for student in directory.students)),
        template="report_ready",
        values={"term": "autumn 2026"},
        student_values={
            student.id: {
                "attendance_percent": str(90 + position % 11),
                "teacher_comment": f"{student.given_name} works with care and helps others.",
            }
            for position, student in enumerate(directory.students)
        },
        reference="demo-report",
    )


def _newsletter(_directory: Directory) -> NotificationRequest:
    return NotificationRequest(
        category=Category.NEWSLETTER,
        purpose=Purpose.INFORMATION,
        audience=Audience(everyone=True),
        template="newsletter",
        values={
            "issue": "7",
            "headline": "The new library is open",
            "story": "After a year of building, the library welcomes readers of every age.",
            "event_date": "2026-12-04",
        },
        reference="demo-newsletter",
    )


REQUESTS = {"emergency closure": _closure, "report": _report, "newsletter": _newsletter}


async def _watch(gateway: Gateway, school: str, posted: list[tuple[str, str]], console: Console) -> bool:
    """Show how far each notification has come until all are done; says whether it gave up on some."""
    columns = (
        TextColumn("{task.description:<18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bars = {identifier: progress.add_task(name, total=None, status="accepted") for name, identifier in posted}
        waiting = dict(bars)
        seen: dict[str, tuple[str, int, int]] = {}
        stalled_since = time.monotonic()
        while waiting and time.monotonic() - stalled_since < _STALLED_SECONDS:
            for identifier, bar in list(waiting.items()):
                status, done, total = now = await _progress(gateway, school, identifier)
                if seen.get(identifier) != now:
                    seen[identifier], stalled_since = now, time.monotonic()
                progress.update(bar, completed=done, total=total or None, status=status)
                if status in _DONE or await _only_waits(gateway, identifier, status):
                    del waiting[identifier]
            await asyncio.sleep(_LOOK_SECONDS)
    return bool(waiting)


async def _only_waits(gateway: Gateway, identifier: str, status: str) -> bool:
    """Whether all that is left waits for a later hour, such as the end of quiet hours.

    Workers of their own keep the real time, not this demonstration's.
    """
    if status != "sending":
        return False
    async with gateway.database.reading() as connection:
        due = await next_due_at(connection, identifier)
    return due is not None and due > utc_now() + _PATIENCE and due > gateway.services.now() + _PATIENCE


async def _progress(gateway: Gateway, school: str, identifier: str) -> tuple[str, int, int]:
    async with gateway.database.reading() as connection:
        row = await find_notification(connection, school, identifier)
        counts = await count(connection, identifier)
    states = counts["deliveries"]
    open_states = sum(states.get(state, 0) for state in ("queued", "sending", "retrying"))
    total = sum(states.values())
    return ("gone" if row is None else row.status), total - open_states, total
