"""The secure page: who holds the link and knows the answer reads the text, nobody else learns a thing (R41, R44)."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Executable, text

from gateway.access import Link, sign_link
from gateway.console.links import preferred_languages
from gateway.console.style import CONTENT_SECURITY_POLICY
from gateway.content.policy import Look
from gateway.dispatch.documents import WRONG_PER_CONTACT, WRONG_PER_LINK
from gateway.store.notifications import cancel
from gateway.store.tables import deliveries, delivery_events, document_openings
from tests.api.parents import (
    ANA_BORN,
    COMMENT,
    SECRET,
    WRONG_DATE,
    Post,
    barring,
    directory,
    letter_of,
    opened_post,
    report,
)

FORGED = "/d/06fclea500rhskj89qimjfur8mlma0.43ea7879dbc728f2e1de735d00acf61d"


@pytest_asyncio.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    """Run the school's gateway on SQLite."""
    async with opened_post(f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}", tmp_path / "outbox") as post:
        yield post


async def asked(post: Post, link: str, answer: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
    """Open a link, or answer its question; gives status and page."""
    if answer is None:
        response = await post.client.get(link, headers=headers)
    else:
        response = await post.client.post(link, data=answer, headers=headers)
    return response.status, await response.text()


async def test_a_mother_reads_the_report_in_urdu(post: Post) -> None:
    """The page asks in the reader's language, right to left, for the student the mail named, then shows the text."""
    link = await post.link(await post.send(report("ana")), "shazia")
    status, page = await asked(post, link)
    assert status == 200
    assert '<html lang="ur" dir="rtl">' in page
    assert "دستاویز کھولیں" in page
    assert "Ana" in page
    assert COMMENT not in page
    status, page = await asked(post, link, ANA_BORN)
    assert status == 200
    assert '<h1 lang="ur" dir="rtl">تعلیمی رپورٹ تیار ہے: Summer term 2026</h1>' in page
    assert COMMENT in page
    assert "<title>تعلیمی" not in page


async def test_a_father_reads_the_report_in_large_print(post: Post) -> None:
    """A reader of large print gets a larger page; the answer may be typed as people write dates."""
    link = await post.link(await post.send(report("ana")), "thomas")
    _, page = await asked(post, link)
    assert '<html lang="en" dir="ltr" class="larger">' in page
    for answer in ({"day": "09", "month": "05", "year": " 2014 "}, {"day": "৯", "month": "৫", "year": "২০১৪"}):
        status, page = await asked(post, link, answer)
        assert (status, COMMENT in page) == (200, True)


async def test_a_text_in_another_language_says_so(post: Post) -> None:
    """What is not in the reader's language keeps its own, below a note in the reader's."""
    link = await post.link(await post.send(letter_of("behaviour", "ana")), "shazia")
    _, page = await asked(post, link, ANA_BORN)
    assert '<html lang="ur" dir="rtl">' in page
    assert '<h1 lang="en" dir="ltr">Summer fair</h1>' in page
    assert "اس پیغام کی زبان" in page


async def test_every_page_is_private(post: Post) -> None:
    """No cache, frame, index, script or referrer learns of a page, whether it leads anywhere or not."""
    link = await post.link(await post.send(report("ana")), "thomas")
    for response in (
        await post.client.get(link),
        await post.client.post(link, data=ANA_BORN),
        await post.client.get(FORGED),
    ):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["X-Robots-Tag"].startswith("noindex")
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert "Set-Cookie" not in response.headers
        page = await response.text()
        assert "<script" not in page
        assert page.count("<h1") == 1


async def test_a_text_message_links_to_a_page_without_names(post: Post) -> None:
    """A text message names nobody at sensitivity 2, so its page does not either."""
    link = await post.link(await post.send(report("dan")), "omar")
    _, page = await asked(post, link)
    assert "date of birth of your child" in page
    assert "Dan" not in page
    status, page = await asked(post, link, {"day": "1", "month": "12", "year": "2013"})
    assert (status, COMMENT in page) == (200, True)


async def test_without_a_date_of_birth_the_postcode_is_asked(post: Post) -> None:
    """Where the school knows no date of birth, the reader's own postcode opens the page, however it is typed."""
    link = await post.link(await post.send(report("ben")), "grace")
    _, page = await asked(post, link)
    assert '<label for="postcode">Postcode</label>' in page
    assert "9ZZ" not in page
    status, page = await asked(post, link, {"postcode": "ZZ9 9ZY"})
    assert (status, COMMENT in page) == (422, False)
    status, page = await asked(post, link, {"postcode": "zz99zz"})
    assert (status, COMMENT in page) == (200, True)


async def test_where_nothing_can_be_asked_the_office_helps(post: Post) -> None:
    """Without date and postcode no answer opens the page."""
    link = await post.link(await post.send(report("cleo")), "maya")
    for answer in (None, {"postcode": ""}, {"day": "", "month": "", "year": ""}):
        _, page = await asked(post, link, answer)
        assert "Please contact the school office." in page
        assert "<form" not in page
        assert COMMENT not in page


async def test_a_wrong_date_says_so(post: Post) -> None:
    """A wrong answer is named first, leads to the field, and shows nothing."""
    link = await post.link(await post.send(report("ana")), "thomas")
    status, page = await asked(post, link, WRONG_DATE)
    assert status == 422
    assert 'role="alert" id="wrong"><a href="#day">That did not match. Please try again.</a>' in page
    assert page.count('aria-invalid="true" aria-describedby="wrong"') == 3
    assert COMMENT not in page
    (opening,) = await post.rows(table=document_openings)
    assert (opening.outcome, opening.contact) == ("wrong", "thomas")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"day": "31", "month": "2", "year": "2014"},
        {"day": "x", "month": "5", "year": "2014"},
        {"day": "9", "month": "5", "year": "20145"},
        {"day": "9", "month": "5", "year": "0"},
        {"day": "-9", "month": "5", "year": "2014"},
        {"postcode": "2014-05-09"},
    ],
)
async def test_what_is_no_date_is_no_attempt(post: Post, answer: dict[str, str]) -> None:
    """A slip of the fingers is told, but not counted."""
    link = await post.link(await post.send(report("ana")), "thomas")
    assert (await asked(post, link, answer))[0] == 422
    assert await post.rows(table=document_openings) == []


