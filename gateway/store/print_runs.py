"""Print runs on record: which letters wait, which run has which letter, what is to be done about a run."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Row, Select, and_, delete, func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.bulk import BulkUpdate, insert_new, one_of
from gateway.store.tables import chronology, deliveries, messages, notifications, print_letters, print_runs, schools

IN_RUN = "in_print_run"
"""The code of a delivery whose letter is printed: nothing takes it back any more."""

BEYOND_RECALL = "with_print_house"
"""The code of one that its provider gives back no more."""

# Written out, as parameters would hide from either database that its partial index serves.
_WAITING = text(
    "deliveries.channel = 'letter' AND deliveries.state = 'sent' AND deliveries.code IS NULL "
    "AND deliveries.merged_into IS NULL"
)


class Waiting(NamedTuple):
    """What waits for a school's next run."""

    school: str
    letters: int
    since: dt.datetime


async def waiting_letters(connection: AsyncConnection, provider: str) -> list[Waiting]:
    """Count the letters that wait for a print run, by school."""
    query = (
        select(deliveries.c.school, func.count().label("letters"), func.min(deliveries.c.changed_at).label("since"))
        .where(deliveries.c.provider == provider, _WAITING)
        .group_by(deliveries.c.school)
        .order_by(deliveries.c.school)
    )
    return [Waiting(row.school, row.letters, row.since) for row in await connection.execute(query)]


async def load_waiting(connection: AsyncConnection, provider: str, school: str, *, limit: int) -> list[Row[Any]]:
    """Load letters that wait, the longest waiting first."""
    query = (
        select(deliveries)
        .where(deliveries.c.provider == provider, deliveries.c.school == school, _WAITING)
        .order_by(deliveries.c.changed_at, deliveries.c.id)
        .limit(limit)
    )
    return list(await connection.execute(query))


async def lock_waiting(connection: AsyncConnection, ids: Collection[str]) -> list[Row[Any]]:
    """Load and lock those of the letters that still wait."""
    query = select(deliveries).where(one_of(connection, deliveries.c.id, list(ids)), _WAITING)
    return list(await connection.execute(query.order_by(deliveries.c.id).with_for_update()))


async def doubtful_notifications(connection: AsyncConnection, provider: str, *, limit: int) -> list[str]:
    """Name notifications, cancelled or decided under an older directory, with letters that can be taken back."""
    query = _doubtful(select(deliveries.c.notification).distinct(), provider).order_by(deliveries.c.notification)
    return list((await connection.execute(query.limit(limit))).scalars())


async def doubtful_letters(connection: AsyncConnection, provider: str, notification: str, *, limit: int) -> list[str]:
    """Name such letters of one notification."""
    query = _doubtful(select(deliveries.c.id), provider).where(deliveries.c.notification == notification)
    return list((await connection.execute(query.order_by(deliveries.c.id).limit(limit))).scalars())


def _doubtful(query: Select[Any], provider: str) -> Select[Any]:
    return (
        query.join(notifications, notifications.c.id == deliveries.c.notification)
        .join(schools, schools.c.id == deliveries.c.school)
        .where(
            deliveries.c.provider == provider,
            _WAITING,
            or_(notifications.c.status == "cancelled", deliveries.c.directory_version < schools.c.version),
        )
    )


async def mark_beyond_recall(connection: AsyncConnection, ids: Collection[str]) -> None:
    """Note that letters cannot be taken back any more."""
    statement = update(deliveries).where(one_of(connection, deliveries.c.id, list(ids)), _WAITING)
    await connection.execute(statement.values(code=BEYOND_RECALL))


async def lock_of_notification(connection: AsyncConnection, provider: str, notification: str) -> list[Row[Any]]:
    """Load and lock the letters of a notification that still wait."""
    query = select(deliveries).where(
        deliveries.c.notification == notification, deliveries.c.provider == provider, _WAITING
    )
    return list(await connection.execute(query.order_by(deliveries.c.id).with_for_update()))


async def let_go_of_old(connection: AsyncConnection, provider: str, *, before: dt.datetime) -> None:
    """Note of letters handed over before an instant that they cannot be taken back any more."""
    of_it = (deliveries.c.provider == provider, _WAITING, deliveries.c.changed_at < before)
    await connection.execute(update(deliveries).where(*of_it).values(code=BEYOND_RECALL))


async def last_run(connection: AsyncConnection, school: str) -> Row[Any] | None:
    """Find the latest run of a school."""
    query = select(print_runs).where(print_runs.c.school == school).order_by(print_runs.c.id.desc()).limit(1)
    return (await connection.execute(query)).one_or_none()


async def want_run(connection: AsyncConnection, row: Mapping[str, Any]) -> str | None:
    """Ask for a run of a school's letters; gives its id, or None when one is asked for already."""
    new = await insert_new(connection, print_runs, [row])
    return str(row["id"]) if new else None


async def wanted_run(connection: AsyncConnection, school: str) -> Row[Any] | None:
    """Find the run of a school that is asked for and not begun."""
    query = select(print_runs).where(print_runs.c.school == school, print_runs.c.status == "wanted")
    return (await connection.execute(query)).one_or_none()


