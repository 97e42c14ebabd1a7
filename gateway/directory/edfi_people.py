"""Reads one contact of Ed-Fi: names, language, and numbers and addresses by the kind their descriptors give."""

import datetime as dt
import re

from babel.core import get_global

from gateway.directory.csv_rows import boolean, date, language, rank
from gateway.directory.importing import UnreadableValueError
from gateway.directory.json_rows import Record
from gateway.directory.kinship import relation_of
from gateway.directory.model import Contact, ContactPoint
from gateway.directory.point_list import PointList

_LANGUAGE_NAMES = get_global("language_aliases")
"""ISO 639-2 codes as BCP 47 has them: `spa` is `es`."""
_MAIL_KINDS = {"home_personal": "home", "home": "home", "personal": "home", "work": "work", "organization": "work"}
_NUMBER_KINDS = {"home": "home", "mobile": "mobile", "cell": "mobile", "work": "work"}
_ADDRESS_KINDS = {"mailing": ("postal", 1), "home": ("home", 2), "physical": ("home", 3), "work": ("work", 5)}
_OTHER_ADDRESS = ("other", 4)
_NO_CALLS = frozenset({"fax", "pager"})
_ZIP_CODE = re.compile(r"[0-9]{5}(-?[0-9]{4})?")


def contact_of(contact: str, record: Record) -> Contact:
    """Read who a contact is."""
    return Contact(
        id=contact,
        title=record.text("personalTitlePrefix"),
        given_name=record.text("preferredFirstName") or record.text("firstName"),
        family_name=record.text("preferredLastSurname") or record.text("lastSurname"),
        language=_preferred_language(record),
    )


def _preferred_language(record: Record) -> str | None:
    """Choose the language of correspondence, else the first one listed."""
    found: list[tuple[bool, str]] = []
    for spoken in record.each("languages"):
        tag = spoken.read("languageDescriptor", _language)
        uses = [use.read("languageUseDescriptor", code_of) or "" for use in spoken.each("uses")]
        if tag:
            found.append((not any("correspondence" in use.lower() for use in uses), tag))
    return min(found, key=lambda item: item[0])[1] if found else None


def points_of(contact: str, record: Record, *, country: str, today: dt.date) -> tuple[ContactPoint, ...]:
    """Read how a contact is reached: numbers as far as they can be called, addresses in use today."""
    points = PointList(contact, country=country)
    for number in record.each("telephones"):
        kind = _kind(number, "telephoneNumberTypeDescriptor")
        if kind in _NO_CALLS:
            number.note("A fax or pager can be neither called nor texted here; it was left out.")
            continue
        texted = number.read("textMessageCapabilityIndicator", boolean)
        if texted is None:
            texted = _NUMBER_KINDS.get(kind) == "mobile" and "textMessageCapabilityIndicator" not in number.unreadable
        order = number.read("orderOfPriority", rank) or 1
        points.phone(
            number,
            "telephoneNumber",
            kind=_NUMBER_KINDS.get(kind, "other"),
            texted=texted,
            order=order,
            confidential=_is_confidential(number),
        )
    for mail in record.each("electronicMails"):
        kind = _MAIL_KINDS.get(_kind(mail, "electronicMailTypeDescriptor"), "other")
        first = mail.read("primaryEmailAddressIndicator", boolean)
        points.email(
            mail, "electronicMailAddress", kind=kind, order=1 if first else 2, confidential=_is_confidential(mail)
        )
    for address in record.each("addresses"):
        if _is_lived_at(address, today):
            _add_letter(points, address)
    return points.points()


def _add_letter(points: PointList, address: Record) -> None:
    kind, order = _ADDRESS_KINDS.get(_kind(address, "addressTypeDescriptor"), _OTHER_ADDRESS)
    street = " ".join(filter(None, (address.text("streetNumberName"), address.text("apartmentRoomSuiteNumber"))))
    state = address.read("stateAbbreviationDescriptor", code_of) or ""
    postcode = address.text("postalCode")
    town = ", ".join(filter(None, (address.text("city"), state)))
    american = bool(_ZIP_CODE.fullmatch(postcode)) and bool(state)
    points.letter(
        address,
        "streetNumberName",
        (street, town) if street else (),
        postcode=postcode,
        country="US" if american else "",
        kind=kind,
        order=order,
        confidential=_is_confidential(address),
    )


def _is_lived_at(address: Record, today: dt.date) -> bool:
    """Tell whether an address is in use: always without periods, else while one of them can be seen to last."""
    periods = [(period, period.read("beginDate", date)) for period in address.each("periods")]
    return not periods or any(
        (begin or today) <= today <= (period.read("endDate", date) or today) and not period.unreadable
        for period, begin in periods
    )


def _is_confidential(record: Record) -> bool:
    """Tell whether an address must not be published; an answer that cannot be read never opens it."""
    if not record.says("doNotPublishIndicator"):
        return False
    return record.read("doNotPublishIndicator", boolean) is not False


def code_of(text: str) -> str:
    """Read the code of a descriptor, a URI such as `uri://ed-fi.org/RelationDescriptor#Mother`."""
    namespace, mark, code = text.partition("#")
    if not (mark and code.strip() and namespace.startswith("uri://")):
        raise UnreadableValueError("The descriptor must be a URI that ends in # and a code, such as uri://…#Mother.")
    return code.strip()


def _language(text: str) -> str:
    code = language(code_of(text))
    return str(_LANGUAGE_NAMES.get(code.lower(), code))


def _kind(record: Record, key: str) -> str:
    return relation_of(record.read(key, code_of) or "")
