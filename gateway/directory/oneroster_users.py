"""Who is in users.csv, and what each is: roles come from roles.csv (OneRoster 1.2) or from the row itself (1.1)."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.directory.csv_rows import Row, date
from gateway.directory.importing import ImportRefusedError
from gateway.directory.oneroster_tables import ROLES, USERS, Export

_STAFF = frozenset(
    {
        "administrator",
        "aide",
        "counselor",
        "districtAdministrator",
        "principal",
        "proctor",
        "siteAdministrator",
        "systemAdministrator",
        "teacher",
    }
)
_FAMILY = frozenset({"guardian", "parent", "relative"})


@dataclass(frozen=True, slots=True)
class Engagement:
    """One role of one user, and from when to when, both ends included; None is open."""

    role: str
    begin: dt.date | None = None
    end: dt.date | None = None

    def holds(self, today: dt.date) -> bool:
        """Say whether the role holds on a day."""
        return (self.begin or today) <= today <= (self.end or today)


@dataclass(frozen=True, slots=True)
class Users:
    """The rows of users.csv by id, and the roles of each user."""

    rows: dict[str, Row]
    engagements: dict[str, list[Engagement]]
    students: dict[str, Row]
    """Those who are, were or will be a student here."""

    def studies(self, user: str) -> list[Engagement]:
        """Return a user's engagements as a student."""
        return [engagement for engagement in self.engagements[user] if engagement.role == "student"]

    def is_staff(self, user: str, today: dt.date) -> bool:
        """Say whether the user works at the school on a day."""
        roles = self.engagements.get(user, ())
        return any(engagement.role in _STAFF and engagement.holds(today) for engagement in roles)

    def relation(self, user: str) -> str:
        """Return the role OneRoster gives a student's agent (`parent`, `ext:…`); empty when it gives none."""
        roles = [engagement.role for engagement in self.engagements.get(user, ())]
        return next((role for role in roles if role in _FAMILY or role.startswith("ext:")), "")


def read_users(export: Export) -> Users:
    """Read users.csv and roles.csv; raises ImportRefusedError when nothing says who is a student."""
    rows = dict(export.rows(USERS))
    found = _roles_file(export, rows) if ROLES in export else _roles_in_users(rows)
    engagements: defaultdict[str, list[Engagement]] = defaultdict(list)
    for user, engagement in found:
        engagements[user].append(engagement)
    if rows and not engagements:
        raise ImportRefusedError("The file is missing or empty, so nobody is known to be a student; export it.", ROLES)
    students = {
        user: row for user, row in rows.items() if any(role.role == "student" for role in engagements.get(user, ()))
    }
    return Users(rows=rows, engagements=dict(engagements), students=students)


def _roles_file(export: Export, users: dict[str, Row]) -> Iterator[tuple[str, Engagement]]:
    for _, row in export.rows(ROLES):
        user = row.text("userSourcedId")
        if user not in users:
            row.refuse("userSourcedId", "No user in users.csv has this id; correct it or add the user.")
        else:
            begin, end = row.read("beginDate", date), row.read("endDate", date)
            if begin and end and end < begin:
                row.refuse("endDate", "The role ends before it begins, so it counts as open; correct one of the dates.")
                begin, end = None, None
            yield user, Engagement(row.text("role"), begin, end)


def _roles_in_users(users: dict[str, Row]) -> Iterator[tuple[str, Engagement]]:
    for user, row in users.items():
        if row.text("role"):
            yield user, Engagement(row.text("role"))
