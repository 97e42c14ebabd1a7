"""Fan-out: one newsletter to 10,000 mailboxes, from the 202 to the last state recorded, beside two references."""

import asyncio

from tests.bench.families import school_document
from tests.bench.installation import Installation, Servers, bulk_workers, installed
from tests.bench.mail import NEWSLETTER, sample_mail
from tests.bench.options import Options
from tests.bench.post_office import PostOffice, post_office
from tests.bench.profiling import profiled
from tests.bench.servers import new_database
from tests.bench.smtp_source import SESSIONS, length_for, smtp_source
from tests.bench.table import Result, median, say
from tests.bench.usage import in_words
from tests.bench.watching import Course, follow

NOTIFY_TO_SENT = 139
"""Mails a second to "sending" of GOV.UK Notify's own server on two cores (measured, design ground)."""


async def _one_round(gateway: Installation, mails: int, *, profile: bool) -> Course:
    async with profiled(gateway, "fanout", wanted=profile):
        return await follow(gateway, NEWSLETTER, expected=mails)


def measure(options: Options, running: Servers) -> list[Result]:
    """Take every contender in turn, in every round."""
    mails = options.size(10_000, quick=200)
    courses: list[Course] = []
    kept: list[float] = []
    fresh: list[float] = []
    peer: list[float] = []
    mail = sample_mail()
    new_database(running.postgresql, "post_office")
    url = running.new_gateway_database("fanout")
    with installed(running, url, workers=bulk_workers(options.workers)) as gateway:
        asyncio.run(gateway.client.put_directory(school_document(mails)))
        warm = asyncio.run(_one_round(gateway, mails, profile=options.profile))
        say(f"warming up: {warm.in_words()}; {warm.bytes_each:,.0f} bytes a mail")
        length = length_for(running.sink, warm.bytes_each)
        for _ in range(options.rounds):
            courses.append(asyncio.run(_one_round(gateway, mails, profile=options.profile)))
            say(f"gateway, {options.workers} workers: {courses[-1].in_words()}")
            say(f"    processor seconds: {in_words(courses[-1].spent)}")
            if options.profile:
                continue
            kept.append(smtp_source(running.sink, mails, length, keep=True))
            fresh.append(smtp_source(running.sink, mails, length, keep=False))
            say(f"smtp-source -s {SESSIONS}: {kept[-1]:,.0f}/s on kept connections, {fresh[-1]:,.0f}/s on new ones")
            took = post_office(running, "post_office", mail, mails, PostOffice())
            peer.append(mails / (took["queued"] + took["sent"]))
            say(f"django-post_office: {peer[-1]:,.0f}/s, of which sending {mails / took['sent']:,.0f}/s")
        peaks = gateway.memory()
    say("peak MB: " + " · ".join(f"{name} {megabytes:.0f}" for name, megabytes in peaks.items()))
    if options.profile:
        return []
    ours = median([course.rate for course in courses])
    sending = median([course.sending_rate for course in courses])
    return [
        Result(
            what="fan-out against smtp-source -d -s 8 (kept connections)",
            figure=ours / median(kept), unit="x", goal=0.8, note=f"{ours:,.0f}/s against {median(kept):,.0f}/s",
        ),
        Result(
            what="fan-out against smtp-source -s 8 (a connection a mail)",
            figure=ours / median(fresh), unit="x", goal=0.8, note=f"{ours:,.0f}/s against {median(fresh):,.0f}/s",
        ),
        Result(
            what="fan-out against django-post_office, 2 processes",
            figure=ours / median(peer), unit="x", goal=10, note=f"{ours:,.0f}/s against {median(peer):,.0f}/s",
        ),
        Result(
            what="first hand-over to last `sent`, 30 times GOV.UK Notify's",
            figure=sending, unit="/s", goal=30 * NOTIFY_TO_SENT,
        ),
    ]  # fmt: skip
