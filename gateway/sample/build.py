"""Builds the sample school: `python -m gateway.sample.build` writes hollins.zip and restrictions.json anew.

The same seed gives the same bytes on every machine: entries are sorted, stored unpacked and dated alike.
"""

import csv
import datetime as dt
import io
import random
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from gateway.directory.model import Basis, Effect, Restriction, RestrictionStatus
from gateway.sample.names import NAMINGS
from gateway.sample.ordinary import Town
from gateway.sample.roll import Adult, Child, Roll, Tie
from gateway.sample.special import ORDER, Families

SEED = 20260901
STUDENTS = 300
FOLDER = Path(__file__).parent
SCHOOL = "hollins"

Table = list[dict[str, str]]

_LINK_COLUMNS = (
    "studentSourcedId,personSourcedId,relation,naturalParent,parentalResponsibility,careOfChild,livesWith,"
    "legalGuardian,contactPriority,emergencyContact,pickup,billPayer,correspondence,correspondenceReason,reports,"
    "reportsReason,restrictionRef,householdId,preferredLanguage,interpreter,formats,addressLine1,addressLine2,"
    "addressLine3,addressLine4,postcode,country,addressConfidential,validFrom,validTo,houseColour"
)
"""The columns of the extension, and one that no import knows."""

_COLUMNS = {
    "manifest": "propertyName,value",
    "orgs": "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId,metadata.jurisdiction,"
    "metadata.timezone,metadata.language",
    "academicSessions": "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear",
    "courses": "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,"
    "subjectCodes",
    "classes": "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,"
    "schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods",
    "enrollments": "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,"
    "beginDate,endDate",
    "users": "sourcedId,status,dateLastModified,enabledUser,username,userIds,givenName,familyName,middleName,"
    "identifier,email,sms,phone,agentSourcedIds,grades,password,userMasterIdentifier,resourceSourcedIds,"
    "preferredGivenName,preferredMiddleName,preferredFamilyName,primaryOrgSourcedId,pronouns,metadata.title,"
    "metadata.timezone",
    "roles": "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId,"
    "userProfileSourcedId",
    "demographics": "sourcedId,status,dateLastModified,birthDate,sex,metadata.careStatus",
    "guardian_links": _LINK_COLUMNS,
}


def build_roll() -> Roll:
    """People the school: first the special families, then ordinary ones, then the staff."""
    roll = Roll(random.Random(SEED))  # noqa: S311 - invented people need no secrecy
    Families(roll).enter_all()
    town = Town(roll)
    while len(roll.children) < STUDENTS:
        town.enter_family(STUDENTS - len(roll.children))
    return roll


