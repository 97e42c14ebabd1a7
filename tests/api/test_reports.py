"""Reports over HTTP: as pages of JSON, as CSV files that no spreadsheet runs, and what they must not show."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from gateway.api.csv_answers import cell, csv_text
from gateway.api.report_columns import CONTACT_MAP, DATA_QUALITY, PARITY, UNREACHABLE
from gateway.store.tables import deliveries
from tests.api.office import NOTICE, Office
from tests.unit.rules.households import PARENT, deny, email, letter, mobile, relation

WHOLE: dict[str, Any] = {
    "school": {"id": "oak", "name": "Oak School"},
    "students": [
        {"id": "kid", "given_name": "Kit", "family_name": "Quill"},
        {"id": "sib", "given_name": "Sam", "family_name": "Quill"},
        {"id": "zoe", "given_name": "Zoe", "family_name": "Ash"},
    ],
    "contacts": [
        {"id": "mum", "given_name": "Maud", "family_name": "Quill", "language": "en"},
        {"id": "dad", "given_name": "Dov", "family_name": "Quill", "language": "en"},
        {"id": "ash", "given_name": "=cmd|' /C calc'!A0", "family_name": "Ash", "language": "ur"},
        {"id": "elm", "given_name": "Ed", "family_name": "Elm", "language": "en"},
    ],
    "contact_points": [
        email("mum"),
        mobile("mum", "07700 900123"),
        email("dad", state="dead"),
        letter("ash", "4 Weir Street"),
        email("elm"),
    ],
    "relationships": [
        *(relation(who, student, lives_with=True, **PARENT) for student in ("kid", "sib") for who in ("mum", "dad")),
        relation("ash", "zoe", **PARENT),
        relation("elm", "zoe", correspondence="no", **PARENT),
    ],
}
SECRETS = ("mum@", "900123", "Weir", "9ZZ")
REPORTS = {
    "/v1/reports/parity": PARITY,
    "/v1/students/zoe/contact-map": CONTACT_MAP,
    "/v1/reports/unreachable": UNREACHABLE,
    "/v1/reports/data-quality": DATA_QUALITY,
}


async def put(office: Office, **changes: Any) -> None:
    """Put the school of these tests."""
    answer = await office.call("PUT", "/v1/directory?force=true", WHOLE | changes)
    assert (answer.status, answer.json["refused"]) == (200, []), answer.text


def lines(text: str) -> list[list[str]]:
    """Read a CSV file as a spreadsheet does."""
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize("path", REPORTS)
async def test_a_report_in_both_forms(small_office: Office, path: str) -> None:
    """Header and parameter give the same file; it has the columns, is for saving, and shows no address."""
    await put(small_office)
    by_header = await small_office.call("GET", path, key="read", headers={"Accept": "text/csv"})
    by_parameter = await small_office.call("GET", f"{path}?format=csv", key="read", headers={"Accept": "text/html"})
    plain = await small_office.call("GET", path, key="read")
    forced = await small_office.call("GET", f"{path}?format=json", key="read", headers={"Accept": "text/csv"})
    assert by_header.text == by_parameter.text
    assert plain.json == forced.json
    assert by_header.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert by_header.headers["Content-Disposition"].startswith("attachment;")
    header, *rows = lines(by_header.text)
    assert tuple(header) == REPORTS[path]
    assert rows
    assert {len(row) for row in rows} == {len(header)}
    assert by_header.text.endswith("\r\n")
    assert not any(secret in answer.text for answer in (plain, by_header) for secret in SECRETS)


async def test_a_name_that_is_a_formula_is_text_in_the_file(small_office: Office) -> None:
    """A spreadsheet that opens the report runs nothing."""
    await put(small_office)
    for path in ("/v1/students/zoe/contact-map", "/v1/reports/unreachable"):
        answer = await small_office.call("GET", f"{path}?format=csv", key="read")
        names = {row for line in lines(answer.text) for row in line if "calc" in row}
        assert names == {"'=cmd|' /C calc'!A0"}


async def test_the_parity_report_says_what_and_why(office: Office) -> None:
    """A dead mailbox explains his side; a flag without a reason explains nothing."""
    await put(office)
    answer = await office.call("GET", "/v1/reports/parity?student=kid", key="read")
    assert answer.status == 200
    report = next(one for one in answer.json["items"] if one["category"] == "report")
    assert (report["student"], report["explained"], report["aspects"]) == ("kid", True, ["outcome"])
    dad, mum = report["parents"]
    assert (dad["outcome"], dad["reasons"][0]["rule"], dad["reasons"][0]["cause"]) == (
        "unreachable",
        "R24",
        "contact_points",
    )
    assert (mum["outcome"], mum["reasons"]) == ("send", [])
    unexplained = await office.call("GET", "/v1/reports/parity?explained=false", key="read")
    assert {one["student"] for one in unexplained.json["items"]} == {"zoe"}
    assert all("unexplained_flag" in json.dumps(one) for one in unexplained.json["items"])
    explained = await office.call("GET", "/v1/reports/parity?explained=true&limit=1000", key="read")
    whole = await office.call("GET", "/v1/reports/parity?limit=1000", key="read")
    assert len(explained.json["items"]) + len(unexplained.json["items"]) == len(whole.json["items"])


@pytest.mark.parametrize(
    "path",
    [
        "/v1/reports/parity?explained=true&at=2026-06-15T21:30:00%2B01:00",
        "/v1/reports/parity?at=2026-06-15T21:30:00+01:00",
        "/v1/reports/unreachable",
        "/v1/reports/data-quality",
        "/v1/reports/data-quality?kind=dead_point",
    ],
)
async def test_a_report_read_one_by_one_is_the_whole_report(small_office: Office, path: str) -> None:
    """Following the links asks the same question to the end."""
    await put(small_office)
    joint = "&" if "?" in path else "?"
    whole = (await small_office.call("GET", f"{path}{joint}limit=1000", key="read")).json["items"]
    assert whole
    found, link = [], f"{path}{joint}limit=1"
    while link is not None:
        answer = await small_office.call("GET", link, key="read")
        assert answer.status == 200, answer.text
        found += answer.json["items"]
        link = answer.json["links"]["next"]
    assert found == whole


async def test_parity_in_fact(office: Office) -> None:
    """What left and what came back is compared, with the sentence on record."""
    await put(office, contact_points=[email("mum"), email("dad"), email("elm")])
    posted = await office.post("/v1/notifications", NOTICE | {"audience": {"students": ["kid"]}})
    base = posted.json["links"]["self"]
    assert (await office.call("GET", f"{base}/parity", key="read")).json["items"] == []
    await office.deliver(posted.json["id"])
    assert (await office.call("GET", f"{base}/parity", key="read")).json["items"] == []
    async with office.gateway.database.writing() as connection:
        failed = update(deliveries).where(deliveries.c.contact == "dad")
        await connection.execute(failed.values(state="failed", detail="The mailbox does not exist."))
    (one,) = (await office.call("GET", f"{base}/parity", key="read")).json["items"]
    assert (one["aspects"], one["explained"]) == (["arrival"], True)
    assert [reason["sentence"] for reason in one["parents"][0]["reasons"]] == ["The mailbox does not exist."]
    missed = await office.call("GET", f"/v1/reports/unreachable?notification={posted.json['id']}", key="read")
    (dad,) = missed.json["items"]
    assert (dad["contact"], dad["given_name"], dad["kind"], dad["students"]) == ("dad", "Dov", "failed", ["kid"])


async def test_who_was_not_reached(small_office: Office) -> None:
    """Without a route, held, and refused by the post for its invented postcode; whom the order bars is not listed."""
    await put(small_office, restrictions=[deny("mum", "kid", id="x")])
    posted = await small_office.post("/v1/notifications", NOTICE | {"audience": {"students": ["kid", "zoe"]}})
    await small_office.deliver(posted.json["id"])
    path = f"/v1/reports/unreachable?notification={posted.json['id']}"
    answer = await small_office.call("GET", path, key="read")
    assert [(one["contact"], one["kind"], one["rule"]) for one in answer.json["items"]] == [
        ("ash", "failed", "R24"),
        ("dad", "no_route", "R24"),
        ("elm", "held", "R10b"),
    ]


async def test_the_contact_map(office: Office) -> None:
    """Every contact is on it, with names, for staff who may read."""
    await put(office, restrictions=[deny("elm", "zoe", id="x")])
    answer = await office.call("GET", "/v1/students/zoe/contact-map", key="read")
    assert [(one["contact"], one["family_name"], one["restrictions"]) for one in answer.json["contacts"]] == [
        ("ash", "Ash", []),
        ("elm", "Elm", ["R01"]),
    ]
    assert all(len(one["entitlements"]) == 17 for one in answer.json["contacts"])


async def test_findings_become_tasks_once(office: Office) -> None:
    """Asking again adds nothing, even when a task is done; a new finding adds its own."""
    await put(office)
    path = "/v1/reports/data-quality"
    report = (await office.call("GET", path, key="read")).json
    assert report["counts"] == {"dead_point": 1, "no_route": 1, "unexplained_flag": 1}
    assert report["never_verified"] == 5
    dead = await office.post(f"{path}/tasks?kind=dead_point", None)
    assert dead.json == {"found": 1, "added": 1}
    assert (await office.post(f"{path}/tasks", None)).json == {"found": 3, "added": 2}
    assert (await office.post(f"{path}/tasks", None)).json == {"found": 3, "added": 0}
    tasks = (await office.call("GET", "/v1/tasks", key="read")).json["items"]
    assert sorted((task["kind"], task["contact"], task["detail"].split(":")[0]) for task in tasks) == [
        ("check_record", "dad", "R24"),
        ("check_record", "dad", "R34"),
        ("check_record", "elm", "R10b"),
    ]
    assert (await office.post(f"{path}/tasks", None, key="read")).status == 403


@pytest.mark.parametrize(
    ("path", "status", "pointer"),
    [
        ("/v1/reports/parity?student=nobody", 422, "student"),
        ("/v1/reports/parity?explained=perhaps", 422, "explained"),
        ("/v1/reports/parity?at=today", 422, "at"),
        ("/v1/reports/parity?at=2026-06-15T10:00:00", 422, "at"),
        ("/v1/reports/parity?at=0001-01-01T00:00:00Z", 422, "at"),
        ("/v1/reports/parity?format=xml", 422, "format"),
        ("/v1/reports/parity?cursor=zebra", 422, "cursor"),
        ("/v1/reports/unreachable?limit=0", 422, "limit"),
        ("/v1/reports/unreachable?notification=nothing", 404, None),
        ("/v1/reports/data-quality?kind=zebra", 422, "kind"),
        ("/v1/students/nobody/contact-map", 404, None),
        ("/v1/notifications/nothing/parity", 404, None),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_question_that_is_none(quiet_office: Office, path: str, status: int, pointer: str | None) -> None:
    """It is refused with the parameter at fault."""
    answer = await quiet_office.call("GET", path, key="read")
    assert answer.status == status, answer.text
    if pointer is not None:
        assert answer.as_problem()["errors"][0]["pointer"] == pointer


async def test_before_the_first_directory(new_office: Office) -> None:
    """There is nothing to report on yet, and the answer says what to do."""
    for path in REPORTS:
        answer = await new_office.call("GET", path, key="admin")
        assert answer.status == 409
        assert "PUT /v1/directory" in answer.as_problem()["detail"]


class TestCells:
    """CSV by itself."""

    CELLS = st.text() | st.sampled_from(["=1+1", "+44", "-1", "@x", "\tx", "\r\nx", 'a"b', "a,b", "\uff1d1", "", "'"])

    @given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
    def test_a_file_read_back(self, rows: list[tuple[str, str]]) -> None:
        """Whatever is in a cell, a reader gets it back, with an apostrophe where it looked like a formula."""
        read = lines(csv_text(("a", "b"), rows))
        assert read[0] == ["a", "b"]
        for given_row, read_row in zip(rows, read[1:], strict=True):
            for value, shown in zip(given_row, read_row, strict=True):
                assert shown in (value, f"'{value}")
                assert not shown.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))

    def test_values_of_every_kind(self) -> None:
        """Nothing is empty, truth is yes or no, lists are joined; a sign alone makes a formula."""
        assert [cell(value) for value in (None, True, False, 3, -3, ("a", "b"), ("=a", "b"))] == [
            "", "yes", "no", "3", "'-3", "a; b", "'=a; b",
        ]  # fmt: skip
