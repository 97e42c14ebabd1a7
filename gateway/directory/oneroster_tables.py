"""The files of a OneRoster export: which there are, which columns they have, and whether they belong together.

OneRoster 1.2 CSV binding (1EdTech, 1.2.1); 1.1 differs in users.csv, which holds the role, and has no roles.csv.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from gateway.directory.archive import Unpacked
from gateway.directory.csv_rows import Columns, Row, identifier, read_rows
from gateway.directory.importing import Findings, ImportRefusedError

MANIFEST: Final = "manifest.csv"
ORGS: Final = "orgs.csv"
USERS: Final = "users.csv"
ROLES: Final = "roles.csv"
DEMOGRAPHICS: Final = "demographics.csv"
CLASSES: Final = "classes.csv"
ENROLLMENTS: Final = "enrollments.csv"
GUARDIAN_LINKS: Final = "guardian_links.csv"

_COMMON = "status,dateLastModified"

TABLES: Final = {
    MANIFEST: Columns.of("propertyName,value", ""),
    ORGS: Columns.of("sourcedId,name,type", f"{_COMMON},identifier,parentSourcedId"),
    USERS: Columns.of(
        "sourcedId,givenName,familyName",
        f"{_COMMON},enabledUser,username,userIds,middleName,identifier,email,sms,phone,agentSourcedIds,grades,password,"
        "userMasterIdentifier,resourceSourcedIds,preferredGivenName,preferredMiddleName,preferredFamilyName,"
        "primaryOrgSourcedId,pronouns,orgSourcedIds,role",
    ),
    ROLES: Columns.of(
        "sourcedId,userSourcedId,role", f"{_COMMON},roleType,beginDate,endDate,orgSourcedId,userProfileSourcedId"
    ),
    DEMOGRAPHICS: Columns.of(
        "sourcedId",
        f"{_COMMON},birthDate,sex,americanIndianOrAlaskaNative,asian,blackOrAfricanAmerican,"
        "nativeHawaiianOrOtherPacificIslander,white,demographicRaceTwoOrMoreRaces,hispanicOrLatinoEthnicity,"
        "countryOfBirthCode,stateOfBirthAbbreviation,cityOfBirth,publicSchoolResidenceStatus",
    ),
    CLASSES: Columns.of(
        "sourcedId,title",
        f"{_COMMON},grades,courseSourcedId,classCode,classType,location,schoolSourcedId,termSourcedIds,subjects,"
        "subjectCodes,periods,resourceSourcedIds",
    ),
    ENROLLMENTS: Columns.of(
        "sourcedId,classSourcedId,userSourcedId,role", f"{_COMMON},schoolSourcedId,primary,beginDate,endDate"
    ),
    GUARDIAN_LINKS: Columns.of(
        "studentSourcedId,personSourcedId",
        "relation,naturalParent,parentalResponsibility,careOfChild,livesWith,legalGuardian,contactPriority,"
        "emergencyContact,pickup,billPayer,correspondence,correspondenceReason,reports,reportsReason,restrictionRef,"
        "householdId,preferredLanguage,interpreter,formats,addressLine1,addressLine2,addressLine3,addressLine4,postcode,"
        "country,addressConfidential,validFrom,validTo",
    ),
}
"""The files the gateway reads, and their columns; any `metadata.` column may be added."""

_OTHER_FILES = frozenset(
    {
        "academicSessions.csv",
        "categories.csv",
        "classResources.csv",
        "courseResources.csv",
        "courses.csv",
        "lineItemLearningObjectiveIds.csv",
        "lineItemScoreScales.csv",
        "lineItems.csv",
        "resources.csv",
        "resultLearningObjectiveIds.csv",
        "resultScoreScales.csv",
        "results.csv",
        "scoreScales.csv",
        "userProfiles.csv",
        "userResources.csv",
    }
)
"""OneRoster files that hold nothing about who is told what."""

_VERSIONS = ("1.1", "1.2")
_MODES = frozenset({"bulk", "delta", "absent"})


class Export:
    """One complete (bulk) export: its manifest agrees with its files, and its rows come by file."""

    def __init__(self, unpacked: Unpacked, findings: Findings) -> None:
        """Check the manifest; raises ImportRefusedError when the files are not one complete export."""
        self._contents = unpacked.contents
        self._findings = findings
        self.lost: defaultdict[str, list[Row]] = defaultdict(list)
        """The rows refused as a whole, by file, once their file has been read."""
        for file in (MANIFEST, ORGS, USERS):
            if file not in self._contents:
                raise ImportRefusedError("The file is missing at the root of the zip; export again with it.", file)
        _check_manifest({row.text("propertyName"): row.text("value") for row in self._rows(MANIFEST)}, self._contents)
        for name in unpacked.ignored:
            if name not in _OTHER_FILES:
                findings.note(name, "The file is not part of OneRoster and was left out.")

    def __contains__(self, file: str) -> bool:
        """Say whether the export holds a file."""
        return file in self._contents

    def _rows(self, file: str) -> Iterator[Row]:
        if file not in self._contents:
            return iter(())
        return read_rows(
            self._contents[file],
            file=file,
            columns=TABLES[file],
            findings=self._findings,
            lost=self.lost[file].append,
        )

    def links(self) -> Iterator[Row]:
        """Yield the rows of guardian_links.csv, which have no id of their own."""
        return self._rows(GUARDIAN_LINKS)

    def rows(self, file: str) -> Iterator[tuple[str, Row]]:
        """Yield the rows of a OneRoster file with their ids; a row without an id of its own is refused."""
        seen: set[str] = set()
        for row in self._rows(file):
            key = row.read("sourcedId", identifier)
            if row.text("status").lower() not in {"", "active"}:
                _refuse_status(row)
                self.lost[file].append(row)
            elif key is None and not row.unreadable:
                row.refuse("sourcedId", "The row has no id; give it one.")
            elif key in seen:
                row.refuse("sourcedId", "Another row above has the same id; leave the right one.")
            elif key is not None:
                seen.add(key)
                yield key, row


def _refuse_status(row: Row) -> None:
    if row.text("status").lower() == "tobedeleted":
        raise ImportRefusedError(
            "Rows to be deleted belong in a delta export, and this one is complete; export again in bulk mode.",
            row.file,
        )
    row.refuse("status", "The status must be active or empty in a bulk export.")


def _check_manifest(properties: dict[str, str], contents: dict[str, bytes]) -> None:
    version = properties.get("oneroster.version", "")
    if not version.startswith(_VERSIONS):
        raise ImportRefusedError(
            f"The property oneroster.version must be {' or '.join(_VERSIONS)}; export in one of them.", MANIFEST
        )
    for name, mode in sorted(properties.items()):
        kind, _, table = name.partition(".")
        if kind == "file" and f"{table}.csv" in TABLES:
            _check_mode(name, mode, present=f"{table}.csv" in contents)


def _check_mode(name: str, mode: str, *, present: bool) -> None:
    """Hold one line of the manifest against the archive.

    A delta export is refused: an import replaces the directory, so changes alone would end everybody else.
    """
    if mode not in _MODES:
        raise ImportRefusedError(f"The property {name} must be bulk, delta or absent.", MANIFEST)
    if mode == "delta":
        raise ImportRefusedError(
            f"The property {name} says delta, but an import replaces the directory; export everything in bulk mode.",
            MANIFEST,
        )
    if present != (mode == "bulk"):
        raise ImportRefusedError(
            f"The property {name} says {mode}, and the zip says otherwise; export again so that both agree.", MANIFEST
        )
