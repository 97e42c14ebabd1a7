"""A newsletter to very many: neither the time for each delivery nor the memory of a process may grow with them."""

import asyncio

from tests.bench.families import write_school
from tests.bench.installation import Installation, Servers, bulk_workers, installed
from tests.bench.mail import NEWSLETTER
from tests.bench.options import Options
from tests.bench.profiling import profiled
from tests.bench.table import Result, median, say
from tests.bench.usage import in_words
from tests.bench.watching import Course, follow

_PATIENCE = 3 * 3_600
MOST_MEGABYTES = 100
"""How much more memory a process may need for the many than for the few."""


def measure(options: Options, running: Servers) -> list[Result]:
    """Send to few as often as there are rounds, then once to many, each in a fresh installation."""
    few, many = options.size(10_000, quick=100), options.size(100_000, quick=300, full=1_000_000)
    small, light = _sent(options, running, few, rounds=options.rounds, profile=False)
    large, heavy = _sent(options, running, many, rounds=1, profile=options.profile)
    each_small, each_large = (median([course.last / course.deliveries for course in own]) for own in (small, large))
    grown = {name: heavy[name] - light[name] for name in light}
    worst = max(grown, key=lambda name: grown[name])
    note = f"{1e6 * each_large:,.0f} µs against {1e6 * each_small:,.0f} µs"
    most = ", ".join(f"{name} {megabytes:.0f}" for name, megabytes in heavy.items())
    return [
        Result(
            what=f"{many:,} deliveries against {few:,}: time for each",
            figure=each_large / each_small,
            unit="x",
            goal=1.3,
            at_least=False,
            note=note,
        ),
        Result(
            what=f"the same: growth of peak memory, worst process ({worst})",
            figure=grown[worst],
            unit="MB",
            goal=MOST_MEGABYTES,
            at_least=False,
            note=f"peaks in MB: {most}",
        ),
    ]


def _sent(
    options: Options, running: Servers, contacts: int, *, rounds: int, profile: bool
) -> tuple[list[Course], dict[str, float]]:
    url = running.new_gateway_database(f"newsletter_{contacts}")
    with installed(running, url, workers=bulk_workers(options.workers)) as gateway:
        asyncio.run(write_school(url, contacts))
        courses = []
        for _ in range(rounds):
            courses.append(asyncio.run(_one_round(gateway, contacts, profile=profile)))
            say(courses[-1].in_words())
            say(f"    processor seconds: {in_words(courses[-1].spent)}")
        return courses, gateway.memory()


async def _one_round(gateway: Installation, contacts: int, *, profile: bool) -> Course:
    async with profiled(gateway, "million", wanted=profile):
        return await follow(gateway, NEWSLETTER, expected=contacts, patience=_PATIENCE)