def build_archive() -> bytes:
    """Return the OneRoster 1.2 zip with guardian_links.csv."""
    tables = _tables(build_roll())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(tables):
            entry = zipfile.ZipInfo(f"{name}.csv", date_time=(2026, 9, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, wherever it is built
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, _written(_COLUMNS[name].split(","), tables[name]))
    return buffer.getvalue()


def build_restrictions() -> bytes:
    """Return the register of restrictions that two people approved, as JSON."""
    order = Restriction(
        id=ORDER,
        student="s-barred",
        contact="c-barred",
        effect=Effect.DENY,
        basis=Basis.COURT_ORDER,
        status=RestrictionStatus.ACTIVE,
        from_=dt.date(2026, 3, 2),
    )
    return msgspec.json.format(msgspec.json.encode([order]), indent=1) + b"\n"


def main() -> None:
    """Write both files beside this script."""
    (FOLDER / "hollins.zip").write_bytes(build_archive())
    (FOLDER / "restrictions.json").write_bytes(build_restrictions())


def _written(columns: list[str], rows: Table) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _tables(roll: Roll) -> dict[str, Table]:
    classes = sorted({child.class_ for child in roll.children}, key=lambda class_: (int(class_[:-1]), class_))
    tutors = _tutors(classes)
    tables = {
        "orgs": [
            {
                "sourcedId": SCHOOL,
                "name": "Hollins Lane School",
                "type": "school",
                "metadata.jurisdiction": "GB-ENG",
                "metadata.timezone": "Europe/London",
                "metadata.language": "en",
            }
        ],
        "academicSessions": [
            {
                "sourcedId": "2026-27",
                "title": "2026-27",
                "type": "schoolYear",
                "startDate": "2026-09-01",
                "endDate": "2027-08-31",
                "schoolYear": "2027",
            }
        ],
        "courses": [{"sourcedId": "tutor", "title": "Tutor group", "orgSourcedId": SCHOOL}],
        "classes": [_class(class_) for class_ in classes],
        "enrollments": list(_enrollments(roll, tutors)),
        "users": list(_users(roll, tutors)),
        "roles": list(_roles(roll, tutors)),
        "demographics": [
            {"sourcedId": child.id, "birthDate": child.born, "metadata.careStatus": child.care}
            for child in roll.children
        ],
        "guardian_links": [_link(tie) for tie in roll.ties] + list(_other_links(roll)),
    }
    tables["manifest"] = _manifest(tables)
    return tables


def _manifest(tables: Iterable[str]) -> Table:
    properties = {"manifest.version": "1.0", "oneroster.version": "1.2", "source.systemName": "Hollins sample"}
    properties |= {f"file.{name}": "bulk" for name in sorted(tables) if name != "guardian_links"}
    return [{"propertyName": name, "value": value} for name, value in properties.items()]


def _grade(class_: str) -> str:
    return f"{int(class_[:-1]):02}"


def _class(class_: str) -> dict[str, str]:
    return {
        "sourcedId": class_,
        "title": class_,
        "grades": _grade(class_),
        "courseSourcedId": "tutor",
        "classType": "homeroom",
        "schoolSourcedId": SCHOOL,
        "termSourcedIds": "2026-27",
    }


def _tutors(classes: list[str]) -> dict[str, Adult]:
    """Give each class a tutor who is nobody's parent."""
    naming = NAMINGS["en"]
    return {
        class_: Adult(
            id=f"t-{class_}",
            title="Mx",
            given=naming.mothers[number % len(naming.mothers)],
            family=naming.families[-1 - number],
            roles=("teacher",),
            email=f"tutor.{class_.lower()}@example.org",
        )
        for number, class_ in enumerate(classes)
    }


def _enrollments(roll: Roll, tutors: dict[str, Adult]) -> Iterator[dict[str, str]]:
    pupils = [(child.id, child.class_, "student") for child in roll.children]
    teachers = [(tutor.id, class_, "teacher") for class_, tutor in tutors.items()]
    for number, (user, class_, role) in enumerate([*pupils, *teachers], start=1):
        yield {
            "sourcedId": f"e-{number:04}",
            "classSourcedId": class_,
            "schoolSourcedId": SCHOOL,
            "userSourcedId": user,
            "role": role,
        }


def _users(roll: Roll, tutors: dict[str, Adult]) -> Iterator[dict[str, str]]:
    agents: dict[str, list[str]] = {child.id: [] for child in roll.children}
    for tie in roll.ties:
        agents[tie.child.id].append(tie.adult.id)
    for child in roll.children:
        yield {
            "sourcedId": child.id,
            "enabledUser": "true",
            "givenName": child.given,
            "familyName": child.family,
            "email": child.email,
            "sms": child.sms,
            "agentSourcedIds": ",".join(agents[child.id]),
            "grades": _grade(child.class_),
            "primaryOrgSourcedId": SCHOOL,
        }
    adults = [*roll.adults, *tutors.values()]
    yield from map(_adult, adults)
    yield _adult(adults[0])  # a deliberate mistake: an id used twice


def _adult(adult: Adult) -> dict[str, str]:
    return {
        "sourcedId": adult.id,
        "enabledUser": "true",
        "givenName": adult.given,
        "familyName": adult.family,
        "email": adult.email,
        "sms": adult.sms,
        "phone": adult.phone,
        "primaryOrgSourcedId": SCHOOL,
        "metadata.title": adult.title,
        "metadata.timezone": adult.timezone,
    }


def _roles(roll: Roll, tutors: dict[str, Adult]) -> Iterator[dict[str, str]]:
    people: list[Child | Adult] = [*roll.children, *roll.adults, *tutors.values()]
    pairs = [(one.id, role) for one in people for role in (one.roles if isinstance(one, Adult) else ("student",))]
    for number, (user, role) in enumerate(pairs, start=1):
        yield {
            "sourcedId": f"r-{number:04}",
            "userSourcedId": user,
            "roleType": "primary" if (user, role) == pairs[0] or pairs[number - 2][0] != user else "secondary",
            "role": role,
            "orgSourcedId": SCHOOL,
        }


def _link(tie: Tie) -> dict[str, str]:
    adult = tie.adult
    columns = {
        "studentSourcedId": tie.child.id,
        "personSourcedId": adult.id,
        "householdId": adult.household,
        "preferredLanguage": adult.language,
        "interpreter": adult.interpreter,
        "formats": adult.formats,
    }
    if adult.address:
        line, postcode = adult.address
        columns |= {"addressLine1": line, "addressLine2": "Hollins", "postcode": postcode, "country": "GB"}
        columns["addressConfidential"] = adult.confidential
    return columns | tie.columns


def _other_links(roll: Roll) -> Iterator[dict[str, str]]:
    """Yield the adult student's own row, and a deliberate mistake: a link to nobody."""
    for child in roll.children:
        if child.email:
            yield {"studentSourcedId": child.id, "personSourcedId": child.id, "relation": "self"}
    yield {"studentSourcedId": roll.children[0].id, "personSourcedId": "c-nobody", "relation": "aunt"}


if __name__ == "__main__":
    main()
