"""One Twilio account in use: its client over the shared session, and what is wrong with the account."""

import asyncio
import datetime as dt
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]  # twilio ships no type marker
from twilio.rest import Client  # type: ignore[import-untyped]  # the same

from channels import api_http
from channels.api_http import CONNECT_SECONDS, RefusalError
from channels.base import Call, Envelope, Handover, Text
from channels.handing_over import answer_each
from channels.twilio_http import TwilioHttp

CLOCKS_DIFFER = dt.timedelta(minutes=1)
"""By how much Twilio's clock may be behind ours."""

LEFT_WITHOUT_ANSWER = (*api_http.LEFT_WITHOUT_ANSWER, TwilioException, TypeError, AttributeError, KeyError)
"""The same as of other providers, and what Twilio's client makes of answers that are not as documented."""

Find = Callable[[str, Sequence[Envelope]], Awaitable[dict[str, Handover]]]
"""Matches what Twilio has for a number with the envelopes to it; leaves out those that Twilio has not got."""


class TwilioAccount:
    """The way to one account; `open` and `close` frame its life in one event loop."""

    def __init__(self, sid: str, auth_token: str, *, base_url: str, connections: int, timeout: float) -> None:
        self._sid = sid
        self._auth_token = auth_token
        self._base_url = base_url
        self._connections = connections
        self._timeout = timeout
        self._http: TwilioHttp | None = None
        self._client: Any = None

    async def open(self) -> None:
        """Make the session in the running loop."""
        if self._http is not None:
            return
        self._http = TwilioHttp(self._connections, min(CONNECT_SECONDS, self._timeout / 2))
        self._client = Client(
            self._sid,
            self._auth_token,
            http_client=self._http,
            # Without it the client reads regions and edges from the process's environment.
            environment={"TWILIO_ACCOUNT_SID": self._sid},
        )
        self._client.api.base_url = self._base_url

    async def close(self) -> None:
        """Close the session; idempotent."""
        http, self._http, self._client = self._http, None, None
        if http is not None:
            await http.close()

    @property
    def is_open(self) -> bool:
        """Whether the client may be used."""
        return self._http is not None

    @property
    def client(self) -> Any:
        """Twilio's own client; raises RuntimeError before `open`: that is a fault of ours, not of Twilio."""
        if self._http is None:
            raise RuntimeError("Open the Twilio channel before using it.")
        return self._client

    async def look_up(
        self, envelopes: Sequence[Envelope], kind: type[Text] | type[Call], find: Find
    ) -> list[Handover | None]:
        """Find unanswered envelopes, all of one number at a time; None where Twilio has not got it."""
        by_number: dict[str, list[Envelope]] = defaultdict(list)
        for envelope in envelopes:
            if isinstance(envelope.payload, kind):
                by_number[envelope.payload.recipient].append(envelope)
        found: dict[str, Handover] = {}
        answers = answer_each(list(by_number.items()), lambda each: find(*each), concurrency=self._connections)
        async for answer in answers:
            found |= answer
        return [found.get(envelope.delivery) for envelope in envelopes]

    async def check(self) -> str | None:
        """Ask Twilio for the account, and say in one sentence what is wrong with it."""
        try:
            async with asyncio.timeout(self._timeout):
                account = await self.client.api.v2010.accounts(self._sid).fetch_async()
        except RefusalError as refusal:
            return (
                f"Twilio refuses the account (HTTP {refusal.status}): "
                "check GATEWAY_TWILIO_ACCOUNT_SID and GATEWAY_TWILIO_AUTH_TOKEN."
            )
        except LEFT_WITHOUT_ANSWER:
            return "Twilio cannot be reached: check the network and GATEWAY_TWILIO_API_BASE_URL."
        return None if account.status == "active" else "Twilio reports that the school's account is not active."
