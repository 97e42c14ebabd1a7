"""Providers' callbacks over HTTP: forged, too large, broken off, garbled, while the database is away, and in pieces."""

import asyncio
import datetime as dt
import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from sqlalchemy import select, text

from channels.base import Receipt, ReceiptStatus
from channels.twilio_signature import LARGEST_BODY, signature
from gateway.access import Scope
from gateway.api.callbacks import MOST_BYTES
from gateway.dispatch.receipts import MOST_HELD
from gateway.settings.readers import Share
from gateway.settings.texts import TextSettings
from gateway.store.tables import deliveries, receipts
from gateway.web import make_application, serving
from tests.api.office import NOTICE, Office, opened
from tests.api.test_operations import figures, labels

TOKEN = "invented-token-of-the-callback-tests"
SID = "SM" + "1" * 32
TEXTS = TextSettings(
    sms_provider=(Share("twilio", 1), Share("outbox", 1), Share("sinch", 1)),
    twilio_account_sid="AC" + "0" * 32,
    twilio_auth_token=TOKEN,
    twilio_from="+447700900001",
    sinch_service_plan_id="invented",
    sinch_api_token="invented",
    sinch_from="+447700900001",
    sinch_callback_secret="invented-secret-of-the-callback-tests",
)


@pytest_asyncio.fixture
async def office(database_url: str, tmp_path: Any) -> AsyncIterator[Office]:
    """Give an office with several providers of texts, one of them Twilio."""
    async with opened(database_url, tmp_path, changes={"texts": TEXTS}) as office:
        yield office


async def texted(office: Office, *, sid: str = SID) -> str:
    """Let Twilio have a delivery; gives its id."""
    posted = await office.post("/v1/notifications", NOTICE)
    await office.deliver(posted.json["id"])
    async with office.gateway.database.writing() as connection:
        row = (await connection.execute(select(deliveries))).one()
        handed_over = {"provider": "twilio", "provider_id": sid, "state": "sent"}
        await connection.execute(deliveries.update().values(handed_over))
    return str(row.id)


def form(**fields: str) -> dict[str, str]:
    """Write what Twilio says of a text."""
    return {"MessageSid": SID, "MessageStatus": "delivered", "To": "+447700900002", **fields}


async def call(office: Office, path: str, body: bytes, *, given: str | None) -> Any:
    """Post a callback with this signature."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if given is not None:
        headers["X-Twilio-Signature"] = given
    return await office.call("POST", path, key=None, headers=headers, data=body)


def signed(office: Office, path: str, fields: dict[str, str]) -> str:
    """Sign as Twilio does."""
    return signature(TOKEN, f"{office.gateway.services.public_url}{path}", fields.items())


async def kept(office: Office) -> list[Any]:
    """List what is on record."""
    async with office.gateway.database.reading() as connection:
        return list(await connection.execute(select(receipts)))


async def state_of(office: Office, delivery: str) -> str:
    """Tell where a delivery stands."""
    async with office.gateway.database.reading() as connection:
        return str((await connection.execute(select(deliveries.c.state).where(deliveries.c.id == delivery))).scalar())


async def until_applied(office: Office) -> None:
    """Let what was answered be applied."""
    await office.gateway.services.receipts.finish(patience=10)


async def test_a_signed_callback_changes_its_delivery(office: Office) -> None:
    """Durable when it is answered, and applied soon after; told again it changes nothing."""
    delivery = await texted(office)
    path = f"/v1/receipts/twilio?delivery={delivery}"
    for _ in range(2):
        answer = await call(office, path, urlencode(form()).encode(), given=signed(office, path, form()))
        assert answer.status == 204
    assert len(await kept(office)) == 1
    await until_applied(office)
    assert await state_of(office, delivery) == "delivered"


async def test_many_callbacks_at_once_share_their_transactions(office: Office) -> None:
    """All are answered, kept and applied."""
    delivery = await texted(office)
    path = f"/v1/receipts/twilio?delivery={delivery}"
    told = [form(MessageStatus=status) for status in ("queued", "sending", "sent", "delivered", "read")] * 10
    answers = await asyncio.gather(
        *(call(office, path, urlencode(each).encode(), given=signed(office, path, each)) for each in told)
    )
    assert {answer.status for answer in answers} == {204}
    await until_applied(office)
    rows = await kept(office)
    assert len(rows) == 5
    assert all(row.applied_at is not None and row.refused is None for row in rows)
    assert await state_of(office, delivery) == "delivered"


_FORGED = "bm90IHR3aWxpbyBhdCBhbGw="


@pytest.mark.parametrize(
    ("body", "given", "status", "reason"),
    [
        pytest.param(urlencode(form()).encode(), _FORGED, 403, "forged", id="forged"),
        pytest.param(urlencode(form()).encode(), None, 403, "forged", id="without a signature"),
        pytest.param(urlencode(form()).encode()[:-40], "true", 400, "unreadable", id="cut in the middle"),
        pytest.param(b"MessageSid=%ff%fe&MessageStatus=sent", "true", 400, "unreadable", id="not UTF-8"),
        pytest.param("MessageSid=Ä".encode(), "true", 400, "unreadable", id="not ASCII"),
        pytest.param(b"x=" + b"y" * LARGEST_BODY, "true", 413, "too_large", id="too large for Twilio"),
        pytest.param(b"x=" + b"y" * MOST_BYTES, "true", 413, "too_large", id="too large for anybody"),
    ],
)
async def test_what_is_not_believed_changes_nothing(
    office: Office, body: bytes, given: str | None, status: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One clear sentence, a count and a line in the log that names nobody."""
    delivery = await texted(office)
    path = f"/v1/receipts/twilio?delivery={delivery}"
    with caplog.at_level(logging.WARNING):
        answer = await call(office, path, body, given=signed(office, path, form()) if given == "true" else given)
    assert answer.status == status
    answer.as_problem()
    assert await kept(office) == []
    assert await state_of(office, delivery) == "sent"
    refused = (await figures(office))["gateway_receipts_refused_total"]
    assert refused == {labels(provider="twilio", reason=reason): 1}
    (line,) = [record for record in caplog.records if record.message == "callback_refused"]
    assert (line.provider, line.reason) == ("twilio", reason)
    assert "447700900" not in caplog.text + answer.text


