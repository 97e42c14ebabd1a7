"""What operators ask: is it alive, can it work, what are its figures."""

import datetime as dt
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from channels.twilio_signature import signature
from gateway.assembly import assembled
from gateway.dispatch.tracing import OpenTelemetryTracer
from gateway.settings import Settings, Share
from gateway.settings.texts import TextSettings
from gateway.store.provider_use import add_use
from gateway.web import exposing_metrics, make_application
from tests.api.office import MONDAY, NOTICE, Office, opened

TRACE = "0af7651916cd43dd8448eb211c80319c"


async def figures(office: Office) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """Scrape, and read the figures as Prometheus does: by name, then by labels."""
    answer = await office.call("GET", "/metrics", key=None)
    assert answer.status == 200
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    return found


async def _lose(office: Office, table: str) -> None:
    async with office.gateway.database.writing() as connection:
        await connection.execute(text(f"DROP TABLE {table}"))


def labels(**given: str) -> frozenset[tuple[str, str]]:
    """Name one figure among those of its name."""
    return frozenset(given.items())


async def test_an_unready_process_is_alive(new_office: Office) -> None:
    """It says what is ready and how the providers are; an unready one would be taken out, not killed."""
    ready = await new_office.call("GET", "/health/ready", key=None)
    assert ready.status == 200
    assert ready.json["checks"] == {"database": True}
    assert ready.json["providers"]["email/outbox"] == "closed"
    await _lose(new_office, "alembic_version")
    new_office.gateway.services.readiness._questions["database"]._keep = 0  # as if a second had passed
    unready = await new_office.call("GET", "/health/ready", key=None)
    assert unready.status == 503
    assert unready.json["checks"] == {"database": False}
    assert unready.json["lacking"][0].endswith("run gateway migrate.")
    assert (await new_office.call("GET", "/health/live", key=None)).status == 200


async def test_requests_are_counted_by_template_and_never_by_path(small_office: Office) -> None:
    """Ids, keys and whatever somebody types into an address stay out of the figures."""
    posted = await small_office.post("/v1/notifications", NOTICE)
    await small_office.call("GET", f"/v1/notifications/{posted.json['id']}")
    async with small_office.client.get("/robin@example.org") as strange:
        assert strange.status == 404
    async with small_office.client.request("PURGE", "/health/live") as strange:
        assert strange.status == 405
    found = await figures(small_office)
    requests = found["gateway_http_requests_total"]
    assert requests[labels(method="POST", route="/v1/notifications", status="202")] == 1
    assert requests[labels(method="GET", route="/v1/notifications/{id}", status="200")] == 1
    assert requests[labels(method="GET", route="none", status="404")] == 1
    assert requests[labels(method="OTHER", route="none", status="405")] == 1
    assert found["gateway_http_request_seconds_count"][labels(route="/v1/notifications/{id}")] == 1
    assert "robin" not in str(found).lower()
    assert posted.json["id"] not in str(found)


async def test_what_waits_is_told_by_lane(small_office: Office) -> None:
    """Nobody plans here: the notice is work that has waited since it was posted."""
    await small_office.post("/v1/notifications", NOTICE)
    small_office.clock.now += dt.timedelta(seconds=40)
    found = await figures(small_office)
    assert found["gateway_open_work"][labels(lane="bulk", work="plan")] == 1
    assert found["gateway_queue_age_seconds"][labels(lane="bulk", work="plan")] == 40
    assert found["gateway_queue_age_seconds"][labels(lane="emergency", work="send")] == 0
    assert found["gateway_backlog_known"][labels()] == 1


async def test_figures_are_told_without_the_database(new_office: Office) -> None:
    """They are needed most when something is away; what is not known is left out."""
    await _lose(new_office, "deliveries")
    found = await figures(new_office)
    assert found["gateway_backlog_known"][labels()] == 0
    assert "gateway_queue_age_seconds" not in found


