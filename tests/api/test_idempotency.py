"""One key, one notification, whatever the network does."""

import asyncio
import datetime as dt

import pytest

from tests.api.office import NOTICE, Office


async def test_posting_again_gets_the_first_answer(office: Office) -> None:
    """The same key and body answer as before and say so."""
    first = await office.post("/v1/notifications", NOTICE, key="send", Idempotency_Key="k1")
    again = await office.post("/v1/notifications", NOTICE, key="send", Idempotency_Key="k1")
    assert first.status == again.status == 202
    assert first.text == again.text
    assert "Idempotency-Replay" not in first.headers
    assert again.headers["Idempotency-Replay"] == "true"


async def test_another_body_with_the_same_key_is_refused(office: Office) -> None:
    """A key stands for one body."""
    await office.post("/v1/notifications", NOTICE, Idempotency_Key="k1")
    other = await office.post("/v1/notifications", NOTICE | {"reference": "r2"}, Idempotency_Key="k1")
    assert other.status == 422
    assert other.as_problem()["errors"][0]["pointer"] == "Idempotency-Key"


async def test_without_a_key_every_post_is_a_new_notification(small_office: Office) -> None:
    """Nobody guesses that two equal posts are one."""
    answers = [await small_office.post("/v1/notifications", NOTICE) for _ in range(2)]
    assert len({answer.json["id"] for answer in answers}) == 2


async def test_twenty_posts_at_once_make_one_notification(office: Office) -> None:
    """A client that repeats in parallel is answered twenty times about the same one."""
    posts = (office.post("/v1/notifications", NOTICE, Idempotency_Key="busy") for _ in range(20))
    answers = await asyncio.gather(*posts)
    assert {answer.status for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotency-Replay" not in answer.headers for answer in answers) == 1


async def test_a_refused_post_leaves_its_key_free(small_office: Office) -> None:
    """What was refused can be corrected and posted with the same key."""
    bad = await small_office.post(
        "/v1/notifications", NOTICE | {"audience": {"students": ["S9"]}}, Idempotency_Key="k1"
    )
    good = await small_office.post("/v1/notifications", NOTICE, Idempotency_Key="k1")
    assert (bad.status, good.status) == (422, 202)
    assert "Idempotency-Replay" not in good.headers


async def test_a_late_repetition_is_answered_like_the_first(small_office: Office) -> None:
    """A client that lost our answer gets it even after the notification has expired."""
    notice = NOTICE | {"expires_at": "2026-06-15T12:00:00Z"}
    first = await small_office.post("/v1/notifications", notice, Idempotency_Key="k1")
    small_office.clock.now += dt.timedelta(hours=6)
    again = await small_office.post("/v1/notifications", notice, Idempotency_Key="k1")
    assert (again.status, again.text) == (202, first.text)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb", "naïve\x85"])
async def test_a_key_has_1_to_255_printable_characters(quiet_office: Office, key: str) -> None:
    """Anything else is refused before it is looked up."""
    answer = await quiet_office.post("/v1/notifications", NOTICE, Idempotency_Key=key)
    assert answer.status == 400
    assert answer.as_problem()["errors"][0]["pointer"] == "Idempotency-Key"
