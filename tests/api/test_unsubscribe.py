"""Unsubscribing: one click in the mail program or one button, where it is allowed, and for good (R21, RFC 8058)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import FormData

from gateway.store.people import load_school
from gateway.store.tables import chronology, decisions, deliveries, wishes
from tests.api.parents import SCHOOL, Post, directory, letter_of, opened_post, report

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest_asyncio.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    """Run the school's gateway on SQLite."""
    async with opened_post(f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}", tmp_path / "outbox") as post:
        yield post


async def newsletter(post: Post, *students: str) -> str:
    """Send a newsletter; gives its id."""
    return await post.send(letter_of("newsletter", *students))


async def outcomes(post: Post, notification: str) -> dict[str, tuple[str, str]]:
    """Give each contact's outcome and rule."""
    rows = await post.rows(decisions.c.notification == notification, table=decisions)
    return {row.contact: (row.outcome, row.rule) for row in rows}


async def version(post: Post) -> int:
    """Give the directory's version."""
    async with post.gateway.database.reading() as connection:
        known = await load_school(connection, SCHOOL)
    assert known is not None
    return known[1]


@pytest.mark.parametrize("multipart", [False, True])
async def test_one_click(post: Post, *, multipart: bool) -> None:
    """The mail program's POST, in either encoding, ends newsletters to this contact and to nobody else."""
    link = await post.unsubscribe_link(await newsletter(post, "ana"), "thomas")
    form = FormData(ONE_CLICK, default_to_multipart=multipart)
    response = await post.client.post(link, data=form, allow_redirects=False)
    assert response.status == 200
    assert "Set-Cookie" not in response.headers
    assert "You will receive no more messages of this kind." in await response.text()
    after = await outcomes(post, await newsletter(post, "ana"))
    assert after == {"thomas": ("exclude", "R21"), "shazia": ("send", "R07")}


async def test_by_button_in_urdu(post: Post) -> None:
    """The page asks in the reader's language, and its button does what the mail program does."""
    link = await post.unsubscribe_link(await newsletter(post, "ana"), "shazia")
    page = await (await post.client.get(link)).text()
    assert '<html lang="ur" dir="rtl">' in page
    assert '<form method="post">\n<input type="hidden" name="List-Unsubscribe" value="One-Click">' in page
    assert "رکنیت ختم کریں</button>" in page
    response = await post.client.post(link, data=ONE_CLICK)
    assert "آپ کو آئندہ ایسے پیغامات نہیں بھیجے جائیں گے" in await response.text()
    assert (await outcomes(post, await newsletter(post, "ana")))["shazia"] == ("exclude", "R21")


async def test_the_wish_binds_its_category_only(post: Post) -> None:
    """Who refuses newsletters still gets what the school must or may send besides."""
    link = await post.unsubscribe_link(await newsletter(post, "ana"), "thomas")
    await post.client.post(link, data=ONE_CLICK)
    for wanted in (letter_of("celebration", "ana"), letter_of("routine", "ana"), report("ana")):
        assert (await outcomes(post, await post.send(wanted)))["thomas"][0] == "send", wanted["category"]


async def test_the_wish_survives_every_import(post: Post) -> None:
    """No import takes back what a contact told us."""
    link = await post.unsubscribe_link(await newsletter(post, "ana"), "thomas")
    await post.client.post(link, data=ONE_CLICK)
    changed = directory()
    for contact in changed["contacts"]:
        contact["preferences"] = {"opted_out": ["routine"]}
    for document in (changed, directory()):
        await post.enrol(document)
        assert (await outcomes(post, await newsletter(post, "ana")))["thomas"] == ("exclude", "R21")


async def test_what_is_on_its_way_is_stopped(post: Post) -> None:
    """A newsletter that was planned before the click is withdrawn before it leaves."""
    link = await post.unsubscribe_link(await newsletter(post, "ana"), "thomas")
    planned = await post.plan(letter_of("newsletter", "ana"))
    await post.client.post(link, data=ONE_CLICK)
    await post.deliver(planned)
    rows = await post.rows(deliveries.c.notification == planned)
    assert {row.contact: row.state for row in rows} == {"thomas": "suppressed", "shazia": "sent"}