async def test_what_binds_providers_is_told(database_url: str, tmp_path: Path) -> None:
    """Who may not be used any more, in the probes' details; how far the others may go, in the figures."""
    terms = {
        "approved_until": {
            "sms/outbox": MONDAY.date() - dt.timedelta(days=1),
            "email/outbox": MONDAY.date() + dt.timedelta(days=30),
        },
        "budgets": {"voice/outbox": 10, "email/outbox": 100},
    }
    async with opened(database_url, tmp_path, directory=None, changes=terms) as office:
        async with office.gateway.database.writing() as connection:
            await add_use(connection, "voice/outbox", "2026-06", 12)
            await add_use(connection, "email/outbox", "2026-06", 80)
            await add_use(connection, "email/outbox", "2026-05", 99)
        ready = await office.call("GET", "/health/ready", key=None)
        assert ready.status == 200
        assert ready.json["providers"] == {
            "email/outbox": "closed",
            "sms/outbox": "unapproved",
            "voice/outbox": "over_budget",
            "letter/outbox": "closed",
        }
        found = await figures(office)
        assert found["gateway_provider_approved_days"] == {
            labels(provider="sms/outbox"): -1,
            labels(provider="email/outbox"): 30,
        }
        assert found["gateway_provider_budget_units"] == {
            labels(provider="voice/outbox"): 10,
            labels(provider="email/outbox"): 100,
        }
        assert found["gateway_provider_used_units"] == {
            labels(provider="voice/outbox"): 12,
            labels(provider="email/outbox"): 80,
        }
        assert found["gateway_provider_state"][labels(provider="sms/outbox", state="unapproved")] == 1
        assert found["gateway_provider_state"][labels(provider="voice/outbox", state="over_budget")] == 1


async def test_callbacks_are_counted_by_provider(tmp_path: Path) -> None:
    """From one whose news is believed no more, or comes no more, nobody learns what became of a message."""
    texts = TextSettings(
        sms_provider=(Share("twilio", 1),),
        twilio_account_sid="AC" + "0" * 32,
        twilio_auth_token="invented",
        twilio_from="+447700900001",
    )
    url, form = f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}", {"MessageSid": "SM1", "MessageStatus": "sent"}
    async with opened(url, tmp_path, directory=None, changes={"texts": texts}) as office:
        path = "/v1/receipts/twilio?delivery=06fqx2k9d1abcdef"
        seal = signature("invented", f"{office.gateway.services.public_url}{path}", form.items())
        for signed, status in ((seal, 204), (seal, 204), ("forged", 403)):
            headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signed}
            answer = await office.call("POST", path, key=None, data=urlencode(form), headers=headers)
            assert answer.status == status, answer.text
        found = await figures(office)
    assert found["gateway_callbacks_taken_total"] == {labels(provider="twilio"): 2}
    assert found["gateway_receipts_refused_total"] == {labels(provider="twilio", reason="forged"): 1}


async def test_what_nothing_binds_has_no_figures(small_office: Office) -> None:
    """An alert about budgets and approvals concerns only who has one."""
    assert not [name for name in await figures(small_office) if re.search("budget|used|approved", name)]


async def test_an_approvals_end_is_told_without_the_database(tmp_path: Path) -> None:
    """What was used of a budget cannot be known then, and is left out instead of told wrong."""
    terms = {"approved_until": {"sms/outbox": MONDAY.date()}, "budgets": {"sms/outbox": 10}}
    url = f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}"
    async with opened(url, tmp_path, directory=None, changes=terms) as office:
        await _lose(office, "provider_use")
        found = await figures(office)
        assert found["gateway_provider_approved_days"][labels(provider="sms/outbox")] == 0
        assert found["gateway_provider_budget_units"][labels(provider="sms/outbox")] == 10
        assert "gateway_provider_used_units" not in found


@pytest.mark.parametrize("backlog", [True, False])
async def test_figures_can_have_a_port_of_their_own(
    small_office: Office,
    unused_tcp_port: int,
    backlog: bool,  # noqa: FBT001  # a table
) -> None:
    """The API then has none to give; a worker's figures leave out what every process would tell alike."""
    services = small_office.gateway.services
    async with (
        exposing_metrics(services, host="127.0.0.1", port=unused_tcp_port, backlog=backlog),
        TestClient(TestServer(make_application(services, metrics=False))) as client,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{unused_tcp_port}/metrics") as answer,
        client.get("/metrics") as refusal,
    ):
        assert answer.status == 200
        assert ("gateway_open_work{" in await answer.text()) == backlog
        assert refusal.status == 404


async def test_a_request_is_traced_by_its_template(tmp_path: Path) -> None:
    """The span continues the caller's trace and knows route and status, not the path; a failure is marked."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    settings = Settings(database_url=f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}", outbox_dir=tmp_path / "outbox")
    async with assembled(settings, tracer=OpenTelemetryTracer(provider)) as gateway:
        client: TestClient[Any, Any] = TestClient(TestServer(make_application(gateway.services)))
        async with client:
            caller = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
            async with client.get("/v1/contacts/robin/chronology", headers=caller) as answer:
                assert answer.status == 401
    (span,) = exporter.get_finished_spans()
    assert span.name == "GET /v1/contacts/{id}/chronology"
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/v1/contacts/{id}/chronology",
        "http.response.status_code": 401,
    }
    assert "robin" not in span.to_json()
