"""An emergency to 3,600 parents by mail and text, on an idle gateway and while 100,000 newsletters drain."""

import asyncio
from typing import Any

from tests.bench.client import NotWorkingError
from tests.bench.families import student, write_school
from tests.bench.installation import Installation, Servers, installed
from tests.bench.mail import NEWSLETTER
from tests.bench.options import Options
from tests.bench.profiling import profiled
from tests.bench.servers import connect
from tests.bench.table import Result, median, say
from tests.bench.usage import in_words
from tests.bench.watching import Course, follow, until

_SOME_LEFT = "SELECT 1 FROM deliveries WHERE notification = $1 AND state = 'sent' LIMIT 1"
_HOW_MANY_LEFT = "SELECT count(*) FROM deliveries WHERE notification = $1 AND state = 'sent'"
_IN_HAND = "SELECT 1 FROM deliveries WHERE notification = $1 AND state IN ('queued', 'sending', 'retrying') LIMIT 1"
_WORKERS = {"emergency worker": ("emergency",), "bulk worker": ("bulk",)}


def measure(options: Options, running: Servers) -> list[Result]:
    """Send the same alert idle and busy, in turn; texts go to the outbox, mails to the sink."""
    reached, waiting = options.size(3_600, quick=20), options.size(100_000, quick=3_000)
    idle: list[Course] = []
    busy: list[Course] = []
    url = running.new_gateway_database("emergency")
    with installed(running, url, workers=_WORKERS) as gateway:
        asyncio.run(write_school(url, waiting, mobiles=reached))
        alert = _alert(reached)
        asyncio.run(_sent(gateway, alert, reached, profile=False))
        for _ in range(options.rounds):
            idle.append(asyncio.run(_sent(gateway, alert, reached, profile=False)))
            say(f"idle: {idle[-1].in_words()}")
            busy.append(asyncio.run(_sent_behind(gateway, alert, reached, waiting, profile=options.profile)))
            say(f"while {waiting:,} drain: {busy[-1].in_words()}")
            say(f"    processor seconds: {in_words(busy[-1].spent)}")
    if options.profile:
        return []
    last_idle, last_busy = (median([course.last for course in courses]) for courses in (idle, busy))
    first = max(course.first for course in busy)
    note = f"{last_busy:.2f} s against {last_idle:.2f} s"
    late = f"emergency behind {waiting:,} newsletters: last hand-over, times later"
    return [
        Result(what=late, figure=last_busy / last_idle, unit="x", goal=1.5, at_least=False, note=note),
        Result(what="the same: first hand-over, worst round", figure=first, unit="s", goal=1.0, at_least=False),
    ]


def _alert(reached: int) -> dict[str, Any]:
    students = [student(number) for number in range(reached // 2)]
    body = "Dear ((contact_name)), the school is closed today. Please collect ((student_names)) at the gate."
    content = {"language": "en", "subject": "The school is closed", "body": body}
    return {
        "category": "emergency",
        "purpose": "safety",
        "audience": {"students": students},
        "content": content,
    }


async def _sent(gateway: Installation, alert: dict[str, Any], reached: int, *, profile: bool) -> Course:
    async with profiled(gateway, "emergency", wanted=profile):
        return await follow(gateway, alert, expected=2 * reached, by_mail=False)


async def _sent_behind(
    gateway: Installation, alert: dict[str, Any], reached: int, waiting: int, *, profile: bool
) -> Course:
    """Post the newsletter, send the alert once the bulk lane is at it, and take the rest of the newsletter back."""
    connection = await connect(gateway.database_url)
    try:
        newsletter = await gateway.client.post(NEWSLETTER)

        async def some_left() -> bool:
            return await connection.fetchval(_SOME_LEFT, newsletter) is not None

        async def quiet() -> bool:
            return await connection.fetchval(_IN_HAND, newsletter) is None

        await until(some_left, gateway)
        course = await _sent(gateway, alert, reached, profile=profile)
        if await connection.fetchval(_HOW_MANY_LEFT, newsletter) >= waiting:
            raise NotWorkingError("The newsletter was through before the alert: let more wait.")
        await gateway.client.cancel(newsletter)
        await until(quiet, gateway)
        return course
    finally:
        await connection.close()
