"""The question of consent on the secure page: readers answer for themselves and learn of nobody else (R14)."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.store.notifications import cancel
from gateway.store.tables import chronology, consent_answers, deliveries
from tests.api.parents import ANA_BORN, Post, barring, directory, letter_of, opened_post, report

DAN_BORN = {"day": "1", "month": "12", "year": "2013"}
YES, NO = {"student": "1", "answer": "yes"}, {"student": "1", "answer": "no"}
DEADLINE = "2026-06-20T16:00:00+01:00"


@pytest_asyncio.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    """Run the school's gateway on SQLite."""
    async with opened_post(f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}", tmp_path / "outbox") as post:
        yield post


def question(*students: str, **fields: Any) -> dict[str, Any]:
    """Ask for consent about these students."""
    return letter_of("consent", *students, purpose="consent") | fields


def without_pass(page: str) -> str:
    """Leave out what differs from one look to the next."""
    return re.sub(r'name="pass" value="[^"]*"', "", page)


class Parent:
    """Somebody with a link, a browser and a child's date of birth."""

    def __init__(self, post: Post, link: str, born: dict[str, str]) -> None:
        self._post = post
        self.link = link
        self._born = born

    async def opens(self) -> str:
        """Open the link and meet the identity check; gives the page with the text."""
        response = await self._post.client.post(self.link, data=self._born)
        assert response.status == 200
        return await response.text()

    async def sends(self, form: dict[str, str], *, key: str | None = None, **headers: str) -> tuple[int, str]:
        """Send a form off the page with the pass it carries, or another one; gives status and page."""
        if key is None:
            found = re.search(r'name="pass" value="([^"]*)"', await self.opens())
            key = found[1] if found is not None else ""
        response = await self._post.client.post(self.link, data={"pass": key, **form}, headers=headers)
        return response.status, await response.text()


async def parent(post: Post, notification: str, contact: str, born: dict[str, str] | None = None) -> Parent:
    """Find the link that a contact got."""
    return Parent(post, await post.link(notification, contact), born or ANA_BORN)


async def said(post: Post) -> list[tuple[str, str, str]]:
    """List the answers on record: student, contact, answer."""
    return [(row.student, row.contact, row.answer) for row in await post.rows(table=consent_answers)]


async def test_a_mother_consents_in_urdu(post: Post) -> None:
    """The question stands below the text in her language; the answer is confirmed and recorded with its delivery."""
    notification = await post.send(question("ana", respond_by=DEADLINE))
    mother = await parent(post, notification, "shazia")
    page = await mother.opens()
    assert "Come to the fair." in page
    assert '<div lang="ur" dir="rtl">' in page
    assert "کے لیے اجازت دیتے ہیں؟" in page
    assert "جواب دینے کا آخری وقت" in page
    assert "<script" not in page
    status, page = await mother.sends(YES)
    assert status == 200
    assert '<html lang="ur" dir="rtl">' in page
    assert "آپ کا جواب درج کر لیا گیا ہے" in page
    assert "Ana" in page
    assert "<form" not in page
    (row,) = await post.rows(table=consent_answers)
    assert (row.school, row.notification, row.student, row.contact) == ("hollins", notification, "ana", "shazia")
    assert (row.answer, row.origin, row.taken_by, row.note) == ("yes", "secure_page", None, None)
    assert row.delivery == (await post.delivery(notification, "shazia")).id
    assert row.at == post.clock.now


async def test_the_record_says_that_an_answer_was_given(post: Post) -> None:
    """The chronology names who answered about whom, and nobody else."""
    notification = await post.send(question("ana"))
    await (await parent(post, notification, "thomas")).sends(NO)
    (entry,) = await post.rows(chronology.c.event == "consent_answered", table=chronology)
    assert (entry.student, entry.contact) == ("ana", "thomas")
    assert "shazia" not in entry.detail


async def test_a_page_never_tells_of_the_other_parent(post: Post) -> None:
    """Whether he has answered or not, and what: hers looks the same, before her own answer and after."""
    notification = await post.send(question("ana"))
    father, mother = await parent(post, notification, "thomas"), await parent(post, notification, "shazia")
    before = without_pass(await mother.opens())
    await father.sends(NO)
    assert without_pass(await mother.opens()) == before
    confirmed = without_pass((await mother.sends(YES))[1])
    after = without_pass(await mother.opens())
    for reply in (YES, NO):
        await father.sends(reply)
        assert without_pass(await mother.opens()) == after
        assert without_pass((await mother.sends(YES))[1]) == confirmed