@pytest.mark.parametrize("provider", ["twilio", "sinch"])
async def test_a_signature_that_is_no_text_is_forged(office: Office, provider: str) -> None:
    """Bytes beyond ASCII in a header are nobody's signature, and no fault of ours."""
    head = (
        f"POST /v1/receipts/{provider} HTTP/1.1\r\nHost: gateway\r\nContent-Length: 0\r\n"
        "X-Twilio-Signature: \xff\xfe\r\nX-Sinch-Webhook-Signature: \xff\xfe\r\n"
        "X-Sinch-Webhook-Signature-Nonce: \xff\r\nX-Sinch-Webhook-Signature-Timestamp: \xff\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", office.client.server.port)
    writer.write(head.encode("latin-1"))
    assert (await reader.readline()).split()[1] == b"403"
    writer.close()
    await writer.wait_closed()
    refused = (await figures(office))["gateway_receipts_refused_total"]
    assert refused == {labels(provider=provider, reason="forged"): 1}


async def test_while_the_database_hangs_only_so_much_news_is_held(office: Office) -> None:
    """What is beyond is refused at once and stays with its provider; what is held is kept in the end."""
    desk, path = office.gateway.services.receipts, "/v1/receipts/twilio"
    held = [
        Receipt(provider="p", event_id=str(n), status=ReceiptStatus.SENT, at=dt.datetime.now(dt.UTC))
        for n in range(MOST_HELD)
    ]
    async with office.gateway.database.writing() as connection:
        if not office.gateway.database.sqlite:  # which has one writer anyway
            await connection.execute(text("LOCK TABLE receipts IN ACCESS EXCLUSIVE MODE"))
        waiting = asyncio.create_task(desk.keep(held))
        answer = await call(office, path, urlencode(form()).encode(), given=signed(office, path, form()))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    answer.as_problem()
    await waiting
    again = await call(office, path, urlencode(form()).encode(), given=signed(office, path, form()))
    assert again.status == 204
    assert len(await kept(office)) == MOST_HELD + 1


async def test_an_id_that_is_none_is_refused(office: Office) -> None:
    """No id of ours has a NUL; the database would stumble over it."""
    path = "/v1/receipts/twilio?delivery=a%00b"
    answer = await call(office, path, urlencode(form()).encode(), given=signed(office, path, form()))
    assert answer.status == 400
    assert await kept(office) == []


async def test_a_name_that_nobody_has_is_refused(office: Office) -> None:
    """And becomes no figure of its own: whoever calls may make names up."""
    assert (await call(office, "/v1/receipts/robin", b"", given=None)).status == 404
    assert "robin" not in str(await figures(office))


