"""Calls and hand deliveries over the API: scripts, letters, reports, and what a report cannot be without (Q34)."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.access import Scope
from gateway.settings import Share
from gateway.settings.letters import LetterSettings
from gateway.settings.voice import VoiceSettings
from tests.api.office import DIRECTORY, MONDAY, NOTICE, Office, opened

NUMBER, STREET = "+447700900001", "1 Invented Street"
FAMILY: dict[str, Any] = {
    **DIRECTORY,
    "contact_points": [
        {"id": "P1", "contact": "C1", "channel": "voice", "address": NUMBER},
        {
            "id": "P2",
            "contact": "C1",
            "channel": "letter",
            "address": {"lines": [STREET], "postcode": "ZZ9 9ZZ"},
        },
    ],
}
BARRED = {
    "id": "X1", "student": "S1", "contact": "C1", "effect": "deny", "basis": "court_order", "status": "active",
}  # fmt: skip
REPORT = {"outcome": "reached", "at": MONDAY.isoformat(), "identity_checked": True, "note": "Told her."}


@pytest_asyncio.fixture
async def staffed(database_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """Give an office whose calls and letters are its own."""
    changes = {
        "voice": VoiceSettings(voice_provider=(Share("staff", 1),)),
        "letters": LetterSettings(letter_provider=(Share("staff", 1),)),
    }
    async with opened(database_url, tmp_path, directory=FAMILY, changes=changes) as office:
        yield office


async def brought(office: Office, category: str = "progress", **fields: Any) -> Any:
    """Post what staff bring; gives its task as the list shows it."""
    posted = await office.post("/v1/notifications", {**NOTICE, "category": category, **fields}, key="send")
    assert posted.status == 202, posted.text
    await office.deliver(posted.json["id"])
    items = (await office.call("GET", "/v1/tasks", key="read")).json["items"]
    (task,) = [one for one in items if one["notification"] == posted.json["id"]]
    return task


async def told(office: Office, event: str) -> list[Any]:
    """Read these entries of the contact's chronology."""
    items = (await office.call("GET", "/v1/contacts/C1/chronology", key="read")).json["items"]
    return [item for item in items if item["event"] == event]


async def test_the_list_says_what_can_be_done(staffed: Office) -> None:
    """Read the script, look after it, report; nothing on the list shows a number."""
    task = await brought(staffed)
    assert (task["kind"], task["owner"], task["tries"]) == ("call", "office", [])
    assert [(one["method"], one["href"].rpartition("/")[2]) for one in task["actions"]] == [
        ("GET", "script"), ("POST", "acknowledge"), ("POST", "done"),
    ]  # fmt: skip
    assert NUMBER not in str(task)


async def test_a_number_is_shown_for_a_reason_alone(staffed: Office) -> None:
    """Masked without one; with one it is there, and who asked and why is in the chronology (R36)."""
    task = await brought(staffed)
    masked = await staffed.call("GET", task["actions"][0]["href"], key="send")
    assert (masked.json["masked"], masked.json["number"]) == (True, "••• 001")
    assert masked.json["contact"] == {"id": "C1", "name": "Cleo Quill"}
    assert masked.json["students"] == [{"id": "S1", "name": "Ada Quill"}]
    assert "Please bring a towel." in masked.json["speech"]
    assert masked.json["school_language_speech"] == masked.json["speech"]
    assert (masked.json["letter"], masked.json["address"]) == (None, None)
    assert "date of birth" in masked.json["confidentiality"]
    assert await told(staffed, "address_shown") == []
    shown = await staffed.call("GET", f"{task['actions'][0]['href']}?reason=To%20call%20her.", key="alerts")
    assert (shown.json["masked"], shown.json["number"]) == (False, NUMBER)
    assert shown.headers["Cache-Control"] == "no-store"
    (entry,) = await told(staffed, "address_shown")
    assert "To call her." in entry["detail"]
    assert staffed.keys["alerts"].split("_")[1] in entry["detail"]
    assert NUMBER not in entry["detail"]


@pytest.mark.parametrize("reason", ["", "%20", "a%0Ab", "x" * 201])
async def test_a_reason_is_one_line(staffed: Office, reason: str) -> None:
    """An empty or endless one is none."""
    task = await brought(staffed)
    refused = await staffed.call("GET", f"/v1/tasks/{task['id']}/script?reason={reason}")
    assert (refused.status, refused.as_problem()["errors"][0]["pointer"]) == (422, "reason")


