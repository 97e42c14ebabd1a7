"""Print runs over HTTP: closed, listed, downloaded, posted; returned mail; each for the right key only."""

import datetime as dt
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.settings import Share
from gateway.settings.letters import LetterSettings
from tests.api.office import DIRECTORY, NOTICE, Office, opened

HOUSE = {"lines": ["1 Weir Street"], "postcode": "ZZ9 9ZZ"}
BY_POST = {**DIRECTORY, "contact_points": [{"id": "P1", "contact": "C1", "channel": "letter", "address": HOUSE}]}


@pytest_asyncio.fixture
async def office(database_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """Give an office that prints its letters itself; its only contact has nothing but a letter box."""
    letters = LetterSettings(letter_provider=(Share("spool", 1),), letter_spool_dir=tmp_path / "spool")
    async with opened(database_url, tmp_path, directory=BY_POST, changes={"letters": letters}) as office:
        yield office


async def spooled(office: Office) -> str:
    """Hand a letter over to the spool; gives the notification."""
    accepted = await office.post("/v1/notifications", {**NOTICE, "category": "report"})
    await office.deliver(accepted.json["id"])
    return str(accepted.json["id"])


async def printed(office: Office) -> str:
    """Print what waits; gives the run."""
    asked = await office.call("POST", "/v1/print-runs")
    assert asked.status == 202, asked.text
    await office.gateway.print_runs.work(asked.json["id"])
    return str(asked.json["id"])


async def test_a_run_from_the_spool_to_the_post(office: Office) -> None:
    """Closed by hand, looked at, downloaded, posted: the delivery's timeline tells all of it."""
    notification = await spooled(office)
    run = await printed(office)
    shown = (await office.call("GET", f"/v1/print-runs/{run}", key="read")).json
    assert (shown["status"], shown["reason"], shown["letters"], shown["sheets"]) == ("closed", "by_hand", 1, 1)
    assert shown["classes"] == [{"postage": "second", "sealed": True, "letters": 1, "sheets": 1}]
    [file] = shown["files"]
    async with office.client.get(file["href"], headers={"Authorization": f"Bearer {office.keys['admin']}"}) as answer:
        content = await answer.read()
        assert answer.headers["Cache-Control"] == "no-store"
    assert hashlib.sha256(content).hexdigest() == file["sha256"]
    posted = await office.call("POST", f"/v1/print-runs/{run}/posted", {"on": "2026-06-15"})
    assert posted.json["posted_on"] == "2026-06-15"
    listed = (await office.call("GET", "/v1/print-runs?limit=1", key="read")).json
    assert [entry["id"] for entry in listed["items"]] == [run]
    assert (await office.call("GET", listed["links"]["next"], key="read")).json["items"] == []
    [delivery] = (await office.call("GET", f"/v1/notifications/{notification}/deliveries")).json["items"]
    told = [moment["detail"] for moment in delivery["timeline"]]
    assert f"Print run {run}." in told
    assert f"Posted on 2026-06-15, print run {run}." in told


async def test_returned_mail_over_http(office: Office) -> None:
    """The office types what the envelope says: the delivery fails, and its contact becomes a task."""
    notification = await spooled(office)
    await printed(office)
    items = f"/v1/notifications/{notification}/deliveries"
    [delivery] = (await office.call("GET", items)).json["items"]
    answer = await office.call("POST", f"/v1/deliveries/{delivery['id']}/returned", {"reason": "gone away"})
    assert (answer.status, answer.json) == (200, {"status": "returned"})
    [delivery] = (await office.call("GET", items)).json["items"]
    assert (delivery["state"], delivery["code"]) == ("failed", "returned")
    assert [task["kind"] for task in (await office.call("GET", "/v1/tasks")).json["items"]] == ["reach_by_hand"]


async def test_cancelling_takes_letters_out_of_the_spool(office: Office) -> None:
    """They had been handed over, and were not printed yet: none is left behind, and the answer says so."""
    notification = await spooled(office)
    assert (await office.call("GET", f"/v1/notifications/{notification}")).json["status"] == "finished"
    cancelled = (await office.call("POST", f"/v1/notifications/{notification}/cancel")).json
    assert (cancelled["status"], cancelled["cancelled"], cancelled["left"]) == ("cancelled", 1, 0)
    assert (await office.call("POST", "/v1/print-runs")).status == 409


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/print-runs", None, 409),
        ("GET", "/v1/print-runs/nothing", None, 404),
        ("GET", "/v1/print-runs/nothing/files/manifest.csv", None, 404),
        ("POST", "/v1/print-runs/nothing/posted", {"on": "2026-06-15"}, 404),
        ("POST", "/v1/print-runs/nothing/posted", {"on": "yesterday"}, 422),
        ("POST", "/v1/print-runs/nothing/posted", {}, 422),
        ("POST", "/v1/deliveries/nothing/returned", {"reason": "gone away"}, 404),
        ("POST", "/v1/deliveries/nothing/returned", {"reason": ""}, 422),
        ("POST", "/v1/deliveries/nothing/returned", {"reason": "a\nb"}, 422),
    ],
)
async def test_bad_requests_are_told_why(office: Office, method: str, path: str, body: Any, status: int) -> None:
    """One clear sentence each, and nothing changes."""
    assert (await office.call(method, path, body)).status == status


async def test_each_call_asks_for_its_scope(office: Office) -> None:
    """Letters are read by administrators alone; readers see what became of them."""
    await spooled(office)
    run = await printed(office)
    calls = [
        ("POST", "/v1/print-runs", None),
        ("GET", f"/v1/print-runs/{run}/files/manifest.csv", None),
        ("POST", f"/v1/print-runs/{run}/posted", {"on": "2026-06-15"}),
        ("POST", "/v1/deliveries/any/returned", {"reason": "gone away"}),
    ]
    for method, path, body in calls:
        for key in ("read", "send", "directory"):
            assert (await office.call(method, path, body, key=key)).status == 403
    assert (await office.call("GET", "/v1/print-runs", key="send")).status == 403


async def test_a_day_that_cannot_be_is_refused(office: Office) -> None:
    """Neither before the printing nor in the future; another day than the one on record neither."""
    await spooled(office)
    run = await printed(office)
    for day in ("2026-06-14", "2026-06-16"):
        assert (await office.call("POST", f"/v1/print-runs/{run}/posted", {"on": day})).status == 422
    assert (await office.call("POST", f"/v1/print-runs/{run}/posted", {"on": "2026-06-15"})).status == 200
    office.clock.now += dt.timedelta(days=1)
    assert (await office.call("POST", f"/v1/print-runs/{run}/posted", {"on": "2026-06-16"})).status == 409
