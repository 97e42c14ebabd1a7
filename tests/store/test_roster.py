"""The directory on record: what a document changes, what it may not change, and what it leaves alone."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from gateway.assembly import LIBRARY as LIBRARY_FOLDER
from gateway.directory.documents import read_directory
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Category, Directory, PointState
from gateway.dispatch.built_in import read_library
from gateway.dispatch.library import Library
from gateway.dispatch.refusals import Refused
from gateway.dispatch.roster import Roster, RosterReport
from gateway.rules.answer import Request
from gateway.rules.audience import decide
from gateway.store.database import Database
from gateway.store.people import load_directory, load_school
from gateway.store.sending import mark_points
from gateway.store.tables import chronology
from tests.store.rows import NOON

TODAY = NOON.date()
LIBRARY = Library(read_library(LIBRARY_FOLDER))
SCHOOL = {"id": "school", "name": "School"}


def document(**changes: Any) -> dict[str, Any]:
    """Give a document of six students with a mother each, one of them also with a father."""
    pairs = [(f"s{number}", f"c{number}") for number in range(6)] + [("s0", "dad")]
    people = sorted({contact for _, contact in pairs})
    return {
        "school": SCHOOL,
        "students": [{"id": f"s{number}", "groups": ["1A"]} for number in range(6)],
        "contacts": [{"id": contact} for contact in people],
        "contact_points": [
            {"id": f"{contact}-e", "contact": contact, "channel": "email", "address": f"{contact}@example.org"}
            for contact in people
        ],
        "households": [{"id": "h", "members": ["c0", "c1"]}],
        "relationships": [{"student": s, "contact": c, "natural_parent": True} for s, c in pairs],
        **changes,
    }


async def put(database: Database, content: dict[str, Any], **options: bool) -> RosterReport:
    """Put a document, as of noon."""
    reading = read_directory(msgspec.json.encode(content), today=TODAY)
    return await Roster(database, LIBRARY, now=lambda: NOON).replace(reading, today=TODAY, **options)


async def on_record(database: Database) -> tuple[Directory, int]:
    """Give the directory on record and its version."""
    async with database.reading() as connection:
        known = await load_school(connection, "school")
        assert known is not None
        return await load_directory(connection, known[0]), known[1]


async def entries(database: Database) -> int:
    """Count the chronology's entries."""
    async with database.reading() as connection:
        return (await connection.execute(select(func.count()).select_from(chronology))).scalar_one()


def counts(report: RosterReport) -> tuple[int, int, int]:
    """Give what was added, changed and ended."""
    return report.added, report.changed, report.ended


def without(content: dict[str, Any], entity: str, **key: str) -> dict[str, Any]:
    """Leave rows out of a document."""
    kept = [row for row in content[entity] if any(row[name] != value for name, value in key.items())]
    return {**content, entity: kept}


async def test_the_same_document_again_changes_nothing(database: Database) -> None:
    """The second report is empty, the version stays, and the chronology has no new entry."""
    first = await put(database, document())
    before, told = await on_record(database), await entries(database)
    second = await put(database, document())
    assert first.added == 6 + 7 + 7 + 1 + 7
    assert counts(second) == (0, 0, 0)
    assert await on_record(database) == before
    assert await entries(database) == told


async def test_a_dry_run_reports_and_writes_nothing(database: Database) -> None:
    """It says what would change, even what would be refused, and nothing has changed."""
    await put(database, document())
    before, told = await on_record(database), await entries(database)
    report = await put(database, document(relationships=[], contacts=[], contact_points=[]), dry_run=True)
    assert report.dry_run
    assert report.ended > 7
    assert await on_record(database) == before
    assert await entries(database) == told


@pytest.mark.parametrize(("missing", "refused"), [(1, False), (2, True)])
async def test_a_file_ends_at_most_a_fifth_of_the_links(database: Database, missing: int, refused: bool) -> None:  # noqa: FBT001  # a table's column
    """One of seven links may end; two of seven are more than 20 % and need a person who insists."""
    await put(database, document())
    links = document()["relationships"][missing:]
    if not refused:
        assert (await put(database, document(relationships=links))).ended == missing
        return
    before = await on_record(database)
    with pytest.raises(Refused) as refusal:
        await put(database, document(relationships=links))
    assert (refusal.value.status, await on_record(database)) == (409, before)
    assert (await put(database, document(relationships=links), force=True)).ended == missing


async def test_an_ended_relation_is_excluded_by_p1(database: Database) -> None:
    """Whose link a file leaves out is told nothing any more, and the decision says so."""
    await put(database, document())
    await put(database, without(document(), "relationships", contact="dad"))
    directory, _ = await on_record(database)
    answer = decide(DirectoryIndex(directory), Request(category=Category.NEWSLETTER, at=NOON, students=("s0",)))
    assert {decision.contact: (decision.outcome.value, decision.rule) for decision in answer.decisions} == {
        "c0": ("send", "R07"),
        "dad": ("exclude", "P1"),
    }


async def test_an_ended_relation_may_come_back(database: Database) -> None:
    """A file that names the link again opens it again."""
    await put(database, document())
    await put(database, without(document(), "relationships", contact="dad"))
    assert counts(await put(database, document())) == (0, 1, 0)
    directory, _ = await on_record(database)
    assert [row.valid_to for row in directory.relationships if row.contact == "dad"] == [None]