async def test_who_may_read_scripts(staffed: Office) -> None:
    """A reader's key and another school's see none; other tasks have none."""
    task = await brought(staffed)
    await staffed.make_key("elm", Scope.ADMIN, school="elm")
    elm = {"school": {"id": "elm", "name": "Elm School"}}
    assert (await staffed.call("PUT", "/v1/directory", elm, key="elm")).status == 200
    for page in ("script", "letter"):
        for key, status in (("read", 403), ("directory", 403), ("elm", 404)):
            assert (await staffed.call("GET", f"/v1/tasks/{task['id']}/{page}?reason=x", key=key)).status == status
        assert (await staffed.call("GET", f"/v1/tasks/none/{page}")).status == 404
    assert (await staffed.call("GET", f"/v1/tasks/{task['id']}/letter")).status == 404
    assert (await staffed.post(f"/v1/tasks/{task['id']}/done", REPORT, key="elm")).status == 404


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"outcome": None}, "/outcome"),
        ({"at": None}, "/at"),
        ({"outcome": "handed_over"}, "/outcome"),
        ({"outcome": "beamed"}, "/outcome"),
        ({"at": "2026-06-15T09:00:00"}, "/at"),
        ({"at": (MONDAY + dt.timedelta(hours=1)).isoformat()}, "/at"),
        ({"at": (MONDAY - dt.timedelta(days=9)).isoformat()}, "/at"),
        ({"identity_checked": None}, "/identity_checked"),
        ({"identity_checked": False}, "/identity_checked"),
        ({"minutes": -1}, "/minutes"),
        ({"spoken_with": "A\nB"}, "/spoken_with"),
        ({"note": ""}, "/note"),
    ],
)
async def test_a_call_is_not_done_with_something_missing(staffed: Office, change: Any, pointer: str) -> None:
    """The answer names the field and what to do; the task stays, and nothing of it is on record."""
    task = await brought(staffed)
    refused = await staffed.post(f"/v1/tasks/{task['id']}/done", {**REPORT, **change})
    assert refused.status == 422
    assert refused.as_problem()["errors"][0]["pointer"] == pointer
    (still,) = (await staffed.call("GET", "/v1/tasks")).json["items"]
    assert (still["done_at"], still["tries"]) == (None, [])


async def test_a_report_told_twice_has_the_same_answer_and_another_none(staffed: Office) -> None:
    """The first outcome stands; the call log has who, when, how long, what, and what is left to do."""
    task = await brought(staffed)
    whole = {**REPORT, "minutes": 4, "spoken_with": "Herself", "follow_up": "Send her the dates."}
    first = await staffed.post(f"/v1/tasks/{task['id']}/done", whole, key="send")
    assert first.status == 200, first.text
    again = await staffed.post(f"/v1/tasks/{task['id']}/done", whole, key="alerts")
    assert again.json == first.json
    (one,) = first.json["tries"]
    by = staffed.keys["send"].split("_")[1]
    assert (one["outcome"], one["minutes"], one["spoken_with"], one["by"]) == ("reached", 4, "Herself", by)
    assert (one["identity_checked"], one["follow_up"]) == (True, "Send her the dates.")
    assert (first.json["done_by"], first.json["note"], first.json["actions"]) == (by, "Told her.", [])
    other = await staffed.post(f"/v1/tasks/{task['id']}/done", {**REPORT, "outcome": "voicemail"})
    assert other.status == 409
    deliveries = await staffed.call("GET", f"/v1/notifications/{task['notification']}/deliveries")
    assert [item["state"] for item in deliveries.json["items"]] == ["delivered"]
    assert len(await told(staffed, "task_done")) == 1
    assert (await staffed.call("GET", f"/v1/tasks/{task['id']}/script?reason=x")).status == 409


async def test_two_of_staff_at_once_have_one_outcome(staffed: Office) -> None:
    """Different outcomes in the same moment: one is taken, the other is told that it is done."""
    task = await brought(staffed)
    bodies = [REPORT, {**REPORT, "outcome": "wrong_number"}]
    answers = await asyncio.gather(*(staffed.post(f"/v1/tasks/{task['id']}/done", body) for body in bodies))
    assert sorted(answer.status for answer in answers) == [200, 409]
    (done,) = (await staffed.call("GET", "/v1/tasks?open=false")).json["items"]
    assert len(done["tries"]) == 1