async def test_too_many_attempts_close_the_link_for_an_hour(post: Post) -> None:
    """After five wrong answers even the right one is not looked at, until an hour has passed."""
    link = await post.link(await post.send(report("ana")), "thomas")
    for _ in range(WRONG_PER_LINK):
        assert (await asked(post, link, WRONG_DATE))[0] == 422
    for answer in (ANA_BORN, WRONG_DATE, None):
        status, page = await asked(post, link, answer)
        assert status == 429
        assert "Too many attempts." in page
        assert COMMENT not in page
    assert len(await post.rows(table=document_openings)) == WRONG_PER_LINK
    post.clock.advance(minutes=61)
    assert (await asked(post, link, ANA_BORN))[0] == 200


async def test_too_many_attempts_of_a_day_close_all_links_of_the_contact(post: Post) -> None:
    """Several links do not multiply the attempts: twenty a day are the contact's limit, and only this contact's."""
    links = [await post.link(await post.send(report("ana")), "thomas") for _ in range(WRONG_PER_CONTACT // 5 + 1)]
    for link in links[:-1]:
        for _ in range(WRONG_PER_LINK):
            assert (await asked(post, link, WRONG_DATE))[0] == 422
    assert (await asked(post, links[-1], ANA_BORN))[0] == 429
    other = await post.link(await post.send(report("ana")), "shazia")
    assert (await asked(post, other, ANA_BORN))[0] == 200
    post.clock.advance(hours=25)
    assert (await asked(post, links[-1], ANA_BORN))[0] == 200


async def test_attempts_at_once_are_counted_one_by_one(database_url: str, tmp_path: Path) -> None:
    """Twenty wrong answers at the same moment are no more than five attempts."""
    async with opened_post(database_url, tmp_path / "outbox") as post:
        link = await post.link(await post.send(report("ana")), "thomas")
        answers = await asyncio.gather(*(asked(post, link, WRONG_DATE) for _ in range(20)))
        assert sorted(status for status, _ in answers) == [422] * 5 + [429] * 15
        assert len(await post.rows(table=document_openings)) == WRONG_PER_LINK


async def test_scanners_change_nothing(post: Post) -> None:
    """Following links any number of times leaves no trace and reveals no text."""
    notification = await post.send(report("ana"))
    link = await post.link(notification, "thomas")
    before = await post.footprint()
    for _ in range(3):
        assert COMMENT not in (await asked(post, link))[1]
    assert await post.footprint() == before


async def test_openings_are_on_record(post: Post) -> None:
    """Every opening is recorded; the first marks the delivery as seen and leaves its state alone."""
    notification = await post.send(report("ana"))
    link = await post.link(notification, "thomas")
    await asked(post, link, ANA_BORN)
    post.clock.advance(days=1)
    await asked(post, link, ANA_BORN)
    row = await post.delivery(notification, "thomas")
    assert [opening.outcome for opening in await post.rows(table=document_openings)] == ["opened", "opened"]
    seen = await post.rows(delivery_events.c.delivery == row.id, table=delivery_events)
    assert [(event.news, event.state) for event in seen] == [("seen", "sent")]


def _barred_father() -> dict[str, Any]:
    return {**directory(), "restrictions": [barring("ana", "thomas")]}


def _mailbox_shared_with_a_barred_person() -> dict[str, Any]:
    changed = {**directory(), "restrictions": [barring("ana", "paul")]}
    changed["contact_points"].append(
        {"id": "paul-t", "contact": "paul", "channel": "email", "address": "thomas@example.org"}
    )
    return changed


def _barred_by_mail_only() -> dict[str, Any]:
    return {**directory(), "restrictions": [barring("ana", "thomas", channels=["email"])]}


def _address_given_up() -> dict[str, Any]:
    changed = directory()
    changed["contact_points"] = [
        {**point, "id": "thomas-new", "address": "thomas.reid@example.org"} if point["id"] == "thomas-e" else point
        for point in changed["contact_points"]
    ]
    return changed


def _died() -> dict[str, Any]:
    changed = directory()
    changed["contacts"] = [{**row, "deceased": row["id"] == "thomas"} for row in changed["contacts"]]
    return changed


@pytest.mark.parametrize(
    "change",
    [_barred_father, _mailbox_shared_with_a_barred_person, _barred_by_mail_only, _address_given_up, _died],
)
async def test_a_restriction_revokes_sent_links(post: Post, change: Callable[[], dict[str, Any]]) -> None:
    """Whoever may no longer be told by this route finds nothing behind the link, nor does the right answer help."""
    notification = await post.send(report("ana"))
    link, other = await post.link(notification, "thomas"), await post.link(notification, "shazia")
    assert (await asked(post, link))[0] == 200
    await post.enrol(change())
    unknown = await asked(post, FORGED)
    assert await asked(post, link) == unknown
    assert await asked(post, link, ANA_BORN) == unknown
    assert (await asked(post, other, ANA_BORN))[0] == 200
    assert [opening.contact for opening in await post.rows(table=document_openings)] == ["shazia"]


async def test_dead_addresses_and_own_wishes_revoke_nothing(post: Post) -> None:
    """A wish for no more messages, or a mailbox that bounced since, does not take away what came before."""
    link = await post.link(await post.send(letter_of("behaviour", "ana")), "thomas")
    changed = directory()
    for contact in changed["contacts"]:
        contact["preferences"] = {"opted_out": ["behaviour"]}
    for point in changed["contact_points"]:
        point["state"] = "dead"
    await post.enrol(changed)
    assert (await asked(post, link, ANA_BORN))[0] == 200


async def test_links_end_after_sixty_days(post: Post) -> None:
    """A link in an old mailbox opens nothing."""
    link = await post.link(await post.send(report("ana")), "thomas")
    post.clock.advance(days=60)
    assert (await asked(post, link, ANA_BORN))[0] == 200
    post.clock.advance(seconds=1)
    assert await asked(post, link, ANA_BORN) == await asked(post, FORGED)


async def test_a_cancelled_message_has_no_page(post: Post) -> None:
    """What was withdrawn before it left is not to be read either."""
    notification = await post.plan(report("ana"))
    (row,) = await post.rows(deliveries.c.notification == notification, deliveries.c.contact == "thomas")
    link = f"/d/{row.id}.{sign_link(SECRET, Link.DOCUMENT, row.id)}"
    assert (await asked(post, link))[0] == 200
    async with post.gateway.database.writing() as connection:
        await cancel(connection, notification, at=post.clock.now)
    assert await asked(post, link, ANA_BORN) == await asked(post, FORGED)


async def test_forged_links_look_like_unknown_ones(post: Post) -> None:
    """A forged signature, another delivery's, a made-up delivery and no token at all get one answer."""
    notification = await post.send(report("ana"))
    link = await post.link(notification, "thomas")
    delivery, _, signature = link.removeprefix("/d/").partition(".")
    other = (await post.link(notification, "shazia")).removeprefix("/d/").partition(".")[2]
    turned = f"{int(signature, 16) ^ 1:032x}"
    answers = {
        await asked(post, path)
        for path in (
            FORGED,
            f"/d/{delivery}.{turned}",
            f"/d/{delivery}.{other}",
            f"/d/{delivery}",
            f"/d/{delivery}.",
            f"/d/{delivery}.{signature.upper()}é",
            "/d/%ff%fe.x",
            "/d/x",
        )
    }
    assert len(answers) == 1
    ((status, page),) = answers
    assert status == 404
    assert "This link is no longer valid." in page
    assert "Hollins" not in page


@pytest.mark.parametrize(
    ("header", "language"),
    [("ur-PK,ur;q=0.9,en;q=0.8", "ur"), ("xx, pl;q=0.5", "pl"), ("", "en"), ("*;q=0.1, ;;;, \x7f", "en")],
)
async def test_a_dead_link_speaks_the_browsers_language(post: Post, header: str, language: str) -> None:
    """The reader's own language would tell that there is a reader; the browser's tells nothing."""
    _, page = await asked(post, FORGED, **{"Accept-Language": header.replace("\x7f", "")})
    assert f'<html lang="{language}"' in page


def test_languages_are_taken_in_the_browsers_order() -> None:
    """Weights order the languages; what is refused by weight 0 or unreadable never comes first."""
    assert preferred_languages("de;q=0.2, fr, en;q=0, pl;q=0.9") == ["fr", "pl", "de"]


async def test_a_large_body_is_refused(post: Post) -> None:
    """A form of more than 10 kB is not read."""
    link = await post.link(await post.send(report("ana")), "thomas")
    assert (await asked(post, link, {**ANA_BORN, "more": "x" * 11_000}))[0] == 413
    assert await post.rows(table=document_openings) == []


async def test_what_is_no_form_gets_the_question_again(post: Post) -> None:
    """A broken or foreign body is no answer."""
    link = await post.link(await post.send(report("ana")), "thomas")
    for content_type, body in (
        ("application/json", b'{"day": 9}'),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nbroken"),
        ("application/x-www-form-urlencoded; charset=nonsense", b"day=9"),
        ("application/x-www-form-urlencoded", b"day=\xff"),
    ):
        response = await post.client.post(link, data=body, headers={"Content-Type": content_type})
        assert response.status == 422, content_type


async def test_names_never_become_markup(post: Post) -> None:
    """Whatever a name holds is shown as text."""
    changed = directory()
    changed["students"][0]["given_name"] = '<b>Ana</b> & "co"'
    changed["school"]["name"] = "Hollins <i>Lane</i>"
    await post.enrol(changed)
    link = await post.link(await post.send(report("ana")), "thomas")
    for answer in (None, WRONG_DATE, ANA_BORN):
        _, page = await asked(post, link, answer)
        assert not re.search(r"<b>|<i>", page)
        assert "Hollins &lt;i&gt;Lane&lt;/i&gt;" in page


def test_looks_of_the_page_are_those_of_mails() -> None:
    """Every size of print that a contact can need is one the page knows."""
    assert {Look.of([need]).points for need in ("large_print_16", "large_print_20", "bsl_video")} == {12, 16, 20}


DAMAGE = text("UPDATE restrictions SET document = substr(document, 2)")
REPAIR = text("UPDATE restrictions SET document = '{' || document")


async def run(post: Post, statement: Executable) -> None:
    """Change the register behind the gateway's back."""
    async with post.gateway.database.writing() as connection:
        await connection.execute(statement)


async def test_no_page_opens_while_nobody_can_say_who_is_barred(post: Post) -> None:
    """The register cannot be read: neither question nor text, no trace, no reason; repaired, the page opens (R46)."""
    await post.enrol({**directory(), "restrictions": [barring("ana", "thomas", categories=["billing"])]})
    link = await post.link(await post.send(report("ana")), "thomas")
    before = await post.footprint()
    await run(post, DAMAGE)
    _, forged = await asked(post, FORGED)
    assert await asked(post, link) == (503, forged)
    assert await asked(post, link, ANA_BORN) == (503, forged)
    assert (await post.client.get(link)).headers["Retry-After"] == "60"
    assert await post.footprint() == before
    await run(post, REPAIR)
    status, page = await asked(post, link, ANA_BORN)
    assert status == 200
    assert COMMENT in page


@pytest.mark.parametrize(
    ("category", "with_snapshot", "statuses"),
    [
        ("emergency", True, {"shazia": 200, "thomas": 404}),
        ("emergency", False, {"shazia": 503, "thomas": 503}),
        ("routine", True, {"shazia": 503, "thomas": 503}),
    ],
    ids=["alert", "alert without a snapshot", "news"],
)
async def test_an_alerts_page_opens_on_the_snapshot(
    post: Post,
    category: str,
    with_snapshot: bool,  # noqa: FBT001  # a table's column
    statuses: dict[str, int],
) -> None:
    """For all but those whom it bars from anything, and only while there is one (R46)."""
    await post.enrol({**directory(), "restrictions": [barring("ana", "thomas", categories=["billing"])]})
    notification = await post.send(letter_of(category, "ana"))
    if with_snapshot:
        await post.gateway.clock.round()
    await run(post, DAMAGE)
    rows = await post.rows(deliveries.c.notification == notification, deliveries.c.state == "sent")
    links = {row.contact: f"/d/{row.id}.{sign_link(SECRET, Link.DOCUMENT, row.id)}" for row in rows}
    assert {contact: (await asked(post, link))[0] for contact, link in links.items()} == statuses
