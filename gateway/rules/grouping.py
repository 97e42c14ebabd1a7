"""R28: which of one contact's students share a message."""

from collections.abc import Iterable, Iterator

import msgspec

from gateway.directory.indexing import IndexedPoint
from gateway.directory.model import Contact
from gateway.rules.answer import Mode
from gateway.rules.categories import CategoryRow


class Send(msgspec.Struct, frozen=True, gc=False):
    """One student's news for one contact and the points it may use; `step` is the rung of a ladder."""

    student: str
    contact: Contact
    points: tuple[IndexedPoint, ...]
    step: int | None = None


class Bundle(msgspec.Struct, frozen=True, gc=False):
    """One message in the making."""

    contact: Contact
    students: tuple[str, ...]
    points: tuple[IndexedPoint, ...]
    step: int | None


def bundles(sends: Iterable[Send], row: CategoryRow) -> list[Bundle]:
    """Group sends into messages in answer order; `sends` come by student, each contact once a student."""
    alone = row.sensitivity >= 2 or row.mode is Mode.LADDER
    grouped = _one_each(sends) if alone else _same_points(sends)
    return sorted(grouped, key=lambda bundle: (bundle.contact.id, bundle.students[0]))


def _one_each(sends: Iterable[Send]) -> Iterator[Bundle]:
    """Sensitive and ladder messages name one student."""
    return (Bundle(send.contact, (send.student,), send.points, send.step) for send in sends)


def _same_points(sends: Iterable[Send]) -> Iterator[Bundle]:
    """Siblings with the same list of points are named together."""
    groups: dict[tuple[str, ...], list[Send]] = {}
    for send in sends:
        groups.setdefault((send.contact.id, *(point.id for point in send.points)), []).append(send)
    for group in groups.values():
        first = group[0]
        yield Bundle(first.contact, tuple(sorted(send.student for send in group)), first.points, None)