async def test_who_was_not_reached_stays_on_the_list(staffed: Office) -> None:
    """With a later deadline, and the try beside it."""
    task = await brought(staffed)
    missed = {"outcome": "not_reached", "at": MONDAY.isoformat(), "note": "It rang out."}
    answered = await staffed.post(f"/v1/tasks/{task['id']}/done", missed)
    assert answered.status == 200, answered.text
    assert answered.json["done_at"] is None
    assert [one["outcome"] for one in answered.json["tries"]] == ["not_reached"]
    (still,) = (await staffed.call("GET", "/v1/tasks")).json["items"]
    assert still == answered.json
    assert dt.datetime.fromisoformat(still["due_at"]) == MONDAY + dt.timedelta(hours=2)


async def test_barred_since_no_number_is_shown(staffed: Office) -> None:
    """One clear sentence, the task has gone by itself, and nobody was shown anything (R44)."""
    task = await brought(staffed)
    put = await staffed.call("PUT", "/v1/directory", {**FAMILY, "restrictions": [BARRED]}, key="directory")
    assert put.status == 200
    refused = await staffed.call("GET", f"/v1/tasks/{task['id']}/script?reason=To%20call%20her.")
    assert refused.status == 409
    assert NUMBER not in refused.text
    assert "not to be told to this contact any more" in refused.as_problem()["detail"]
    assert (await staffed.call("GET", "/v1/tasks")).json["items"] == []
    (gone,) = (await staffed.call("GET", "/v1/tasks?open=false")).json["items"]
    assert gone["done_by"] is None
    assert await told(staffed, "address_shown") == []


async def test_a_letter_is_typeset_when_it_is_fetched(staffed: Office) -> None:
    """As PDF, for those who may read scripts; the address counts as shown."""
    task = await brought(staffed, "newsletter")
    script = await staffed.call("GET", f"/v1/tasks/{task['id']}/script?reason=To%20post%20it.")
    assert script.json["kind"] == "hand_over"
    assert STREET in script.json["address"]
    assert (script.json["number"], script.json["speech"]) == (None, None)
    headers = {"Authorization": f"Bearer {staffed.keys['send']}"}
    async with staffed.client.get(script.json["letter"], headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "application/pdf")
        assert answer.headers["Cache-Control"] == "no-store"
        assert (await answer.read()).startswith(b"%PDF")
    assert len(await told(staffed, "address_shown")) == 2
    posted = {"outcome": "posted", "at": MONDAY.date().isoformat() + "T00:00:00Z", "note": "With the noon post."}
    assert (await staffed.post(f"/v1/tasks/{task['id']}/done", posted)).status == 200


async def test_a_cancelled_notification_is_called_off(staffed: Office) -> None:
    """Although it was finished: what staff have not brought yet is stopped, and counted."""
    task = await brought(staffed)
    cancelled = await staffed.post(f"/v1/notifications/{task['notification']}/cancel", {}, key="send")
    assert (cancelled.json["cancelled"], cancelled.json["left"]) == (1, 0)
    assert cancelled.json["counts"]["deliveries"] == {"cancelled": 1}
    assert (await staffed.call("GET", "/v1/tasks")).json["items"] == []
    assert (await staffed.call("GET", f"/v1/tasks/{task['id']}/script?reason=x")).status == 409


async def test_other_tasks_take_a_note_alone(staffed: Office) -> None:
    """An outcome of a call belongs to a call."""
    unreachable = {**FAMILY, "contact_points": []}
    assert (await staffed.call("PUT", "/v1/directory?force=true", unreachable, key="directory")).status == 200
    task = await brought(staffed)
    assert task["kind"] == "reach_by_hand"
    refused = await staffed.post(f"/v1/tasks/{task['id']}/done", REPORT)
    assert refused.status == 422
    assert [one["pointer"] for one in refused.as_problem()["errors"]] == ["/outcome", "/at", "/identity_checked"]
    assert (await staffed.post(f"/v1/tasks/{task['id']}/done", {"note": "Visited them."})).status == 200
    assert (await staffed.call("GET", f"/v1/tasks/{task['id']}/script")).status == 404