async def test_a_reader_sees_the_own_earlier_answer(post: Post) -> None:
    """It is told, and neither choice is taken beforehand."""
    notification = await post.send(question("ana"))
    father = await parent(post, notification, "thomas")
    assert "Your answer so far" not in await father.opens()
    await father.sends(NO)
    page = await father.opens()
    assert "Your answer so far: No, I do not consent" in page
    assert "checked" not in page


async def test_a_changed_mind_is_a_new_answer(post: Post) -> None:
    """Every answer is kept; a form that is sent twice is one answer."""
    father = await parent(post, await post.send(question("ana")), "thomas")
    for form in (NO, NO, YES, YES, NO):
        assert (await father.sends(form))[0] == 200
    assert [answer for _, _, answer in await said(post)] == ["no", "yes", "no"]


async def test_following_the_link_answers_nothing(post: Post) -> None:
    """Scanners and previews only read, whatever the address they make up says."""
    father = await parent(post, await post.send(question("ana")), "thomas")
    await father.opens()
    before = await post.footprint()
    for query in ("", "?student=1&answer=yes", "?pass=1.1&student=1&answer=yes"):
        for method in ("GET", "HEAD"):
            await post.client.request(method, father.link + query)
    assert await post.footprint() == before
    assert await said(post) == []


async def test_only_get_and_post_are_understood(post: Post) -> None:
    """Another method is refused and changes nothing."""
    father = await parent(post, await post.send(question("ana")), "thomas")
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await post.client.request(method, father.link, data=YES)).status == 405
    assert await said(post) == []


async def test_the_time_to_answer_ends(post: Post) -> None:
    """From the deadline on the page takes no answer, says so, and still tells the reader's own."""
    notification = await post.send(question("ana", respond_by=DEADLINE))
    father, mother = await parent(post, notification, "thomas"), await parent(post, notification, "shazia")
    assert "Please answer by: 20 June 2026, 16:00" in await father.opens()
    await father.sends(YES)
    early = re.search(r'name="pass" value="([^"]*)"', await father.opens())
    assert early is not None
    post.clock.advance(days=5, hours=4, minutes=59)
    assert (await mother.sends(NO))[0] == 200
    late = re.search(r'name="pass" value="([^"]*)"', await father.opens())
    assert late is not None
    post.clock.advance(minutes=1)
    page = await father.opens()
    assert "This question can no longer be answered here. Please contact the school office." in page
    assert "Ana: Yes, I consent" in page
    assert "<form" not in page
    status, page = await father.sends(NO, key=late[1])
    assert (status, "can no longer be answered" in page) == (409, True)
    assert await said(post) == [("ana", "thomas", "yes"), ("ana", "shazia", "no")]


async def test_a_question_taken_back_takes_no_answer(post: Post) -> None:
    """What was cancelled while another's was still to come may be read, not answered."""
    changed = directory()
    changed["contacts"][0]["preferences"] = {"quiet_hours": ["00:00", "23:59"]}
    await post.enrol(changed)
    notification = await post.send(question("ana"))
    father = await parent(post, notification, "thomas")
    found = re.search(r'name="pass" value="([^"]*)"', await father.opens())
    assert found is not None
    async with post.gateway.database.writing() as connection:
        await cancel(connection, notification, at=post.clock.now)
    assert "can no longer be answered" in await father.opens()
    assert (await father.sends(YES, key=found[1]))[0] == 409
    assert await said(post) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.org"},
        {"Origin": "http://gateway.example.org.evil.example.org"},
        {"Origin": "nonsense"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    ],
)
async def test_another_site_cannot_answer(post: Post, headers: dict[str, str]) -> None:
    """Even with the pass in hand a page of another site is refused."""
    father = await parent(post, await post.send(question("ana")), "thomas")
    assert (await father.sends(YES, **headers))[0] == 403
    assert await said(post) == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://gateway.example.org"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    ],
)
async def test_our_own_pages_can_answer(post: Post, headers: dict[str, str]) -> None:
    """Browsers hide even our own origin from a page without referrer, and old ones send nothing at all."""
    father = await parent(post, await post.send(question("ana")), "thomas")
    assert (await father.sends(YES, **headers))[0] == 200
    assert await said(post) == [("ana", "thomas", "yes")]