async def test_a_given_consent_is_taken_back(post: Post) -> None:
    """Fundraising needs consent; unsubscribing from it takes the consent back."""
    consenting = directory()
    for contact in consenting["contacts"]:
        contact["preferences"] = {"opted_in": ["fundraising"]}
    await post.enrol(consenting)
    first = await post.send(letter_of("fundraising", "ana"))
    await post.client.post(await post.unsubscribe_link(first, "thomas"), data=ONE_CLICK)
    after = await outcomes(post, await post.send(letter_of("fundraising", "ana")))
    assert after == {"thomas": ("exclude", "R21"), "shazia": ("send", "R07")}


async def test_a_joint_mailbox_is_left_in_peace(post: Post) -> None:
    """A mail to two people who share the mailbox is refused for both: the next one would go to the same mailbox."""
    notification = await newsletter(post, "dan")
    rows = await post.rows(deliveries.c.notification == notification)
    (carrier,) = {row.contact for row in rows if row.merged_into is None}
    await post.client.post(await post.unsubscribe_link(notification, carrier), data=ONE_CLICK)
    after = await outcomes(post, await newsletter(post, "dan"))
    assert {after[contact] for contact in ("joan", "paul")} == {("exclude", "R21")}


async def test_asking_changes_nothing(post: Post) -> None:
    """Scanners that follow the link, and forms that are not the agreed one, leave no trace."""
    link = await post.unsubscribe_link(await newsletter(post, "ana"), "thomas")
    before = await post.footprint(), await version(post)
    assert (await post.client.get(link)).status == 200
    for body in ({}, {"List-Unsubscribe": "no"}, {"list-unsubscribe": "One-Click"}):
        assert (await post.client.post(link, data=body)).status == 400
    assert (await post.client.post(link, json=ONE_CLICK)).status == 400
    assert (await post.client.post(link, data={**ONE_CLICK, "more": "x" * 11_000})).status == 413
    assert (await post.footprint(), await version(post)) == before


async def test_clicking_again_changes_nothing_more(post: Post) -> None:
    """The wish, the record of it and the directory's new version come once."""
    link = await post.unsubscribe_link(await newsletter(post, "ana"), "thomas")
    before = await version(post)
    assert (await post.client.post(link, data=ONE_CLICK)).status == 200
    after = await post.footprint()
    assert (await post.client.post(link, data=ONE_CLICK)).status == 200
    assert await post.footprint() == after
    assert await version(post) == before + 1
    (entry,) = await post.rows(chronology.c.event == "wish_recorded", table=chronology)
    assert (entry.contact, entry.detail) == (
        "thomas",
        '{"category":"newsletter","opted_out":true,"origin":"unsubscribe_link"}',
    )


async def test_clicks_at_once_are_one_wish(database_url: str, tmp_path: Path) -> None:
    """A mail program that is in a hurry gets the same answer to every click."""
    async with opened_post(database_url, tmp_path / "outbox") as post:
        link = await post.unsubscribe_link(await newsletter(post, "ana"), "thomas")
        answers = await asyncio.gather(*(post.client.post(link, data=ONE_CLICK) for _ in range(10)))
        assert {answer.status for answer in answers} == {200}
        (wish,) = await post.rows(table=wishes)
        assert (wish.contact, wish.category, wish.opted_out, wish.origin) == (
            "thomas",
            "newsletter",
            True,
            "unsubscribe_link",
        )
        assert len(await post.rows(chronology.c.event == "wish_recorded", table=chronology)) == 1


async def test_what_the_school_must_send_cannot_be_refused(post: Post) -> None:
    """For a report there is no way out: its link is answered like one that does not exist, and nothing is recorded."""
    link = (await post.link(await post.send(report("ana")), "thomas")).replace("/d/", "/u/")
    signature = link.rpartition(".")[2]
    answers = set()
    for path in (link, f"/u/nothing.{signature}", "/u/x"):
        for response in (await post.client.get(path), await post.client.post(path, data=ONE_CLICK)):
            answers.add((response.status, await response.text()))
    assert [status for status, _ in answers] == [404]
    assert await post.rows(table=wishes) == []
