"""Who is on duty: put strictly, shown in full to administrators alone."""

from typing import Any

import pytest

from tests.api.office import Office

LEAD: dict[str, Any] = {
    "id": "lead",
    "role": "safeguarding",
    "name": "Robin Reed",
    "points": [
        {"channel": "sms", "address": "07700 900123"},
        {"channel": "voice", "address": "020 7946 0123"},
        {"channel": "email", "address": "Lead@Example.org"},
    ],
}
IN_USE = ["+447700900123", "+442079460123", "Lead@example.org"]


def roster(*people: dict[str, Any]) -> dict[str, Any]:
    """Write a body."""
    return {"people": list(people)}


async def test_addresses_are_kept_as_they_are_used(office: Office) -> None:
    """National numbers become E.164 with the school's country; the whole roster is replaced by the next."""
    put = await office.call("PUT", "/v1/duty", roster(LEAD))
    assert put.status == 200, put.text
    assert put.json["warnings"] == []
    shown = (await office.call("GET", "/v1/duty")).json
    assert [point["address"] for point in shown["people"][0]["points"]] == IN_USE
    emptied = await office.call("PUT", "/v1/duty", roster())
    assert emptied.json["people"] == []
    assert "safeguarding lead" in emptied.json["warnings"][0]


async def test_a_reader_sees_who_is_on_duty_and_not_where(office: Office) -> None:
    """Addresses are masked for every key but an administrator's, which alone may put a roster."""
    assert (await office.call("PUT", "/v1/duty", roster(LEAD))).status == 200
    shown = await office.call("GET", "/v1/duty", key="read")
    assert shown.json["people"][0]["name"] == "Robin Reed"
    for address in IN_USE:
        assert address not in shown.text
    for key in ("read", "send", "alerts", "directory"):
        assert (await office.call("PUT", "/v1/duty", roster(), key=key)).status == 403


async def test_a_roster_without_a_lead_is_taken_with_a_warning(office: Office) -> None:
    """The head alone is better than nobody."""
    put = await office.call("PUT", "/v1/duty", roster({**LEAD, "role": "head"}))
    assert put.status == 200
    assert len(put.json["warnings"]) == 1


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"points": [{"channel": "sms", "address": "020 7946 0123"}]}, "/people/0/points/0/address"),
        ({"points": [{"channel": "voice", "address": "0123"}]}, "/people/0/points/0/address"),
        ({"points": [{"channel": "voice", "address": "+44 20 7946 0123 ext. 5"}]}, "/people/0/points/0/address"),
        ({"points": [{"channel": "email", "address": "lead at example"}]}, "/people/0/points/0/address"),
        ({"points": [{"channel": "email", "address": "a@example.org\r\nBcc: b@example.org"}]},
         "/people/0/points/0/address"),
        ({"points": [{"channel": "letter", "address": "1 School Road"}]}, "/people/0/points/0/channel"),
        ({"points": []}, "/people/0/points"),
        ({"role": "caretaker"}, "/people/0/role"),
        ({"language": "?!"}, "/people/0/language"),
        ({"name": ""}, "/people/0/name"),
        ({"pager": "x"}, "/people/0"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named_and_nothing_is_kept(
    quiet_office: Office, changes: dict[str, Any], pointer: str
) -> None:
    """One field at fault refuses the whole roster."""
    refused = await quiet_office.call("PUT", "/v1/duty", roster({**LEAD, **changes}))
    assert refused.status == 422
    assert refused.as_problem()["errors"][0]["pointer"].startswith(pointer)
    assert (await quiet_office.call("GET", "/v1/duty")).json["people"] == []


async def test_an_id_is_on_the_roster_once(office: Office) -> None:
    """Two people with one id cannot be told apart."""
    refused = await office.call("PUT", "/v1/duty", roster(LEAD, LEAD))
    assert refused.as_problem()["errors"] == [
        {"pointer": "/people/1/id", "detail": "This id is on the roster twice: give every person one of their own."}
    ]


async def test_a_school_without_a_directory_has_no_roster(new_office: Office) -> None:
    """The numbers' country is the school's, so the directory comes first."""
    assert (await new_office.call("PUT", "/v1/duty", roster(LEAD))).status == 409