async def test_without_the_identity_check_nobody_answers(post: Post) -> None:
    """No pass, one made up, one of another link, one that is too old: the check comes first again."""
    notification = await post.send(question("ana"))
    father, mother = await parent(post, notification, "thomas"), await parent(post, notification, "shazia")
    found = [re.search(r'name="pass" value="([^"]*)"', await each.opens()) for each in (father, mother)]
    own, foreign = (match[1] for match in found if match is not None)
    until, _, signature = own.partition(".")
    token = father.link.rpartition(".")[2]
    for key in (
        "",
        "x",
        foreign,
        f"{int(until) + 1}.{signature}",
        f"{until}.{token}",
        f"{until}.",
        f"\u0663.{signature}",
    ):
        status, page = await father.sends(YES, key=key)
        assert (status, "Date of birth" in page) == (200, True)
        assert "Come to the fair." not in page
    post.clock.advance(minutes=61)
    status, page = await father.sends(YES, key=own)
    assert (status, "Date of birth" in page) == (200, True)
    assert await said(post) == []


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"student": "1"},
        {"answer": "yes"},
        {"student": "1", "answer": "maybe"},
        {"student": "1", "answer": "YES"},
        {"student": "0", "answer": "yes"},
        {"student": "2", "answer": "yes"},
        {"student": "-1", "answer": "yes"},
        {"student": "ana", "answer": "yes"},
        {"student": "dan", "answer": "yes"},
        {"student": "\u0661", "answer": "yes"},
        {"student": "9" * 5_000, "answer": "yes"},
        {"student": "1\0", "answer": "yes"},
    ],
)
async def test_a_form_that_is_not_filled_in_is_asked_again(post: Post, form: dict[str, str]) -> None:
    """Whatever is missing or made up, the reader is asked again and nothing is recorded."""
    father = await parent(post, await post.send(question("ana")), "thomas")
    status, page = await father.sends(form)
    assert status == 422
    assert '<a href="#answer-1">Please make your choice, then send your answer again.</a>' in page
    assert 'id="answer-1"' in page
    assert await said(post) == []
    found = re.search(r'name="pass" value="([^"]*)"', page)
    assert found is not None
    assert (await father.sends(YES, key=found[1]))[0] == 200


async def test_a_large_form_is_refused(post: Post) -> None:
    """More than 10 kB are not read."""
    father = await parent(post, await post.send(question("ana")), "thomas")
    assert (await father.sends({**YES, "more": "x" * 11_000}))[0] == 413
    assert await said(post) == []


async def test_a_revoked_link_cannot_answer(post: Post) -> None:
    """Who is barred since has a page no more, pass or not (R44)."""
    father = await parent(post, await post.send(question("ana")), "thomas")
    found = re.search(r'name="pass" value="([^"]*)"', await father.opens())
    assert found is not None
    await post.enrol({**directory(), "restrictions": [barring("ana", "thomas")]})
    status, page = await father.sends(YES, key=found[1])
    assert (status, "This link is no longer valid." in page) == (404, True)
    assert await said(post) == []


async def test_a_couple_with_one_mailbox_say_who_they_are(post: Post) -> None:
    """Each answers in the own name, and what one has said is shown to neither (R25)."""
    notification = await post.send(question("dan", consent={"needed": "all_parents"}))
    couple = await parent(post, notification, "joan", DAN_BORN)
    page = await couple.opens()
    assert "Who is answering?" in page
    assert "Joan Reed" in page
    assert "Paul Reed" in page
    assert "Omar" not in page
    for form in (YES, {**YES, "who": "3"}, {**YES, "who": "paul"}, {**YES, "who": ""}):
        assert (await couple.sends(form))[0] == 422
    assert (await couple.sends({**YES, "who": "1"}))[0] == 200
    assert without_pass(await couple.opens()) == without_pass(page)
    assert (await couple.sends({**NO, "who": "2"}))[0] == 200
    assert without_pass(await couple.opens()) == without_pass(page)
    assert await said(post) == [("dan", "joan", "yes"), ("dan", "paul", "no")]


