"""Twilio fails, Sinch takes over: two companies, two protocols, no text lost and none sent twice."""

import datetime as dt
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from channels.base import CallbackRequest
from gateway.settings import Share
from gateway.settings.texts import TextSettings
from gateway.web import make_application
from tests.channels import sinch_server, twilio_server
from tests.channels.sinch_server import SinchServer
from tests.channels.twilio_server import TwilioServer
from tests.channels.web_stand_in import cuts
from tests.flow.families import MUM_NUMBER, parents
from tests.flow.installation import Installation, installed
from tests.unit.rules.households import directory, mobile

RECEIPTS = "/v1/receipts/sinch"


@dataclass
class Providers:
    """A gateway with two text providers, the second of which stands by."""

    gateway: Installation
    twilio: TwilioServer
    sinch: SinchServer

    async def post(self) -> str:
        """Send something to a mother who has a mobile only."""
        await self.gateway.put(directory(relationships=parents("mum"), contact_points=[mobile("mum", MUM_NUMBER)]))
        notification = await self.gateway.post("report")
        await self.gateway.at_rest()
        return notification

    async def confirmed(self) -> bool:
        """Tell whether Sinch has been given a text."""
        return bool(self.sinch.batches)

    async def tell(self, status: str, code: int, **more: object) -> int:
        """Call back as Sinch does about its last batch, over HTTP; gives the answer's status."""
        batch = self.sinch.batches[-1]
        about = {"batch_id": batch["id"], "client_reference": batch["client_reference"]}
        now = self.gateway.time()
        report = sinch_server.delivery_report(status, code, at=now, **{**about, **more})
        return await self.call(sinch_server.callback(report, url=RECEIPTS, at=now))

    async def call(self, request: CallbackRequest) -> int:
        """Post a callback to the gateway's API."""
        async with TestClient(TestServer(make_application(self.gateway.front.services))) as client:
            answer = await client.post(request.url, data=request.body, headers=dict(request.headers))
            return answer.status


@pytest.fixture
async def providers(servers_urls: tuple[str, str | None], tmp_path: Path) -> AsyncIterator[Providers]:
    """Set it up on real connections."""
    async with running(servers_urls, tmp_path, twilio_is_there=True) as providers:
        yield providers


@asynccontextmanager
async def running(
    servers_urls: tuple[str, str | None], folder: Path, *, twilio_is_there: bool
) -> AsyncIterator[Providers]:
    """Run both stand-ins and a gateway that knows them."""
    async with AsyncExitStack() as stack:
        gateways: list[Installation] = []

        def now() -> dt.datetime:
            """Tell the gateway's time to the stand-ins, which are up before it is."""
            return gateways[0].time()

        twilio = await stack.enter_async_context(twilio_server.running_twilio(now))
        sinch = await stack.enter_async_context(sinch_server.running_sinch(now))
        nowhere = stack.enter_context(socket.socket())
        nowhere.bind(("127.0.0.1", 0))
        texts = TextSettings(
            sms_provider=(Share("twilio", 1), Share("sinch", 0)),
            twilio_account_sid=twilio_server.ACCOUNT_SID,
            twilio_auth_token=twilio_server.AUTH_TOKEN,
            twilio_from=twilio_server.FROM_NUMBER,
            twilio_api_base_url=twilio.base_url if twilio_is_there else f"http://127.0.0.1:{nowhere.getsockname()[1]}",
            sinch_service_plan_id=sinch_server.PLAN_ID,
            sinch_api_token=sinch_server.API_TOKEN,
            sinch_from=sinch_server.SENDER,
            sinch_callback_secret=sinch_server.CALLBACK_SECRET,
            sinch_api_base_url=sinch.base_url,
        )
        gateway = await stack.enter_async_context(installed(*servers_urls, folder, changes={"texts": texts}))
        gateways.append(gateway)
        yield Providers(gateway, twilio, sinch)


async def test_who_cannot_be_reached_is_replaced(servers_urls: tuple[str, str | None], tmp_path: Path) -> None:
    """The text leaves by Sinch, and Sinch's report makes it delivered: once, however often it is told."""
    async with running(servers_urls, tmp_path, twilio_is_there=False) as providers:
        notification = await providers.post()
        for _ in range(3):
            await providers.gateway.forward(seconds=30)
        [batch] = providers.sinch.batches
        [row] = await providers.gateway.deliveries(notification)
        assert (row.state, row.provider, row.provider_id) == ("sent", "sinch", batch["id"])
        assert batch["client_reference"] == row.id
        assert [await providers.tell("Delivered", 0) for _ in range(2)] == [204, 204]
        assert await providers.tell("Dispatched", 401) == 204
        assert await providers.gateway.states(notification) == {"mum-m": "delivered"}
        assert len(providers.sinch.batches) == 1


async def test_a_lost_answer_is_looked_up_where_the_text_was_handed_to(providers: Providers) -> None:
    """Sinch took it and did not say so: nobody gives it to Twilio, or to Sinch again."""
    providers.twilio.next_requests(*[twilio_server.refuses(429, 20429)] * 3)
    providers.sinch.next_requests(cuts(providers.sinch, stored=True))
    notification = await providers.post()
    for _ in range(4):
        await providers.gateway.forward(seconds=60)
    [row] = await providers.gateway.deliveries(notification)
    assert (row.state, row.provider) == ("sent", "sinch")
    assert row.provider_id == providers.sinch.batches[0]["id"]
    assert len(providers.sinch.batches) == 1
    assert providers.twilio.messages == []


async def test_stop_is_obeyed_and_confirmed_by_who_brought_it(providers: Providers) -> None:
    """Once, however often Sinch tells it; nothing more goes to the number."""
    await providers.gateway.put(directory(relationships=parents("mum"), contact_points=[mobile("mum", MUM_NUMBER)]))
    now = providers.gateway.time()
    stop = {"type": "mo_text", "id": "01STOP", "from": MUM_NUMBER[1:], "to": "441632960000", "body": "Stop"}
    for _ in range(2):
        assert await providers.call(sinch_server.callback(stop, url=RECEIPTS, at=now)) == 204
    await providers.gateway.until(providers.confirmed)
    assert [batch["to"] for batch in providers.sinch.batches] == [[MUM_NUMBER[1:]]]
    await providers.gateway.post("report")
    await providers.gateway.at_rest()
    assert (len(providers.sinch.batches), providers.twilio.messages) == (1, [])


@pytest.mark.parametrize("spoilt", ["forged", "stale", "truncated"])
async def test_a_callback_that_is_not_believed_changes_nothing(providers: Providers, spoilt: str) -> None:
    """Over HTTP, too: a 4xx, and the text is what it was."""
    providers.twilio.next_requests(*[twilio_server.refuses(429, 20429)] * 3)
    notification = await providers.post()
    for _ in range(3):
        await providers.gateway.forward(seconds=30)
    before = await providers.gateway.states(notification)
    about = {name: providers.sinch.batches[0][name] for name in ("client_reference",)}
    now = providers.gateway.time()
    report = sinch_server.delivery_report("Failed", 150, at=now, **about)
    requests = {
        "forged": sinch_server.callback(report, url=RECEIPTS, at=now, secret="a guess"),
        "stale": sinch_server.callback(report, url=RECEIPTS, at=now.replace(year=2025)),
        "truncated": sinch_server.callback(json.dumps(report).encode()[:-9], url=RECEIPTS, at=now),
    }
    assert 400 <= await providers.call(requests[spoilt]) < 500
    assert await providers.gateway.states(notification) == before == {"mum-m": "sent"}
