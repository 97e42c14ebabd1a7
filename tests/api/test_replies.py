"""Replies: read by staff, whole, with what came along, and done with when somebody says so (R40)."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode

import pytest

from channels.base import Enclosure, Inbound
from gateway.access import Scope
from gateway.store.tables import deliveries
from tests.api.office import DIRECTORY, NOTICE, Office
from tests.api.test_tasks import listed

TWO = {
    **DIRECTORY,
    "contacts": [*DIRECTORY["contacts"], {"id": "C2", "given_name": "Dorian", "family_name": "Moss"}],
    "contact_points": [
        *DIRECTORY["contact_points"],
        {"id": "P3", "contact": "C2", "channel": "email", "address": "dorian@example.org", "confidential": True},
    ],
    "relationships": [
        *DIRECTORY["relationships"],
        {"student": "S1", "contact": "C2", "parental_responsibility": "yes"},
    ],
}
"""Two parents; one's address is confidential."""

BODY = "She will be late.\n\nOn Monday Oak School wrote:\n> Swimming"


async def sent(office: Office, **fields: Any) -> dict[str, str]:
    """Send a notice to both parents; gives the delivery of each contact."""
    assert (await office.call("PUT", "/v1/directory", TWO, key="directory")).status == 200
    posted = await office.post("/v1/notifications", {**NOTICE, **fields}, key="send")
    assert posted.status == 202, posted.text
    await office.deliver(posted.json["id"])
    async with office.gateway.database.reading() as connection:
        rows = await connection.execute(deliveries.select().where(deliveries.c.notification == posted.json["id"]))
        return {row.contact: row.id for row in rows if row.channel == "email"}


async def answered(office: Office, delivery: str | None, number: int = 1, **fields: Any) -> None:
    """Let an answer come in, a moment after the one before."""
    office.clock.now += dt.timedelta(milliseconds=1)
    usual = {
        "provider": "returned_mail",
        "event_id": f"event-{number}",
        "at": office.clock(),
        "sender": "cleo@example.org",
        "recipient": "reply+x@replies.example.org",
        "body": BODY,
        "delivery": delivery,
    }
    assert await office.gateway.services.inbox.take([Inbound(**{**usual, **fields})]) == 1


async def replies(office: Office, key: str = "read", **filters: str) -> list[Any]:
    """List replies as a reader."""
    found = await office.call("GET", f"/v1/replies?{urlencode(filters)}", key=key)
    assert found.status == 200, found.text
    items: list[Any] = found.json["items"]
    return items


async def test_a_reply_is_read_whole(office: Office) -> None:
    """The list says that there is one, the reply itself has the words, with our own message apart."""
    delivery = (await sent(office))["C1"]
    await answered(office, delivery)
    (item,) = await replies(office)
    assert (item["contact"], item["delivery"], item["channel"]) == ("C1", delivery, "email")
    assert (item["writer"], item["genuine_sender"], item["answered_at"]) == ("cleo@example.org", True, None)
    assert "late" not in str(item)
    reply = (await office.call("GET", f"/v1/replies/{item['id']}", key="read")).json
    assert (reply["text"], reply["quoted"]) == ("She will be late.", "On Monday Oak School wrote:\n> Swimming")
    assert {name: reply[name] for name in item} == item


async def test_an_enclosure_is_saved_and_never_shown(office: Office) -> None:
    """It comes from outside: the browser is told to open nothing of it, whatever it calls itself."""
    delivery = (await sent(office))["C1"]
    page = b"<script>alert(1)</script>\x00\xff"
    files = (Enclosure(name='zd"jęcie\r\n.html', content_type="text/html", content=page),)
    await answered(office, delivery, enclosures=files)
    (item,) = await replies(office)
    (enclosed,) = item["enclosures"]
    assert (enclosed["number"], enclosed["content_type"], enclosed["size"]) == (1, "text/html", len(page))
    headers = {"Authorization": f"Bearer {office.keys['read']}"}
    async with office.client.get(enclosed["href"], headers=headers) as found:
        assert await found.read() == page
        assert found.headers["Content-Type"] == "application/octet-stream"
        assert found.headers["X-Content-Type-Options"] == "nosniff"
        assert found.headers["Content-Disposition"].startswith(
            "attachment; filename=enclosure-1; filename*=UTF-8''zd%22j"
        )
    for wrong in ("2", "0", "x", "1" * 30, "-1"):
        path = f"/v1/replies/{item['id']}/enclosures/{wrong}"
        assert (await office.call("GET", path, key="read")).status == 404


async def test_a_confidential_address_stays_so(office: Office) -> None:
    """Neither the owner's own reply shows it, nor one from elsewhere, nor one from it to another's thread (R36)."""
    found = await sent(office)
    await answered(office, found["C2"], 1, sender="Dorian@example.org")
    await answered(office, found["C2"], 2, sender="elsewhere@example.net")
    await answered(office, found["C1"], 3, sender="dorian@example.org")
    await answered(office, found["C1"], 4, sender="elsewhere@example.net")
    assert [(item["writer"], item["genuine_sender"]) for item in await replies(office)] == [
        ("confidential", True), ("confidential", False), ("confidential", False), ("elsewhere@example.net", False),
    ]  # fmt: skip


