"""The server that texts are posted to: it reads each form and answers as Twilio does, and keeps nothing.

Runs as a process of its own: `python -m tests.bench.text_server` prints its port.
"""

import asyncio
import itertools
import sys

import msgspec
import uvloop
from aiohttp import web

from gateway.cli.processes import collect_less_often
from tests.channels.twilio_server import ACCOUNT_SID, FROM_NUMBER

PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"


def application() -> web.Application:
    """Take texts and give each an id of its own."""
    numbers = itertools.count(1)

    async def create(request: web.Request) -> web.Response:
        form = await request.post()
        sid = f"SM{next(numbers):032x}"
        return web.Response(status=201, body=_answer(sid, form["To"], form["Body"]), content_type="application/json")

    bare = web.Application()
    bare.router.add_post(PATH, create)
    return bare


def _answer(sid: str, to: object, body: object) -> bytes:
    """Write a message resource as long as Twilio's."""
    uri = f"{PATH.removesuffix('.json')}/{sid}"
    return msgspec.json.encode(
        {
            "account_sid": ACCOUNT_SID,
            "api_version": "2010-04-01",
            "body": body,
            "date_created": "Mon, 23 Nov 2026 08:30:00 +0000",
            "date_sent": None,
            "date_updated": "Mon, 23 Nov 2026 08:30:00 +0000",
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": FROM_NUMBER,
            "messaging_service_sid": None,
            "num_media": "0",
            "num_segments": "1",
            "price": None,
            "price_unit": "GBP",
            "sid": sid,
            "status": "queued",
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": to,
            "uri": f"{uri}.json",
        }
    )


async def serve() -> None:
    """Listen on a free port until ended."""
    runner = web.AppRunner(application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    collect_less_often()  # as serve does
    uvloop.run(serve())