async def test_brothers_and_sisters_are_answered_for_one_by_one(post: Post) -> None:
    """One message about two children has two forms; after the first answer the other question is still there."""
    changed = directory()
    changed["relationships"].append({"student": "dan", "contact": "thomas", "natural_parent": True})
    await post.enrol(changed)
    father = await parent(post, await post.send(question("ana", "dan")), "thomas")
    page = await father.opens()
    assert re.findall(r"consent for (\w+)\?", page) == ["Ana", "Dan"]
    status, page = await father.sends({"student": "2", "answer": "no"})
    assert status == 200
    assert "Dan: No, I do not consent" in page
    assert re.findall(r"consent for (\w+)\?", page) == ["Ana"]
    assert await said(post) == [("dan", "thomas", "no")]


async def test_an_adult_student_answers_alone(post: Post) -> None:
    """From 18 the question is the student's; a parent with whom it is shared reads it and is asked nothing (R15)."""
    changed = directory()
    changed["students"][0] |= {"birth_date": "2008-05-09", "sharing_after_18": {"consent": "consented"}}
    changed["contacts"].append({"id": "ana", "given_name": "Ana", "family_name": "Malik"})
    changed["contact_points"].append(
        {"id": "ana-e", "contact": "ana", "channel": "email", "address": "ana@example.org"}
    )
    changed["relationships"].append({"student": "ana", "contact": "ana", "relation": "self"})
    await post.enrol(changed)
    notification, born = await post.send(question("ana")), {**ANA_BORN, "year": "2008"}
    father = await parent(post, notification, "thomas", born)
    page = await father.opens()
    assert "Come to the fair." in page
    assert "<form" not in page
    ana = await parent(post, notification, "ana", born)
    assert (await ana.sends(YES))[0] == 200
    assert await said(post) == [("ana", "ana", "yes")]


async def test_no_other_page_asks(post: Post) -> None:
    """Only questions of consent have a form, and on other pages a form is no answer."""
    notification = await post.send(report("ana"))
    father = await parent(post, notification, "thomas")
    assert "<form" not in await father.opens()
    assert (await father.sends(YES))[0] == 422
    assert await said(post) == []


async def test_names_never_become_markup(post: Post) -> None:
    """Whatever a name holds is shown as text, on every page."""
    changed = directory()
    changed["students"][3]["given_name"] = '<b>Dan</b> & "co"'
    changed["contacts"][4]["given_name"] = "<i>Joan</i>"
    await post.enrol(changed)
    couple = await parent(post, await post.send(question("dan")), "joan", DAN_BORN)
    pages = [await couple.opens(), (await couple.sends(YES))[1], (await couple.sends({**YES, "who": "1"}))[1]]
    for page in pages:
        assert not re.search(r"<b>|<i>", page)
    assert "&lt;i&gt;Joan&lt;/i&gt;" in pages[0]
    assert "&lt;b&gt;Dan" in pages[2]


async def test_mails_and_texts_lead_to_the_question(post: Post) -> None:
    """The link stands in both parts of a mail, and in a text message that has words of its own."""
    trip = {
        "category": "consent",
        "purpose": "consent",
        "audience": {"students": ["ana", "cleo"]},
        "template": "trip_consent",
        "values": {"trip": "City Museum", "trip_date": "2026-07-08", "deadline": "2026-07-01", "price": "£12.50"},
    }
    notification = await post.send(trip)
    for contact, words in (("thomas", "Please answer here: "), ("shazia", "براہ کرم یہاں جواب دیں: ")):
        row = await post.delivery(notification, contact)
        mail = await post.mail(notification, contact)
        for kind in ("plain", "html"):
            text = mail.get_body((kind,)).get_content()
            assert words.strip() in text
            assert text.count(f"/d/{row.id}.") == (1 if kind == "plain" else 2)
    link = await post.link(notification, "maya")
    assert link.startswith(f"/d/{(await post.delivery(notification, 'maya')).id}.")


async def test_a_link_of_the_authors_own_is_not_repeated(post: Post) -> None:
    """A text that says itself where to answer is left as it is."""
    wanted = question("ana")
    wanted["content"] = {**wanted["content"], "body": "Please say yes or no: ((link))"}
    mail = await post.mail(await post.send(wanted), "thomas")
    text = mail.get_body(("plain",)).get_content()
    assert text.count("/d/") == 1
    assert "Please answer here" not in text


async def test_other_mails_have_no_link(post: Post) -> None:
    """What asks nothing has no page to answer on."""
    mail = await post.mail(await post.send(letter_of("meeting", "ana")), "thomas")
    assert "/d/" not in mail.get_body(("plain",)).get_content()
    assert await post.rows(deliveries.c.state == "failed") == []
