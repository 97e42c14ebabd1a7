"""Builds small OneRoster exports for the tests, one change at a time."""

import io
import zipfile

MANIFEST = "propertyName,value\r\noneroster.version,1.2\r\nfile.users,bulk\r\n"
ORGS = "sourcedId,name,type\r\nhollins,Hollins Lane School,school\r\n"
USERS = (
    "sourcedId,givenName,familyName,email,sms,phone,agentSourcedIds,grades\r\n"
    'ana,Ana,Duarte,,,,"ines,rui",07\r\n'
    "ines,Inês,Matias,ines@example.org,07700 900001,,,\r\n"
    "rui,Rui,Duarte,rui@example.org,07700 900002,020 7946 0001,,\r\n"
    "kim,Kim,Reed,kim@example.org,,,,\r\n"
)
ROLES = (
    "sourcedId,userSourcedId,roleType,role,beginDate,endDate\r\n"
    "r1,ana,primary,student,,\r\nr2,ines,primary,parent,,\r\nr3,rui,primary,parent,,\r\nr4,kim,primary,teacher,,\r\n"
)
DEMOGRAPHICS = "sourcedId,birthDate,metadata.careStatus\r\nana,2014-05-06,\r\n"
CLASSES = "sourcedId,title\r\nc7a,7A\r\n"
ENROLLMENTS = "sourcedId,classSourcedId,userSourcedId,role,beginDate,endDate\r\ne1,c7a,ana,student,,\r\n"
LINK_COLUMNS = (
    "studentSourcedId,personSourcedId,relation,naturalParent,parentalResponsibility,livesWith,correspondence,"
    "correspondenceReason,restrictionRef,householdId,preferredLanguage,interpreter,formats,addressLine1,postcode,"
    "addressConfidential,validFrom,validTo"
)


def links(*rows: dict[str, str]) -> str:
    """Write guardian_links.csv with one row for each dict."""
    columns = LINK_COLUMNS.split(",")
    return "\r\n".join([LINK_COLUMNS, *(",".join(row.get(column, "") for column in columns) for row in rows), ""])


MOTHER = {"studentSourcedId": "ana", "personSourcedId": "ines", "relation": "mother", "naturalParent": "true"}
FATHER = {"studentSourcedId": "ana", "personSourcedId": "rui", "relation": "father", "naturalParent": "true"}


def files(**changes: str | bytes | None) -> dict[str, str | bytes]:
    """Return the files of a sound export by name, with changes; None leaves a file out."""
    sound: dict[str, str | bytes | None] = {
        "manifest": MANIFEST,
        "orgs": ORGS,
        "users": USERS,
        "roles": ROLES,
        "demographics": DEMOGRAPHICS,
        "classes": CLASSES,
        "enrollments": ENROLLMENTS,
        "guardian_links": links(MOTHER, FATHER),
    }
    return {f"{name}.csv": content for name, content in (sound | changes).items() if content is not None}


def zipped(contents: dict[str, str | bytes]) -> bytes:
    """Pack files at the root of a zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def export(**changes: str | bytes | None) -> bytes:
    """Return a sound export as a zip, with changes."""
    return zipped(files(**changes))