async def test_what_is_done_leaves_the_lists(office: Office) -> None:
    """A reply and its task are one thing to do: whichever is settled, the other goes with it."""
    delivery = (await sent(office))["C1"]
    for number in (1, 2):
        await answered(office, delivery, number)
    first, second = await listed(office, kind="answer_reply")
    assert first["actions"][0]["href"] == f"/v1/replies/{first['id']}"
    done = await office.post(f"{first['actions'][0]['href']}/done", {"note": "Telephoned."}, key="send")
    assert (done.status, done.json["handled_by"]) == (200, office.keys["send"].split("_")[1])
    assert [item["id"] for item in await listed(office, kind="answer_reply")] == [second["id"]]
    assert [item["id"] for item in await replies(office, open="true")] == [second["id"]]
    again = await office.post(f"/v1/replies/{first['id']}/done", {"note": "Again."}, key="send")
    assert again.status == 409
    settled = await office.post(f"/v1/tasks/{second['id']}/done", {"note": "Telephoned, too."}, key="alerts")
    assert settled.status == 200
    assert await replies(office, open="true") == []
    assert [item["id"] for item in await replies(office, open="false")] == [first["id"], second["id"]]
    (task,) = [item for item in await listed(office, open="false") if item["id"] == first["id"]]
    assert task["note"] == "Telephoned."


async def test_the_list_is_paged_within_its_filters(office: Office) -> None:
    """In the order in which they came; each page keeps the question."""
    found = await sent(office)
    for number in range(3):
        await answered(office, found["C1"], number)
        await answered(office, found["C2"], 10 + number)
    everything = await replies(office)
    assert [item["contact"] for item in everything] == ["C1", "C2"] * 3
    seen, path = [], "/v1/replies?contact=C1&open=true&limit=2"
    while path:
        page = (await office.call("GET", path, key="read")).json
        seen += [item["id"] for item in page["items"]]
        path = page["links"]["next"]
    assert seen == [item["id"] for item in everything if item["contact"] == "C1"]
    notification = everything[0]["notification"]
    assert len(await replies(office, notification=notification, contact="C2")) == 3
    assert await replies(office, notification="another") == []


async def test_another_school_and_another_scope_learn_nothing(office: Office) -> None:
    """Not even that there is a reply."""
    delivery = (await sent(office))["C1"]
    await answered(office, delivery, enclosures=(Enclosure(name="a", content_type="text/plain", content=b"a"),))
    (item,) = await replies(office)
    await office.make_key("elm", Scope.ADMIN, school="elm")
    elm = {"school": {"id": "elm", "name": "Elm School"}}
    assert (await office.call("PUT", "/v1/directory", elm, key="elm")).status == 200
    assert await replies(office, key="elm") == []
    path = f"/v1/replies/{item['id']}"
    for key, status in (("elm", 404), ("directory", 403)):
        for call in ("", "/enclosures/1"):
            assert (await office.call("GET", path + call, key=key)).status == status
        assert (await office.post(f"{path}/done", {"note": "x"}, key=key)).status == status
    assert (await office.post(f"{path}/done", {"note": "x"}, key="read")).status == 403


async def test_words_that_no_database_stores_are_stored_without_them(office: Office) -> None:
    """NUL and halves of characters are left out, and too long a text is cut and said to be."""
    delivery = (await sent(office))["C1"]
    await answered(office, delivery, 1, body="a\0b\ud800c", sender="x\0@example.org")
    await answered(office, delivery, 2, body="z" * 300_000)
    large = tuple(Enclosure(name=f"{number}", content_type="a/b", content=bytes(6_000_000)) for number in range(2))
    await answered(office, delivery, 3, enclosures=large)
    first, second, third = await replies(office)
    text = (await office.call("GET", f"/v1/replies/{first['id']}", key="read")).json["text"]
    assert (text, first["cut"]) == ("ab?c", False)
    assert second["cut"]
    assert (len(third["enclosures"]), third["cut"]) == (1, True)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("query", ["open=perhaps", "cursor=x", "limit=0", "contact=%00", "notification=%00"])
async def test_an_odd_question_is_refused(quiet_office: Office, query: str) -> None:
    """One sentence that names the parameter."""
    refused = await quiet_office.call("GET", f"/v1/replies?{query}")
    assert refused.as_problem()["errors"][0]["pointer"] == query.partition("=")[0]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("body", [{}, {"note": ""}, {"note": 1}, {"note": "x", "by": "me"}])
async def test_done_says_what_was_done(quiet_office: Office, body: Any) -> None:
    """Without a word nothing is done."""
    assert (await quiet_office.post("/v1/replies/none/done", body)).status == 422
