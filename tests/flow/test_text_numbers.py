"""A number that can be sent no text is found before anything leaves, and the next contact point is tried at once."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.settings.texts import TextSettings
from gateway.store.tables import deliveries
from tests.api.office import DIRECTORY, NOTICE, opened

LETTER = {"lines": ["1 Loom Street", "Hollins"], "postcode": "ZZ9 9ZZ"}


@pytest.mark.parametrize(
    ("number", "code"),
    [("+48221234567", "landline"), ("+48512345678", "country_not_allowed"), ("+4477009", "number_invalid")],
)
async def test_the_letter_goes_at_once(database_url: str, tmp_path: Path, number: str, code: str) -> None:
    """The timeline says why in words for staff, without the number; nothing was handed to the text provider."""
    points = [
        {"id": "P1", "contact": "C1", "channel": "sms", "address": number},
        {"id": "P2", "contact": "C1", "channel": "letter", "address": LETTER},
    ]
    countries = frozenset({"GB", "PL"}) if code == "landline" else frozenset({"GB"})
    changes: dict[str, Any] = {"texts": TextSettings(sms_countries=countries)}
    directory = DIRECTORY | {"contact_points": points}
    async with opened(database_url, tmp_path, directory=directory, changes=changes) as office:
        posted = await office.post("/v1/notifications", NOTICE)
        for _ in range(2):
            await office.deliver(posted.json["id"])
        async with office.gateway.database.reading() as connection:
            rows = {row.channel: row for row in await connection.execute(select(deliveries))}
    assert (rows["sms"].state, rows["sms"].code, rows["letter"].state) == ("failed", code, "sent")
    assert rows["sms"].detail.endswith(".")
    assert number not in rows["sms"].detail
    assert (tmp_path / "outbox" / "sms.jsonl").read_text() == ""
