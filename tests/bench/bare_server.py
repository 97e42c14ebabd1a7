"""The reference of intake and receipts: the same aiohttp handlers without storing.

They read and check a notification by the same types as intake, a status callback by the same signature, and answer the
same, but keep nothing and ask no database. Runs as a process of its own: `python -m tests.bench.bare_server PORT KEY`.
"""

import asyncio
import hmac
import sys

import msgspec
import uvloop
from aiohttp import web

from channels.base import CallbackRequest
from channels.twilio_signature import believed_form
from gateway.access import hash_secret, split_key
from gateway.cli.processes import collect_less_often
from gateway.dispatch.requests import NotificationRequest
from tests.bench.receipts import PUBLIC_URL, TOKEN

_ANSWER = msgspec.json.encode({"id": "06h011sr94t4736na3mcr2n7v0", "status": "accepted", "links": {"self": "/v1/…"}})


def application(key: str) -> web.Application:
    """Serve intake, for one key, and callbacks."""
    _, secret = split_key(key) or ("", "")
    known = hash_secret(secret)

    async def post_notification(request: web.Request) -> web.Response:
        _, presented = split_key(request.headers["Authorization"].removeprefix("Bearer ")) or ("", "")
        if not hmac.compare_digest(hash_secret(presented), known) or not request.headers.get("Idempotency-Key"):
            return web.Response(status=401)
        try:
            msgspec.json.decode(await request.read(), type=NotificationRequest)
        except msgspec.MsgspecError:
            return web.Response(status=422)
        return web.Response(status=202, body=_ANSWER, content_type="application/json")

    async def post_receipt(request: web.Request) -> web.Response:
        url = f"{PUBLIC_URL}{request.raw_path}"
        believed_form(CallbackRequest(url=url, headers=request.headers, body=await request.read()), TOKEN)
        return web.Response(status=204)

    bare = web.Application()
    bare.router.add_post("/v1/receipts/twilio", post_receipt)
    bare.router.add_post("/v1/notifications", post_notification)
    return bare


async def serve(port: int, key: str) -> None:
    """Listen until ended."""
    runner = web.AppRunner(application(key), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    collect_less_often()  # as serve does
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2]))
