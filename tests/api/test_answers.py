"""What the calls answer when all is well; every answer is also held against its documented type (see office.py)."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.sample.build import build_archive
from tests.api.office import DIRECTORY, NOTICE, Office


async def test_a_notification_from_post_to_chronology(office: Office) -> None:
    """It is accepted, decided, sent, and can be read back person by person."""
    posted = await office.post("/v1/notifications", NOTICE | {"reference": "letter 7"}, key="send")
    links = posted.json["links"]
    await office.deliver(posted.json["id"])

    progress = (await office.call("GET", links["self"], key="read")).json
    assert (progress["status"], progress["reference"]) == ("finished", "letter 7")
    assert progress["counts"]["messages"] == 1

    (decision,) = (await office.call("GET", links["decisions"], key="read")).json["items"]
    assert (decision["student"], decision["contact"], decision["outcome"]) == ("S1", "C1", "send")

    items = (await office.call("GET", links["deliveries"], key="read")).json["items"]
    sent = next(item for item in items if item["state"] == "sent")
    assert sent["students"] == ["S1"]
    assert [moment["state"] for moment in sent["timeline"]] == ["queued", "sending", "sent"]
    assert "cleo@example.org" not in sent["address"]

    for path, other in (("/v1/contacts/C1/chronology", "student"), ("/v1/students/S1/chronology", "contact")):
        entries = (await office.call("GET", path, key="read")).json["items"]
        assert {"record", "decision", "attempt"} <= {entry["kind"] for entry in entries}
        assert all(other in entry for entry in entries)


async def test_a_list_read_one_by_one_is_the_whole_list(office: Office) -> None:
    """Pages of one entry, followed to the end, give each entry once and in the order of the whole."""
    posted = await office.post("/v1/notifications", NOTICE | {"audience": {"everyone": True}})
    await office.deliver(posted.json["id"])
    for start in (posted.json["links"]["decisions"], "/v1/students/S1/chronology", "/v1/contacts/C1/chronology"):
        whole = (await office.call("GET", start)).json
        assert len(whole["items"]) > 1
        assert whole["links"]["next"] is None
        items: list[Any] = []
        following = f"{start}?limit=1"
        while following is not None:
            page = (await office.call("GET", following)).json
            items += page["items"]
            following = page["links"]["next"]
        assert items == whole["items"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"content": {"subject": "Trip\r\nBcc: mallory@example.org"}}, "/content/subject"),
        (
            {"content": {"subject": "Trip to ((place))"}, "values": {"place": "Leeds\r\nBcc: m@example.org"}},
            "/values/place",
        ),
    ],
    ids=["in the text", "in a value"],
)
async def test_line_ends_in_a_subject_are_refused(
    small_office: Office, change: dict[str, Any], pointer: str, tmp_path: Path
) -> None:
    """What would reach a mail header as a second line is named and not taken; nothing leaves."""
    content = NOTICE["content"] | change["content"]
    answer = await small_office.post("/v1/notifications", NOTICE | change | {"content": content})
    assert answer.status == 422
    assert [error["pointer"] for error in answer.as_problem()["errors"]] == [pointer]
    assert list((tmp_path / "outbox").rglob("*.eml")) == []


async def test_a_value_missing_for_one_child_of_a_group_is_refused(small_office: Office) -> None:
    """A text with a hole is worse than none: whoever the audience is, each of its students needs the value."""
    content = NOTICE["content"] | {"body": "Marks: ((marks))"}
    answer = await small_office.post(
        "/v1/notifications",
        NOTICE | {"content": content, "audience": {"everyone": True}, "student_values": {"nobody": {"marks": "A"}}},
    )
    assert answer.status == 422
    assert [error["pointer"] for error in answer.as_problem()["errors"]] == ["/values/marks"]


@pytest.mark.parametrize("name", ["send_at", "expires_at", "respond_by"])
@pytest.mark.parametrize("instant", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
async def test_instants_beyond_reason_are_refused(small_office: Office, name: str, instant: str) -> None:
    """An instant in another age is a mistake, and said to be one."""
    answer = await small_office.post("/v1/notifications", NOTICE | {name: instant})
    assert answer.status == 422
    assert [error["pointer"] for error in answer.as_problem()["errors"]] == [f"/{name}"]


async def test_cancelling_stops_what_has_not_left(office: Office) -> None:
    """A notification for tomorrow is withdrawn, and says so; once more changes nothing."""
    posted = await office.post("/v1/notifications", NOTICE | {"send_at": "2026-06-16T09:00:00Z"}, key="send")
    path = posted.json["links"]["cancel"]
    first, second = [await office.post(path, None, key="send") for _ in range(2)]
    assert first.status == second.status == 200
    assert first.json["status"] == second.json["status"] == "cancelled"
    assert first.json["left"] == 0
    assert (await office.call("GET", posted.json["links"]["self"])).json["status"] == "cancelled"


async def test_cancelling_says_what_has_left(office: Office) -> None:
    """A finished notification is withdrawn, too: its record stays, and once more changes nothing."""
    posted = await office.post("/v1/notifications", NOTICE, key="send")
    await office.deliver(posted.json["id"])
    before = (await office.call("GET", posted.json["links"]["self"])).json
    path = posted.json["links"]["cancel"]
    first, second = [await office.post(path, None, key="send") for _ in range(2)]
    assert first.status == second.status == 200
    assert first.json == second.json
    assert (first.json["status"], first.json["cancelled"], first.json["left"]) == ("cancelled", 0, 1)
    assert first.json["counts"] == before["counts"]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("body", [{"groups": ["year-3"]}, {"audience": {"groups": ["year-3"]}}])
async def test_an_audience_is_told_without_sending(quiet_office: Office, body: dict[str, Any]) -> None:
    """Decisions, messages and cost are as a notification would have them."""
    answer = await quiet_office.post("/v1/audience", {"category": "routine", **body}, key="read")
    assert answer.status == 200
    assert [decision["outcome"] for decision in answer.json["decisions"]] == ["send"]
    assert answer.json["cost"] == {"deliveries": {"email": 1}, "languages": {"en": 1}}


async def test_a_directory_tried_first(small_office: Office) -> None:
    """With dry_run the report is the same and nothing changes."""
    more = DIRECTORY | {"students": [*DIRECTORY["students"], {"id": "S3"}]}
    tried = await small_office.call("PUT", "/v1/directory?dry_run=true", more, key="directory")
    assert (tried.json["dry_run"], tried.json["added"]) == (True, 1)
    done = await small_office.call("PUT", "/v1/directory", more, key="directory")
    assert (done.json["dry_run"], done.json["added"]) == (False, 1)
    assert (await small_office.call("PUT", "/v1/directory", more, key="directory")).json["added"] == 0


async def test_a_bad_row_is_reported_and_the_rest_taken(small_office: Office) -> None:
    """The report names the row, the field and the reason, but never the value."""
    bad = {"id": "S3", "birth_date": "Zwetschge"}
    answer = await small_office.call("PUT", "/v1/directory", DIRECTORY | {"students": [*DIRECTORY["students"], bad]})
    (refused,) = answer.json["refused"]
    assert (refused["entity"], refused["id"], refused["field"]) == ("students", "S3", "birth_date")
    assert "Zwetschge" not in answer.text


async def test_a_directory_that_ends_too_much_needs_force(small_office: Office) -> None:
    """An almost empty file is refused unless a person insists."""
    empty = {"school": DIRECTORY["school"], "students": DIRECTORY["students"], "contacts": DIRECTORY["contacts"]}
    assert (await small_office.call("PUT", "/v1/directory", empty)).status == 409
    assert (await small_office.call("PUT", "/v1/directory?force=true", empty)).status == 200


async def test_an_archive_is_imported(new_office: Office) -> None:
    """A OneRoster archive, by form or alone, becomes the directory; the first names the school."""
    path, archive = "/v1/directory/imports", build_archive()
    form = aiohttp.FormData({"note": "September"})
    form.add_field("file", archive, filename="school.zip", content_type="application/zip")
    tried = await new_office.call("POST", f"{path}?dry_run=true", key="directory", data=form)
    done = await new_office.call(
        "POST", path, key="directory", data=archive, headers={"Content-Type": "application/zip"}
    )
    assert tried.json["entities"] == done.json["entities"]
    assert done.json["entities"]["students"]["added"] > 0
    assert (await new_office.post("/v1/audience", {"category": "emergency", "everyone": True})).status == 200


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
async def test_operators_need_no_key(quiet_office: Office, path: str) -> None:
    """Health and figures answer anybody who reaches them."""
    assert (await quiet_office.call("GET", path, key=None)).status == 200