DENY: dict[str, Any] = {
    "id": "x1",
    "student": "s0",
    "contact": "dad",
    "effect": "deny",
    "basis": "court_order",
    "status": "active",
}


@pytest.mark.parametrize(
    "weaker",
    [
        [],
        [{**DENY, "status": "superseded"}],
        [{**DENY, "until": "2020-01-01", "reviewed_on": "2020-01-01"}],
        [{**DENY, "categories": []}],
        [{**DENY, "channels": ["voice"]}],
        [{**DENY, "effect": "must_send"}],
        [{**DENY, "contact": "c0"}],
    ],
    ids=["missing", "superseded", "ended", "no category", "one channel", "must send", "another contact"],
)
async def test_no_file_weakens_a_restriction(database: Database, weaker: list[dict[str, Any]]) -> None:
    """Left out or changed, with force or without: the restriction stays as it was, and a deny that differs joins it."""
    await put(database, document(restrictions=[DENY]))
    report = await put(database, document(restrictions=weaker), force=True)
    directory, _ = await on_record(database)
    known, *further = [msgspec.to_builtins(row) for row in sorted(directory.restrictions, key=lambda row: row.id)]
    assert known == DENY
    assert all(row["effect"] == "deny" for row in further)
    assert [held.id for held in report.held if held.entity == "restrictions"][:1] == (["x1"] if weaker else [])


async def test_a_file_may_always_bar_more(database: Database) -> None:
    """Another pair under an id that is taken is barred all the same, once, however often the file comes."""
    await put(database, document(restrictions=[DENY]))
    for _ in range(2):
        await put(database, document(restrictions=[{**DENY, "contact": "c0"}]))
        directory, _ = await on_record(database)
        assert sorted(row.contact for row in directory.restrictions) == ["c0", "dad"]


async def test_no_file_opens_a_confidential_point(database: Database) -> None:
    """Not by saying so, and not by moving the point to another address or person; only protection may be added."""
    letter = {"id": "l", "contact": "c0", "channel": "letter", "address": {"lines": ["1 Weir Street"]}}
    points = document()["contact_points"]
    await put(database, document(contact_points=[*points, {**letter, "confidential": True}]))
    for asked in (letter, {**letter, "address": {"lines": ["2 Weir Street"]}}, {**letter, "contact": "dad"}):
        report = await put(database, document(contact_points=[*points, asked]))
        directory, _ = await on_record(database)
        (point,) = [point for point in directory.contact_points if point.id == "l"]
        assert (point.confidential, point.contact) == (True, "c0")
        assert [held.id for held in report.held] == ["l"]


async def test_what_providers_taught_survives_an_import(database: Database) -> None:
    """A dead mailbox stays dead although the file still calls it fine; it is dead for all who have it."""
    shared = {"id": "dad-2", "contact": "dad", "channel": "email", "address": " C0@Example.org"}
    content = document(contact_points=[*document()["contact_points"], shared])
    await put(database, content)
    mark = {"school": "school", "channel": "email", "address_key": "c0@example.org", "reason": "bounced", "at": NOON}
    async with database.writing() as connection:
        await mark_points(connection, [{**mark, "state": "dead"}])
        await mark_points(connection, [{**mark, "state": "suspect"}])
    await put(database, {**content, "school": {**SCHOOL, "name": "Renamed"}})
    directory, _ = await on_record(database)
    dead = {point.id for point in directory.contact_points if point.state is PointState.DEAD}
    assert dead == {"c0-e", "dad-2"}


async def test_a_worse_mark_takes_the_place_of_a_better_one(database: Database) -> None:
    """Once its owner said STOP a number is blocked, whatever was known of it before."""
    await put(database, document())
    mark = {"school": "school", "channel": "email", "address_key": "c0@example.org", "reason": "x", "at": NOON}
    async with database.writing() as connection:
        await mark_points(connection, [{**mark, "state": "dead"}])
        await mark_points(connection, [{**mark, "state": "carrier_blocked"}])
    directory, _ = await on_record(database)
    assert {point.state for point in directory.contact_points if point.id == "c0-e"} == {PointState.CARRIER_BLOCKED}


async def test_the_version_rises_with_every_change_that_counts(database: Database) -> None:
    """Deliveries planned before a change can be told from those planned after it (R44)."""
    await put(database, document())
    _, before = await on_record(database)
    await put(database, document(restrictions=[DENY]))
    _, after = await on_record(database)
    assert after == before + 1


async def test_a_refused_row_does_not_end_what_is_on_record(database: Database) -> None:
    """A row with a mistake in it is reported; its earlier self stays in force."""
    await put(database, document())
    links = document()["relationships"]
    spoilt = [{**links[0], "natural_parent": "perhaps"}, *links[1:]]
    report = await put(database, document(relationships=spoilt))
    directory, _ = await on_record(database)
    assert [row.entity for row in report.refused] == ["relationships"]
    assert {row.valid_to for row in directory.relationships} == {None}


async def test_chronology_names_fields_and_never_values(database: Database) -> None:
    """Of a changed record the names of the fields are kept, not what stood in them."""
    await put(database, document())
    contacts = [{**row, "family_name": "Zsigmondy"} for row in document()["contacts"]]
    await put(database, document(contacts=contacts))
    async with database.reading() as connection:
        details = (await connection.execute(select(chronology.c.detail))).scalars().all()
    assert any("family_name" in detail for detail in details)
    assert not any("Zsigmondy" in detail for detail in details)
