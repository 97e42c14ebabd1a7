"""Planning chunk by chunk, from the neighbourhood alone, decides what the whole directory would decide."""

import itertools
from collections.abc import AsyncIterator
from zoneinfo import ZoneInfo

import msgspec
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Directory
from gateway.rules.answer import Answer, Decision, PlannedMessage, Request
from gateway.rules.audience import decide, evaluate
from gateway.store.chunks import next_chunk
from gateway.store.database import Database
from gateway.store.people import load_directory, load_neighbourhood
from gateway.store.planning import among, audience_of, fix_audience
from gateway.store.roster import apply_changes, compare_directory
from tests.unit.rules.schools import NOON, TODAY, questions

CHUNK_SIZES = (1, 2, 7)

_numbers = itertools.count()


@pytest_asyncio.fixture
async def database(gateway_sqlite_url: str) -> AsyncIterator[Database]:
    """Open one SQLite database for all examples; each is a school of its own in it."""
    database = Database(gateway_sqlite_url)
    yield database
    await database.close()


async def record(database: Database, directory: Directory) -> Directory:
    """Write a directory under a new school's name."""
    school = msgspec.structs.replace(directory.school, id=f"school{next(_numbers)}")
    directory = msgspec.structs.replace(directory, school=school)
    async with database.writing() as connection:
        changes = await compare_directory(connection, directory, today=TODAY)
        await apply_changes(connection, school, changes, at=NOON)
    return directory


async def by_chunks(connection: AsyncConnection, directory: Directory, request: Request, size: int) -> Answer:
    """Answer a request the way the planner does, `size` contacts at a time."""
    school, named = directory.school, request.contacts or ()
    audience = audience_of(school.id)
    decisions: list[Decision] = []
    messages: list[PlannedMessage] = []
    cursor = ""
    while chunk := await next_chunk(connection, school.id, audience, named, cursor, size):
        near = await load_neighbourhood(connection, school, chunk, audience, named)
        students = await among(connection, school.id, [student.id for student in near.students])
        asked = Request(category=request.category, at=request.at, students=tuple(students), contacts=request.contacts)
        answer = evaluate(DirectoryIndex(near), asked, contacts=chunk).answer
        assert answer.error is None
        decisions += answer.decisions
        messages += answer.messages
        cursor = chunk[-1]
    return Answer(
        decisions=tuple(sorted(decisions, key=lambda decision: (decision.student, decision.contact))),
        messages=tuple(sorted(messages, key=lambda message: (message.contact, message.students[0]))),
    )


@given(questions(), st.sampled_from(CHUNK_SIZES))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_chunks_add_up_to_the_whole(
    database: Database, question: tuple[Directory, Request], size: int
) -> None:
    """Whatever the chunks' size, each pair is decided once, as in the whole directory, with the same messages."""
    directory, request = question
    directory = await record(database, directory)
    async with database.writing() as connection:
        await fix_audience(
            connection,
            directory.school.id,
            directory.school.id,
            listed=request.students,
            groups=request.groups,
            today=request.at.astimezone(ZoneInfo(directory.school.timezone)).date(),
        )
        answer = await by_chunks(connection, directory, request, size)
    assert answer == decide(DirectoryIndex(directory), request)


@given(questions())
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_directory_comes_back_as_it_was(database: Database, question: tuple[Directory, Request]) -> None:
    """What was written is what is read, whatever it holds."""
    directory = await record(database, question[0])
    async with database.reading() as connection:
        found = await load_directory(connection, directory.school)
    assert by_id(found) == by_id(directory)


def by_id(directory: Directory) -> dict[str, list[bytes]]:
    """Write a directory so that the order of its rows does not count."""
    names = [name for name in directory.__struct_fields__ if name != "school"]
    return {name: sorted(msgspec.json.encode(row) for row in getattr(directory, name)) for name in names}