async def test_a_body_that_breaks_off_is_counted_and_harms_nobody(office: Office) -> None:
    """Twilio's connection is cut in the middle of its words."""
    await texted(office)
    head = "POST /v1/receipts/twilio HTTP/1.1\r\nHost: gateway\r\nExpect: 100-continue\r\nContent-Length: 500\r\n\r\n"
    # Served as in earnest: the test client's server ends a handler whose caller has gone.
    async with serving(make_application(office.gateway.services), host="127.0.0.1", port=0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode())
        assert (await reader.readline()).split()[1] == b"100"  # from here on it reads the body
        writer.write(b"MessageSid=")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    refused = (await figures(office))["gateway_receipts_refused_total"]
    assert refused == {labels(provider="twilio", reason="unreadable"): 1}
    assert await kept(office) == []


async def test_a_body_in_many_pieces_is_read_whole(office: Office) -> None:
    """Networks cut where they like."""
    delivery = await texted(office)
    path = f"/v1/receipts/twilio?delivery={delivery}"
    body = urlencode(form(Note="x" * 60_000)).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", office.client.server.port)
    given = signed(office, path, form(Note="x" * 60_000))
    head = (
        f"POST {path} HTTP/1.1\r\nHost: gateway\r\nX-Twilio-Signature: {given}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    for piece in [head.encode(), *(body[start : start + 7_000] for start in range(0, len(body), 7_000))]:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    assert (await reader.readline()).split()[1] == b"204"
    writer.close()
    await writer.wait_closed()


async def test_while_the_database_is_away_the_provider_keeps_its_news(office: Office) -> None:
    """503 says so, and when to come back."""
    path = "/v1/receipts/twilio"
    async with office.gateway.database.writing() as connection:
        await connection.execute(text("ALTER TABLE receipts RENAME TO away"))
    answer = await call(office, path, urlencode(form()).encode(), given=signed(office, path, form()))
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) > 0
    answer.as_problem()
    async with office.gateway.database.writing() as connection:
        await connection.execute(text("ALTER TABLE away RENAME TO receipts"))
    again = await call(office, path, urlencode(form()).encode(), given=signed(office, path, form()))
    assert again.status == 204
    assert len(await kept(office)) == 1


async def test_a_text_that_somebody_sent_is_no_receipt(office: Office) -> None:
    """It goes to whoever obeys and keeps people's words."""
    path = "/v1/receipts/twilio"
    fields = {"MessageSid": SID, "SmsStatus": "received", "From": "+447700900002", "To": "+447700900001", "Body": "Hi"}
    answer = await call(office, path, urlencode(fields).encode(), given=signed(office, path, fields))
    assert answer.status == 204
    assert await kept(office) == []


async def test_what_a_provider_said_is_shown_without_what_names_somebody(office: Office) -> None:
    """Statuses, codes and ids as they came; of numbers and words only their length."""
    delivery = await texted(office)
    path = f"/v1/receipts/twilio?delivery={delivery}"
    fields = form(MessageStatus="undelivered", ErrorCode="30005", Body="Dear Cleo")
    await call(office, path, urlencode(fields).encode(), given=signed(office, path, fields))
    await until_applied(office)
    async with office.gateway.database.reading() as connection:
        notification = (await connection.execute(select(deliveries.c.notification).limit(1))).scalar()
    base = f"/v1/notifications/{notification}/deliveries"
    answer = await office.call("GET", f"{base}/{delivery}/events", key="read")
    assert answer.status == 200
    (event,) = answer.json["items"]
    assert (event["status"], event["code"], event["provider_id"]) == ("bounced", "30005", SID)
    assert event["raw"] == {
        "MessageSid": SID,
        "MessageStatus": "undelivered",
        "To": "(13 characters)",
        "ErrorCode": "30005",
        "Body": "(9 characters)",
    }
    assert (await office.call("GET", f"{base}/nobody/events", key="read")).status == 404
    assert (await office.call("GET", f"/v1/notifications/none/deliveries/{delivery}/events", key="read")).status == 404
    await office.make_key("elsewhere", Scope.READ, school="elsewhere")
    assert (await office.call("GET", f"{base}/{delivery}/events", key="elsewhere")).status in {403, 404}
    assert (await office.call("GET", f"{base}/{delivery}/events", key="send")).status == 403
