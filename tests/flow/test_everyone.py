"""A whole school at once: everybody is accounted for, nobody is named in a log, a post is taken once."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from typing import Any

import msgspec
import pytest

from gateway.directory.indexing import DirectoryIndex
from gateway.directory.masking import masked
from gateway.directory.model import Category, Directory, PostalAddress, Restriction
from gateway.directory.oneroster import read_oneroster
from gateway.dispatch.refusals import Refused
from gateway.log import JsonLines
from gateway.rules.answer import Request
from gateway.rules.audience import decide
from gateway.store.tables import decisions, deliveries, notifications
from gateway.store.views import count_candidates
from tests.flow.families import KID, MUM, MUM_NUMBER, parents
from tests.flow.installation import GONE, LATER, MONDAY, SILENCE, Installation
from tests.unit.rules.households import directory, email, mobile

SAMPLE = resources.files("gateway.sample")


def sample_school() -> Directory:
    """Give the sample school under the name that the tests' key is for."""
    imported = read_oneroster((SAMPLE / "hollins.zip").read_bytes(), today=MONDAY.date()).directory
    approved = msgspec.json.decode((SAMPLE / "restrictions.json").read_bytes(), type=tuple[Restriction, ...])
    school = msgspec.structs.replace(imported.school, id="school")
    return msgspec.structs.replace(imported, school=school, restrictions=approved)


async def test_everyone_is_accounted_for(gateway: Installation) -> None:
    """Sent, held, excluded and unreachable add up to all pairs, as the rules decide them for the whole school."""
    school = sample_school()
    await gateway.put(school)
    notification = await gateway.post("newsletter", audience={"everyone": True})
    await gateway.at_rest()
    expected = decide(DirectoryIndex(school), Request(category=Category.NEWSLETTER, at=MONDAY, everyone=True))
    rows = await gateway.rows(decisions, decisions.c.notification == notification)
    assert [(row.student, row.contact, row.outcome, row.rule) for row in rows] == [
        (decision.student, decision.contact, decision.outcome.value, decision.rule) for decision in expected.decisions
    ]
    counts = await gateway.counts(notification)
    async with gateway.front.database.reading() as connection:
        candidates = await count_candidates(connection, notification)
    assert sum(counts[outcome] for outcome in ("sent", "held", "excluded", "unreachable")) == candidates
    assert counts["messages"] == len(expected.messages)
    assert await gateway.status(notification) == "finished"

    sent = await gateway.rows(deliveries, deliveries.c.state == "sent", deliveries.c.merged_into.is_(None))
    left = Counter(row.channel for row in sent)
    assert left == {"email": len(gateway.outbox.mails()), "letter": len(gateway.outbox.letters())}


class Notebook(logging.Handler):
    """Writes every record down twice: as the gateway's JSON lines, and plainly for our own loggers."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._json = JsonLines()
        self._plain = logging.Formatter("%(levelname)s %(name)s %(message)s %(args)s")

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record down."""
        line = self._json.format(record)
        json.loads(line)
        self.lines.append(line)
        if record.name.startswith(("gateway", "channels")):
            self.lines.append(self._plain.format(record))


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    """Listen to everything that anybody logs, at the lowest level."""
    root, notebook = logging.getLogger(), Notebook()
    levels = {name: logging.getLogger(name).level for name in ("", "gateway", "channels")}
    root.addHandler(notebook)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield notebook
    root.removeHandler(notebook)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def traces(school: Directory) -> set[str]:
    """List what must not be logged: names, addresses, numbers and dates of birth of anybody in the school."""
    people = [*school.students, *school.contacts]
    found = {name for person in people for name in (person.given_name, person.family_name) if len(name) > 3}
    for point in school.contact_points:
        if isinstance(point.address, PostalAddress):
            found |= {line for line in point.address.lines if len(line) > 4}
        else:
            found |= {point.address, point.address.replace(" ", "")}
            found.add(masked(point))
    return found


async def test_logs_name_nobody(gateway: Installation, notebook: Notebook) -> None:
    """In a day of three notifications with failures of every kind no line holds a name, an address or a text."""
    school = sample_school()
    points = {point.channel: point for point in school.contact_points}
    for point, error in zip(points.values(), (GONE, LATER, SILENCE, GONE), strict=False):
        gateway.faults.always(str(point.address), error)
    await gateway.put(school)
    for category in ("newsletter", "emergency", "report"):
        await gateway.post(category, audience={"students": [student.id for student in school.students[:60]]})
        await gateway.at_rest()
    await gateway.forward(seconds=30)
    assert gateway.outbox.mails()
    lines = "\n".join(notebook.lines)
    assert "planned" in lines
    found = {trace for trace in traces(school) if trace in lines}
    assert found == set()
    assert "this is about" not in lines


async def test_twenty_posts_with_one_key_are_one_notification(gateway: Installation) -> None:
    """Whoever is quickest is answered, and the others get the same answer."""
    await gateway.put(directory(relationships=parents("mum"), contacts=[MUM], students=[KID]))
    answers = await asyncio.gather(*(gateway.accept("report", key="again") for _ in range(20)))
    await gateway.at_rest()
    assert len(set(answers)) == 1
    assert len(await gateway.rows(notifications)) == 1
    assert gateway.outbox.mailed() == ["mum@example.org"]


async def test_a_used_key_refuses_another_body(gateway: Installation) -> None:
    """The same key with another request is a mistake of the caller, and nothing is recorded."""
    await gateway.put(directory(relationships=parents("mum"), contacts=[MUM], students=[KID]))
    await gateway.post("report", key="again")
    with pytest.raises(Refused) as refusal:
        await gateway.post("meeting", key="again")
    assert refusal.value.status == 422
    assert len(await gateway.rows(notifications)) == 1


async def test_siblings_are_one_message_each_parent(gateway: Installation) -> None:
    """Two children, one mail; a report, two mails (R28)."""
    rows: list[Any] = [*parents("mum", student="kid"), *parents("mum", student="sis")]
    await gateway.put(directory(relationships=rows, contact_points=[email("mum"), mobile("mum", MUM_NUMBER)]))
    audience = {"students": ["kid", "sis"]}
    newsletter = await gateway.post("newsletter", audience=audience)
    report = await gateway.post("report", audience=audience)
    await gateway.at_rest()
    assert len(await gateway.deliveries(newsletter)) == 1
    assert len(await gateway.deliveries(report)) == 2
