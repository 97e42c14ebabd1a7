"""What text messages would take is told before any is sent: parts, alphabet and price, language by language."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from gateway.settings.readers import Price
from gateway.settings.texts import TextSettings
from gateway.store.tables import deliveries
from tests.api.office import Office, opened

POLISH = {"id": "C2", "given_name": "Łucja", "family_name": "Żak", "language": "pl"}
DIRECTORY: dict[str, Any] = {
    "school": {"id": "oak", "name": "Oak School"},
    "students": [
        {"id": "S1", "given_name": "Ada"},
        {"id": "S2", "given_name": "Ben"},
        {"id": "S3", "given_name": "Cem"},
        {"id": "S4", "given_name": "Dov"},
    ],
    "contacts": [
        {"id": "C1", "given_name": "Cleo", "family_name": "O\u2019Brien", "language": "en"},
        POLISH,
        {"id": "C3", "given_name": "Abroad", "language": "en"},
        {"id": "C4", "given_name": "Mail", "language": "en"},
    ],
    "contact_points": [
        {"id": "P1", "contact": "C1", "channel": "sms", "address": "07700 900001"},
        {"id": "P2", "contact": "C2", "channel": "sms", "address": "+447700900002"},
        {"id": "P3", "contact": "C3", "channel": "sms", "address": "+48512345678"},
        {"id": "P4", "contact": "C4", "channel": "email", "address": "mail@example.org"},
        {"id": "P5", "contact": "C4", "channel": "sms", "address": "+447700900004"},
    ],
    "relationships": [
        {"student": f"S{number}", "contact": f"C{number}", "parental_responsibility": "yes"} for number in range(1, 5)
    ],
}
CONTENT = {"language": "en", "subject": "Swimming", "body": "Dear ((contact_name)) \u2013 please bring a towel."}
ASKED = {"category": "routine", "everyone": True}


@pytest_asyncio.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """Give the office of a school that pays 4 pence a part and texts within the country."""
    texts = TextSettings(sms_price=Price(Decimal("0.04"), "GBP"), sms_countries=frozenset({"GB"}))
    database_url = f"sqlite+aiosqlite:///{tmp_path / 'gateway.db'}"
    async with opened(database_url, tmp_path, directory=DIRECTORY, changes={"texts": texts}) as office:
        yield office


async def test_parts_are_counted_as_they_will_be_sent(office: Office, tmp_path: Path) -> None:
    """Names decide about the alphabet; numbers that can be sent nothing, and who gets a mail first, cost nothing."""
    answer = await office.post("/v1/audience", ASKED | {"content": CONTENT}, key="read")
    cost = answer.json["cost"]
    assert cost["deliveries"] == {"email": 1, "sms": 3}
    assert cost["texts"] == {
        "texts": 2,
        "parts": 2,
        "languages": {"en": {"texts": 2, "parts": 2, "longest": 1, "encodings": {"ucs2": 2}}},
        "not_possible": 1,
        "price": {"amount": "0.08", "currency": "GBP"},
    }
    posted = await office.post(
        "/v1/notifications",
        {"category": "routine", "purpose": "information", "audience": {"everyone": True}, "content": CONTENT},
    )
    await office.deliver(posted.json["id"])
    async with office.gateway.database.reading() as connection:
        query = select(deliveries.c.contact, deliveries.c.state, deliveries.c.code).where(deliveries.c.channel == "sms")
        sent = {row.contact: (row.state, row.code) for row in await connection.execute(query)}
    assert sent == {"C1": ("sent", None), "C2": ("sent", None), "C3": ("failed", "country_not_allowed")}
    written = [json.loads(line)["segments"] for line in (tmp_path / "outbox" / "sms.jsonl").read_text().splitlines()]
    assert sum(written) == cost["texts"]["parts"]


@pytest.mark.parametrize(
    ("text", "encoding", "parts"),
    [
        ("School is closed today.", "gsm7", 1),
        ("School is closed \u2013 today\u2026", "gsm7", 1),
        ("a" * 161, "gsm7", 2),
        ("Szkoła zamknięta", "ucs2", 1),
        ("ł" * 71, "ucs2", 2),
    ],
)
async def test_a_stated_text_is_counted_as_it_stands(office: Office, text: str, encoding: str, parts: int) -> None:
    """In the readers' languages, as no wording tells another."""
    answer = await office.post("/v1/audience", {"category": "emergency", "students": ["S1", "S2"], "text": text})
    texts = answer.json["cost"]["texts"]
    assert {language: (its["parts"], its["encodings"]) for language, its in texts["languages"].items()} == {
        language: (parts, {encoding: 1}) for language in ("en", "pl")
    }
    assert texts["price"] == {"amount": f"{2 * parts * 0.04:.2f}", "currency": "GBP"}


async def test_a_template_is_counted_in_every_language(office: Office) -> None:
    """Each reader's own."""
    values = {"closure_date": "2026-06-16", "reason": "snow", "collect_at": "11:00", "collect_from": "gate B"}
    question = {"category": "emergency", "students": ["S1", "S2"], "template": "emergency_closure", "values": values}
    answer = await office.post("/v1/audience", question)
    languages = answer.json["cost"]["texts"]["languages"]
    assert {language: its["encodings"] for language, its in languages.items()} == {"en": {"gsm7": 1}, "pl": {"ucs2": 1}}
    assert languages["pl"]["parts"] > languages["en"]["parts"]


async def test_without_a_wording_nothing_is_said_of_texts(office: Office) -> None:
    """The answer has no word of it."""
    answer = await office.post("/v1/audience", ASKED)
    assert answer.json["cost"] == {
        "deliveries": {"email": 1, "sms": 3},
        "languages": {"en": 3, "pl": 1},
    }


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"content": CONTENT, "text": "Closed."}, "/text"),
        ({"template": "closure", "content": CONTENT}, "/content"),
        ({"template": "no-such-template"}, "/template"),
        ({"content": CONTENT | {"body": "At ((time))."}}, "/values/time"),
        ({"values": {"time": "9"}}, "/values"),
        ({"text": "x" * 919}, "/text"),
        ({"text": ""}, "/text"),
    ],
)
async def test_a_wording_that_could_not_be_posted_is_refused(
    office: Office, more: dict[str, object], pointer: str
) -> None:
    """By the name of the field, as intake does."""
    answer = await office.post("/v1/audience", ASKED | more)
    assert answer.status == 422
    assert [error["pointer"] for error in answer.as_problem()["errors"]] == [pointer]
