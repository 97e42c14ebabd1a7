"""Files from upload to reader: in the mail where that is allowed, else behind the identity check (R38, R41)."""

import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from channels.base import Envelope, Mail
from gateway.content.files import LARGEST_FILE, examine
from gateway.store.attachments import keep_attachment
from gateway.store.tables import deliveries
from tests.api.office import Office, opened
from tests.api.parents import ANA_BORN, Post, barring, directory, opened_post
from tests.unit.content.test_files import MENU, pdf

NEWS: dict[str, Any] = {
    "category": "newsletter",
    "purpose": "information",
    "audience": {"students": ["ana"]},
    "content": {"language": "en", "subject": "News", "body": "Here is the menu."},
}
PROGRESS = NEWS | {"category": "progress", "purpose": "progress"}


@pytest_asyncio.fixture
async def office(database_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """Serve the school of the parents' pages, with keys, on both databases."""
    async with opened(database_url, tmp_path, directory=directory()) as office:
        yield office


@pytest_asyncio.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    """Run the school's gateway on SQLite, with its pages."""
    async with opened_post(f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}", tmp_path / "outbox") as post:
        yield post


async def upload(office: Office, name: str = "menu.pdf", content: bytes = MENU, kind: str = "application/pdf") -> Any:
    """Upload a file with a key that may send."""
    return await office.client.post(
        "/v1/attachments",
        params={"name": name},
        data=io.BytesIO(content),
        headers={"Authorization": f"Bearer {office.keys['send']}", "Content-Type": kind},
    )


async def test_a_file_is_kept_once(office: Office) -> None:
    """The same file has the same id, another school's key does not see it, and a form works as well."""
    first = await (await upload(office)).json()
    again = await (await upload(office)).json()
    assert first == again
    assert first["searchable"] is True
    assert first["size"] == len(MENU)
    described = await office.call("GET", f"/v1/attachments/{first['id']}", key="send")
    assert described.json == first
    missing = await office.call("GET", "/v1/attachments/0123", key="send")
    assert missing.status == 404


async def test_what_is_refused_names_the_field(office: Office) -> None:
    """An unfit file, an unknown id, a student the notification is not about."""
    answer = await upload(office, content=b"MZ")
    assert answer.status == 422
    assert (await answer.json())["errors"][0]["pointer"] == "content"
    unknown = await office.call("POST", "/v1/notifications", NEWS | {"attachments": ["nothing"]}, key="send")
    assert (unknown.status, unknown.json["errors"][0]["pointer"]) == (422, "/attachments/0")
    file = (await (await upload(office)).json())["id"]
    stranger = NEWS | {"student_attachments": {"ben": [file]}}
    refused = await office.call("POST", "/v1/notifications", stranger, key="send")
    assert (refused.status, refused.json["errors"][0]["pointer"]) == (422, "/student_attachments/ben")
    heavy = [
        (await (await upload(office, f"{number}.png", b"\x89PNG\r\n\x1a\n" + bytes(3_000_000), "image/png")).json())[
            "id"
        ]
        for number in range(2)
    ]
    too_much = await office.call("POST", "/v1/notifications", NEWS | {"attachments": heavy}, key="send")
    assert (too_much.status, too_much.json["errors"][0]["pointer"]) == (422, "/attachments")


async def keep(post: Post, name: str, content: bytes = MENU) -> str:
    """Put a file on record as an upload does; gives its id."""
    file = examine(name, "application/pdf", content)
    async with post.gateway.database.writing() as connection:
        await keep_attachment(connection, "hollins", name, file, by="test", at=post.clock())
    return name


async def test_general_news_carries_its_files(post: Post) -> None:
    """Each mail has the file, whole and under its name; nothing in the text asks for a link."""
    name = "Men\u00fc \u7f8e.pdf"
    notification = await post.send(NEWS | {"attachments": [await keep(post, name)]})
    for contact in ("shazia", "thomas"):
        mail = await post.mail(notification, contact)
        (file,) = mail.iter_attachments()
        assert file.get_filename() == name
        assert file.get_content() == MENU
        assert file.get_content_type() == "application/pdf"
        body = mail.get_body(("plain",))
        assert body is not None
        assert "/d/" not in body.get_content()


async def test_anything_personal_links_to_its_files(post: Post) -> None:
    """The mail carries none; the page behind the identity check lists them, and its links die with the pass."""
    notification = await post.send(PROGRESS | {"attachments": [await keep(post, "marks.pdf")]})
    mail = await post.mail(notification, "thomas")
    assert list(mail.iter_attachments()) == []
    link = await post.link(notification, "thomas")
    closed = await (await post.client.get(link)).text()
    assert "marks.pdf" not in closed
    page = await (await post.client.post(link, data=ANA_BORN)).text()
    (place,) = re.findall(r'href="([^"]+/files/1[^"]*)"', page)
    where = f"/d/{place}"
    got = await post.client.get(where)
    assert await got.read() == MENU
    assert got.headers["Content-Disposition"] == "attachment; filename*=utf-8''marks.pdf"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Cache-Control"] == "no-store"
    bare = await post.client.get(where.partition("?")[0], allow_redirects=False)
    assert bare.status == 303
    forged = await post.client.get(f"{where[:-1]}{'0' if where[-1] != '0' else '1'}", allow_redirects=False)
    assert forged.status == 303
    post.clock.advance(hours=2)
    assert (await post.client.get(where, allow_redirects=False)).status == 303


async def test_a_file_is_for_its_own_students_readers(post: Post) -> None:
    """What belongs to Ana is not on the page of Ben's mother, nor is it counted there."""
    files = {"ana": [await keep(post, "ana.pdf")], "ben": [await keep(post, "ben.pdf", pdf("Second copy"))]}
    both = PROGRESS | {"audience": {"students": ["ana", "ben"]}, "student_attachments": files}
    notification = await post.send(both)
    page = await (await post.client.post(await post.link(notification, "thomas"), data=ANA_BORN)).text()
    assert "ana.pdf" in page
    assert "ben.pdf" not in page
    place = re.findall(r'href="([^"]+/files/1[^"]*)"', page)[0].replace("/files/1", "/files/2")
    assert (await post.client.get(f"/d/{place}")).status == 404


async def test_a_link_to_files_dies_with_the_right_to_them(post: Post) -> None:
    """A court bars him after he has opened the page: the pass in his browser gives out nothing more (R44)."""
    notification = await post.send(PROGRESS | {"attachments": [await keep(post, "marks.pdf")]})
    page = await (await post.client.post(await post.link(notification, "thomas"), data=ANA_BORN)).text()
    (place,) = re.findall(r'href="([^"]+/files/1[^"]*)"', page)
    await post.enrol(directory() | {"restrictions": [barring("ana", "thomas", categories=["*"], channels=["*"])]})
    assert (await post.client.get(f"/d/{place}", allow_redirects=False)).status == 404


@pytest.mark.parametrize("where", ["inside", "name"])
async def test_a_file_that_tells_of_the_other_parent_waits(post: Post, where: str) -> None:
    """Text and name of a file are looked at like the message itself (R38): somebody must see it first."""
    words, name = ("Thomas Reid pays half", "a.pdf") if where == "inside" else ("Nothing else", "Thomas Reid.pdf")
    notification = await post.send(NEWS | {"attachments": [await keep(post, name, pdf(words))]})
    rows = await post.rows(deliveries.c.notification == notification)
    assert {row.contact: row.state for row in rows} == {"shazia": "held", "thomas": "sent"}


async def test_a_mail_keeps_its_files_whatever_else_is_written_meanwhile(post: Post) -> None:
    """Only the files of some notifications stay in memory: whoever is being written keeps its own all the same."""
    file = await keep(post, "menu.pdf")
    notifications = [await post.plan(NEWS | {"attachments": [file]}) for _ in range(12)]
    renderer = post.gateway.services.renderer
    async with post.gateway.database.reading() as connection:
        loaded = []
        for notification in notifications:
            rows = await post.rows(deliveries.c.notification == notification)
            loaded.append(await renderer.load(connection, rows))
    for school, known, readers in loaded:
        for reader in readers:
            written = renderer.write(school, known[reader.row.notification], reader)
            assert isinstance(written, Envelope)
            assert isinstance(written.payload, Mail)
            assert b'filename="menu.pdf"' in written.payload.content


async def test_large_files_are_written_in_portions(post: Post) -> None:
    """What would not fit into memory at once leaves nevertheless, each mail once."""
    school = directory()
    parents = [f"parent{number}" for number in range(9)]
    school["contacts"] += [{"id": name, "given_name": name, "family_name": "Hill"} for name in parents]
    school["contact_points"] += [
        {"id": f"{name}-e", "contact": name, "channel": "email", "address": f"{name}@example.org"} for name in parents
    ]
    related = {"student": "cleo", "relation": "mother", "parental_responsibility": "yes", "natural_parent": True}
    school["relationships"] += [related | {"contact": name} for name in parents]
    await post.enrol(school)
    file = examine("plan.png", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(LARGEST_FILE - 8))
    async with post.gateway.database.writing() as connection:
        await keep_attachment(connection, "hollins", "large", file, by="test", at=post.clock())
    notification = await post.plan(NEWS | {"audience": {"students": ["cleo"]}, "attachments": ["large"]})
    async with post.gateway.database.reading() as connection:
        rows = await post.rows(deliveries.c.notification == notification, deliveries.c.channel == "email")
        portion = await post.gateway.services.renderer.render_portion(connection, rows)
        assert 1 < len(portion) < len(rows) == 9
    await post.deliver(notification)
    rows = await post.rows(deliveries.c.notification == notification, deliveries.c.channel == "email")
    assert {(row.state, row.attempts) for row in rows} == {("sent", 1)}
    assert len(list((post.outbox / "email").glob("*.eml"))) == len(rows)
