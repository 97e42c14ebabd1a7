"""Measures the recipient rules: decisions a second, median of five, on a generated school (run from the root).

python -m tests.bench.rules [students]
"""

import datetime as dt
import statistics
import sys
import time

from gateway.cli.processes import collect_less_often
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import (
    Category,
    ChannelName,
    Contact,
    ContactPoint,
    Directory,
    Household,
    PostalAddress,
    Relationship,
    School,
    Student,
)
from gateway.rules.answer import Request
from gateway.rules.audience import decide

AT = dt.datetime(2026, 6, 15, 9, 0, tzinfo=dt.UTC)
ROUNDS = 5
SHARED_MAILBOXES = 5
"""One family in so many uses one mailbox."""


def school(students: int) -> Directory:
    """Make a school in which two children in three have a sibling, and every child two parents.

    Half the parents live together; one family in five has one mailbox.
    """
    families = students * 2 // 3
    parents = [(family, parent, f"c{family:06}{parent}") for family in range(families) for parent in "ab"]
    return Directory(
        school=School(id="bench", name="Bench"),
        students=tuple(Student(id=f"s{number:06}", birth_date=dt.date(2014, 3, 1)) for number in range(students)),
        contacts=tuple(Contact(id=contact) for _, _, contact in parents),
        contact_points=tuple(point for parent in parents for point in _points(*parent)),
        households=tuple(
            Household(id=f"h{family}", members=(f"c{family:06}a", f"c{family:06}b")) for family in range(0, families, 2)
        ),
        relationships=tuple(
            Relationship(
                student=f"s{number:06}",
                contact=f"c{number % families:06}{parent}",
                natural_parent=True,
                lives_with=parent == "a",
            )
            for number in range(students)
            for parent in "ab"
        ),
    )


def _points(number: int, parent: str, contact: str) -> list[ContactPoint]:
    mailbox = f"family{number}" if number % SHARED_MAILBOXES == 0 else contact
    mobile = f"+447700{number % 100_000:05}{'1' if parent == 'a' else '2'}"
    house = PostalAddress(lines=(f"{number} Weir Street",), postcode="ZZ9 9ZZ")
    return [
        ContactPoint(id=f"{contact}-e", contact=contact, channel=ChannelName.EMAIL, address=f"{mailbox}@example.org"),
        ContactPoint(id=f"{contact}-m", contact=contact, channel=ChannelName.SMS, address=mobile),
        ContactPoint(id=f"{contact}-v", contact=contact, channel=ChannelName.VOICE, address=mobile),
        ContactPoint(id=f"{contact}-l", contact=contact, channel=ChannelName.LETTER, address=house),
    ]


def rate(index: DirectoryIndex, category: Category) -> float:
    """Decide once for everybody and give decisions a second."""
    started = time.perf_counter()
    answer = decide(index, Request(category=category, at=AT, everyone=True))
    return len(answer.decisions) / (time.perf_counter() - started)


def main() -> None:
    """Print the index's seconds and one line a category."""
    collect_less_often()  # as every process of the gateway does
    students = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    directory = school(students)
    started = time.perf_counter()
    index = DirectoryIndex(directory)
    sys.stdout.write(f"index of {len(directory.contacts)} contacts: {time.perf_counter() - started:.2f} s\n")
    for category in (Category.NEWSLETTER, Category.REPORT, Category.EMERGENCY, Category.ATTENDANCE):
        rates = [rate(index, category) for _ in range(ROUNDS)]
        sys.stdout.write(f"{category}: {statistics.median(rates):,.0f} decisions/s\n")


if __name__ == "__main__":
    main()