async def due_runs(connection: AsyncConnection, *, now: dt.datetime, limit: int = 50) -> list[Row[Any]]:
    """List runs about which something is to be done and nobody is at work, the oldest first."""
    query = select(print_runs).where(print_runs.c.due_at <= now, _free(now)).order_by(print_runs.c.id).limit(limit)
    return list(await connection.execute(query))


async def take_run(
    connection: AsyncConnection, run: str, *, owner: str, now: dt.datetime, until: dt.datetime
) -> Row[Any] | None:
    """Take a run for one worker; None when another has it or nothing is to be done about it."""
    statement = (
        update(print_runs)
        .where(print_runs.c.id == run, print_runs.c.due_at <= now, _free(now))
        .values(owner=owner, lease_until=until)
        .returning(print_runs)
    )
    taken: Row[Any] | None = (await connection.execute(statement)).one_or_none()
    return taken


async def renew_run(connection: AsyncConnection, run: str, *, owner: str, until: dt.datetime) -> bool:
    """Keep a run; False when another worker has it by now."""
    statement = update(print_runs).where(print_runs.c.id == run, print_runs.c.owner == owner).values(lease_until=until)
    return (await connection.execute(statement)).rowcount == 1


async def update_run(connection: AsyncConnection, run: str, values: Mapping[str, Any], *, owner: str) -> bool:
    """Write what has come of a run, if it is still this worker's."""
    statement = update(print_runs).where(print_runs.c.id == run, print_runs.c.owner == owner).values(**values)
    return (await connection.execute(statement)).rowcount == 1


async def enter_letters(connection: AsyncConnection, run: str, ids: Sequence[str]) -> list[str]:
    """Put letters into a run, which is final; gives those that no other run has."""
    rows = [{"delivery": delivery, "run": run} for delivery in ids]
    entered = sorted(key for (key,) in await insert_new(connection, print_letters, rows))
    statement = update(deliveries).where(one_of(connection, deliveries.c.id, entered)).values(code=IN_RUN)
    await connection.execute(statement)
    return entered


async def give_back(connection: AsyncConnection, run: str) -> None:
    """Take the letters out of a run that were entered and are not on their way: they wait again."""
    entered = select(print_letters.c.delivery).where(print_letters.c.run == run)
    statement = update(deliveries).where(
        deliveries.c.id.in_(entered), deliveries.c.state == "sent", deliveries.c.code == IN_RUN
    )
    back = list((await connection.execute(statement.values(code=None).returning(deliveries.c.id))).scalars())
    await connection.execute(delete(print_letters).where(one_of(connection, print_letters.c.delivery, back)))


async def printed_and_outdated(
    connection: AsyncConnection, *, since: dt.datetime, without: Collection[str], limit: int
) -> list[Row[Any]]:
    """Load letters printed since then, and not said to be posted, that were decided under an older directory.

    Each is a delivery with `run`, `file`, `first_page` and `pages`; those of the notifications `without` are left out.
    """
    places = print_letters.c
    query = (
        select(deliveries, places.run, places.file, places.first_page, places.pages)
        .join(print_letters, places.delivery == deliveries.c.id)
        .join(print_runs, print_runs.c.id == places.run)
        .join(schools, schools.c.id == deliveries.c.school)
        .where(
            print_runs.c.closed_at > since,
            print_runs.c.posted_on.is_(None),
            places.file.is_not(None),
            deliveries.c.state == "sent",
            deliveries.c.directory_version < schools.c.version,
            deliveries.c.notification.not_in(without),
        )
        .order_by(deliveries.c.id)
        .limit(limit)
    )
    return list(await connection.execute(query))


async def note_look(connection: AsyncConnection, ids: Collection[str], *, version: int) -> None:
    """Note under which directory printed letters were looked at again."""
    statement = update(deliveries).where(one_of(connection, deliveries.c.id, list(ids)), deliveries.c.state == "sent")
    await connection.execute(statement.values(directory_version=version))


async def letters_of(connection: AsyncConnection, run: str) -> list[Row[Any]]:
    """Load the letters of a run."""
    query = select(print_letters).where(print_letters.c.run == run).order_by(print_letters.c.delivery)
    return list(await connection.execute(query))


_PLACES = BulkUpdate(
    print_letters,
    matching={"delivery": "delivery"},
    values=("file", "first_page", "pages", "sheets", "postage", "sealed", "country"),
)


