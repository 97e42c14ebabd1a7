"""A text provider that misbehaves while it is told to, and tells what became of its texts: late, twice, in disorder.

It misbehaves when it is asked about its texts, too.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
from aiohttp import web

from gateway.assembly import utc_now
from tests.channels.twilio_server import TwilioServer, refusal
from tests.channels.web_stand_in import running
from tests.chaos.faults import Fault

_ODDS = {Fault.TEXT_429: 0.5, Fault.TEXT_500: 0.4, Fault.TEXT_TIMEOUT: 0.3, Fault.TEXT_CUT: 0.5}
_SECONDS_A_TEXT = (0.2, 0.8)
_HANGS_SECONDS = 3.0
_TELLS_FOR_SECONDS = 20.0


class TextProvider(TwilioServer):
    """Stores texts by delivery and posts their receipts; `trouble` says what goes wrong at the moment."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(utc_now)
        self.chance = chance
        self.trouble: set[Fault] = set()
        self.taken: Counter[str] = Counter()
        self.told: dict[str, str] = {}
        """The last news of each delivery that the gateway took with 2xx."""
        self._telling: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    @property
    def telling(self) -> bool:
        """Whether receipts are on their way."""
        return bool(self._telling)

    def store(self, form: dict[str, str]) -> dict[str, Any]:
        """Keep a text and begin to tell what becomes of it."""
        message = super().store(form)
        url = form["StatusCallback"]
        delivery = parse_qs(urlsplit(url).query)["delivery"][0]
        self.taken[delivery] += 1
        news = ["sent", "delivered"]
        shuffled = Fault.RECEIPTS_SHUFFLED in self.trouble
        if shuffled:
            news = [*news, *self.chance.choices(news, k=2)]
            self.chance.shuffle(news)
        for position, status in enumerate(news):
            delay = self.chance.uniform(0, 1) if shuffled else 0.1 * (position + 1)
            telling = asyncio.create_task(self._tell(message["sid"], status, url, delivery, delay))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)
        return message

    async def open(self) -> None:
        """Make ready to tell."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3))

    async def close(self) -> None:
        """Tell no more."""
        for telling in list(self._telling):
            telling.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _tell(self, sid: str, status: str, url: str, delivery: str, delay: float) -> None:
        """Post one receipt until it is taken, for a while."""
        assert self._session is not None
        await asyncio.sleep(delay)
        receipt = self.callback(sid, status, url=url)
        headers = dict(receipt.headers) | {"Content-Type": "application/x-www-form-urlencoded"}
        deadline = asyncio.get_running_loop().time() + _TELLS_FOR_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            try:
                async with self._session.post(url, data=receipt.body, headers=headers) as answer:
                    if answer.ok:
                        if self.told.get(delivery) != "delivered":
                            self.told[delivery] = status
                        return
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(0.3)

    async def _problem(self, request: web.Request) -> web.StreamResponse | None:
        if problem := await super()._problem(request):
            return problem
        if request.method == "POST":
            await asyncio.sleep(self.chance.uniform(*_SECONDS_A_TEXT))
        for fault in sorted(self.trouble & _ODDS.keys()):
            if self.chance.random() < _ODDS[fault]:
                return await self._misbehave(fault, request)
        return None

    async def _misbehave(self, fault: Fault, request: web.Request) -> web.StreamResponse | None:
        if fault is Fault.TEXT_429:
            return refusal(429, 20429, Retry_After="2")
        if request.method == "POST" and (fault is Fault.TEXT_CUT or self.chance.random() < 0.5):
            self.store(await _form(request))
        if fault is Fault.TEXT_500:
            return refusal(500, 20500)
        if fault is Fault.TEXT_TIMEOUT:
            await asyncio.sleep(_HANGS_SECONDS)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


async def _form(request: web.Request) -> dict[str, str]:
    return {name: str(value) for name, value in (await request.post()).items()}


@asynccontextmanager
async def running_provider(chance: random.Random) -> AsyncIterator[TextProvider]:
    """Serve a text provider on a free port of loopback."""
    provider = TextProvider(chance)
    async with running(provider):
        await provider.open()
        try:
            yield provider
        finally:
            await provider.close()
