"""Texts through the Twilio adapter, beside plain aiohttp POSTs of the same forms to the same server, in turn.

Both keep as many requests in flight, read each answer and take the text's id from it. The server is another process.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from time import perf_counter

import aiohttp
import uvloop

from channels.base import Envelope, Text
from channels.sms_twilio import TwilioSettings, TwilioTexts
from gateway.assembly import utc_now
from gateway.cli.processes import collect_less_often
from tests.bench.client import NotWorkingError
from tests.bench.installation import Servers
from tests.bench.options import Options
from tests.bench.servers import end
from tests.bench.table import Result, median, say
from tests.bench.text_server import PATH
from tests.channels.twilio_server import ACCOUNT_SID, AUTH_TOKEN, FROM_NUMBER

AT_ONCE = 20
BATCH = 100
"""Envelopes in one `send`, as the workers do it."""
CALLBACK = "https://gateway.example.org/v1/receipts/twilio"
GOAL = 0.7

_BODY = "Oak School: Ada is not at school today and nobody has told us why. Please call 020 7946 0123."
_ROOT = Path(__file__).parents[2]


def measure(options: Options, _running: Servers) -> list[Result]:
    """Compare the two, round by round."""
    number = options.size(5_000, quick=50)
    collect_less_often()
    ours: list[float] = []
    plain: list[float] = []
    with text_server() as url:
        for _ in range(options.rounds):
            plain.append(uvloop.run(_plain_posts(url, number)))
            ours.append(uvloop.run(_through_the_adapter(url, number)))
            say(f"plain aiohttp {plain[-1]:,.0f}/s, TwilioTexts {ours[-1]:,.0f}/s")
    ratios = [our / bare for our, bare in zip(ours, plain, strict=True)]
    note = f"{median(ours):,.0f}/s of {median(plain):,.0f}/s, {AT_ONCE} at once"
    return [Result(what="texts, of plain aiohttp POSTs", figure=median(ratios), unit="x", goal=GOAL, note=note)]


@contextmanager
def text_server() -> Iterator[str]:
    """Run the server; gives its URL."""
    command = [sys.executable, "-m", "tests.bench.text_server"]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        end(process)
        if process.stdout is not None:
            process.stdout.close()


async def _plain_posts(url: str, number: int) -> float:
    """Post forms with nothing between aiohttp and us; gives texts a second."""
    waiting, sids = iter(range(number)), set[str]()
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    auth = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT_SID, AUTH_TOKEN)}
    async with aiohttp.ClientSession(connector=connector, headers=auth) as session:

        async def work() -> None:
            for each in waiting:
                async with session.post(url + PATH, data=_form(each)) as answer:
                    sids.add(json.loads(await answer.text())["sid"])

        started = perf_counter()
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        seconds = perf_counter() - started
    return _rate(number, len(sids), seconds)


def _form(number: int) -> dict[str, str]:
    return {
        "To": _number(number),
        "StatusCallback": f"{CALLBACK}?delivery=d{number}",
        "ValidityPeriod": "36000",
        "From": FROM_NUMBER,
        "Body": _BODY,
    }


def _number(number: int) -> str:
    return f"+447700900{number % 1000:03}"


async def _through_the_adapter(url: str, number: int) -> float:
    """Hand texts over in batches, as workers do."""
    settings = TwilioSettings(
        account_sid=ACCOUNT_SID,
        auth_token=AUTH_TOKEN,
        from_number=FROM_NUMBER,
        api_base_url=url,
        status_callback_url=CALLBACK,
        connections=AT_ONCE,
    )
    channel, sids = TwilioTexts(settings, now=utc_now), set[str | None]()
    texts = [_text(each) for each in range(number)]
    await channel.open()
    started = perf_counter()
    for batch in _batches(texts):
        async with aclosing(channel.send(batch)) as answers:
            async for answer in answers:
                sids.add(answer.provider_id)
    seconds = perf_counter() - started
    await channel.close()
    return _rate(number, len(sids - {None}), seconds)


def _text(number: int) -> Envelope:
    return Envelope(
        delivery=f"d{number}", payload=Text(recipient=_number(number), body=_BODY, segments=1, language="en")
    )


def _batches(texts: Sequence[Envelope]) -> Iterator[Sequence[Envelope]]:
    return (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))


def _rate(number: int, taken: int, seconds: float) -> float:
    if taken != number:
        raise NotWorkingError(f"Only {taken} of {number} texts were taken.")
    return number / seconds