async def place_letters(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note where in its run each letter is, and what class it has."""
    await _PLACES.run(connection, rows)


class Due(NamedTuple):
    """Until when a letter has to arrive."""

    delivery: str
    notification: str
    by: dt.datetime


class _Asked(msgspec.Struct):
    """Of a request what its sender says about time; how long others are good for is only our own guess."""

    expires_at: dt.datetime | None = None


async def deadlines_of(connection: AsyncConnection, run: str) -> list[Due]:
    """List the letters of a run whose sender has set a deadline: for an answer, or as their end."""
    letters = (
        select(deliveries.c.id, deliveries.c.notification)
        .join(print_letters, print_letters.c.delivery == deliveries.c.id)
        .where(print_letters.c.run == run)
    )
    own = select(notifications.c.id, notifications.c.respond_by, notifications.c.request).where(
        notifications.c.id.in_(select(letters.subquery().c.notification))
    )
    until = {
        row.id: [each for each in (row.respond_by, msgspec.json.decode(row.request, type=_Asked).expires_at) if each]
        for row in await connection.execute(own)
    }
    return [
        Due(row.id, row.notification, min(until[row.notification]))
        for row in await connection.execute(letters.order_by(deliveries.c.id))
        if until[row.notification]
    ]


async def still_waiting(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Name those of the deliveries whose letter may be printed yet: none that has ended, or is in a closed run."""
    running = select(print_letters.c.delivery).join(
        print_runs, and_(print_runs.c.id == print_letters.c.run, print_runs.c.status == "printing")
    )
    query = select(deliveries.c.id).where(
        one_of(connection, deliveries.c.id, list(ids)),
        or_(
            deliveries.c.state.in_(("queued", "retrying", "sending", "unknown", "held")),
            and_(deliveries.c.state == "sent", deliveries.c.code.is_(None)),
            deliveries.c.id.in_(running),
        ),
    )
    return set((await connection.execute(query)).scalars())


async def readers_of(connection: AsyncConnection, run: str, file: str) -> list[Row[Any]]:
    """List whose letters a file of a run holds: `contact`, `point`, `notification`, and `students` as stored."""
    letter = func.coalesce(deliveries.c.merged_into, deliveries.c.id)
    query = (
        select(deliveries.c.contact, deliveries.c.point, deliveries.c.notification, messages.c.students)
        .join(print_letters, print_letters.c.delivery == letter)
        .join(messages, messages.c.id == deliveries.c.message)
        .where(
            print_letters.c.run == run,
            print_letters.c.file == file,
            or_(deliveries.c.merged_into.is_(None), deliveries.c.state.in_(("sent", "delivered"))),
        )
        .order_by(deliveries.c.id)
    )
    return list(await connection.execute(query))


async def enter_people(
    connection: AsyncConnection, people: Sequence[Mapping[str, Any]], event: str, *, at: dt.datetime
) -> None:
    """Write into chronologies; each of the people has `school`, `student`, `contact` and a `detail`."""
    rows = [{**one, "event": event, "at": at, "detail": msgspec.json.encode(one["detail"]).decode()} for one in people]
    if rows:
        await connection.execute(insert(chronology), rows)


async def find_run(connection: AsyncConnection, school: str, run: str, *, lock: bool = False) -> Row[Any] | None:
    """Find a run of this school."""
    query = select(print_runs).where(print_runs.c.school == school, print_runs.c.id == run)
    return (await connection.execute(query.with_for_update() if lock else query)).one_or_none()


async def run_of_any_school(connection: AsyncConnection, run: str) -> Row[Any]:
    """Load a run for the operator, who serves all schools."""
    return (await connection.execute(select(print_runs).where(print_runs.c.id == run))).one()


async def list_runs(
    connection: AsyncConnection, school: str, *, after: tuple[Any, ...] = (), limit: int = 100
) -> list[Row[Any]]:
    """List a school's runs, newest first; `after` is the id of the last one seen."""
    query = select(print_runs).where(print_runs.c.school == school)
    if after:
        query = query.where(print_runs.c.id < after[0])
    return list(await connection.execute(query.order_by(print_runs.c.id.desc()).limit(limit)))


async def classes_of(connection: AsyncConnection, run: str) -> list[Row[Any]]:
    """Count a run's letters and sheets by class: `postage`, `sealed`, `letters`, `sheets`."""
    query = (
        select(
            print_letters.c.postage,
            print_letters.c.sealed,
            func.count().label("letters"),
            func.sum(print_letters.c.sheets).label("sheets"),
        )
        .where(print_letters.c.run == run, print_letters.c.postage.is_not(None))
        .group_by(print_letters.c.postage, print_letters.c.sealed)
        .order_by(print_letters.c.postage, print_letters.c.sealed)
    )
    return list(await connection.execute(query))


async def post_run(connection: AsyncConnection, run: str, on: dt.date) -> None:
    """Note on which day a run was posted."""
    await connection.execute(update(print_runs).where(print_runs.c.id == run).values(posted_on=on.isoformat()))


async def find_letter(connection: AsyncConnection, school: str, delivery: str) -> Row[Any] | None:
    """Find a delivery of this school that is a letter; its `file` is where a print run has it."""
    query = (
        select(deliveries, print_letters.c.file)
        .outerjoin(print_letters, print_letters.c.delivery == deliveries.c.id)
        .where(deliveries.c.id == delivery, deliveries.c.school == school, deliveries.c.channel == "letter")
    )
    return (await connection.execute(query)).one_or_none()


def _free(now: dt.datetime) -> Any:
    return or_(print_runs.c.lease_until.is_(None), print_runs.c.lease_until <= now)
