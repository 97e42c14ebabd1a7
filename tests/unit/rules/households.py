"""Small directories for single rules: the student `kid`, the contact `mum`, and whoever a case adds."""

from typing import Any

import msgspec

from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Directory
from gateway.rules.answer import Answer, Request
from gateway.rules.audience import Evaluation, evaluate

AT = "2026-06-15T10:00:00+01:00"
Row = dict[str, Any]
PARENT: Row = {"natural_parent": True}
PERSON_CATEGORIES = ("safeguarding", "account", "reply")


def relation(contact: str = "mum", student: str = "kid", **fields: Any) -> Row:
    """Relate a contact to a student."""
    return {"student": student, "contact": contact, **fields}


def email(contact: str, address: str | None = None, **fields: Any) -> Row:
    """Give a contact a mailbox, `CONTACT-e`."""
    address = address or f"{contact}@example.org"
    return {"id": f"{contact}-e", "contact": contact, "channel": "email", "address": address, **fields}


def mobile(contact: str, number: str, **fields: Any) -> Row:
    """Give a contact a mobile for texts, `CONTACT-m`."""
    return {"id": f"{contact}-m", "contact": contact, "channel": "sms", "address": number, **fields}


def voice(contact: str, number: str, **fields: Any) -> Row:
    """Give a contact a telephone, `CONTACT-v`."""
    return {"id": f"{contact}-v", "contact": contact, "channel": "voice", "address": number, **fields}


def letter(contact: str, house: str, **fields: Any) -> Row:
    """Give a contact a postal address, `CONTACT-l`."""
    address = {"lines": [house], "postcode": "ZZ9 9ZZ"}
    return {"id": f"{contact}-l", "contact": contact, "channel": "letter", "address": address, **fields}


def deny(contact: str = "mum", student: str = "kid", **fields: Any) -> Row:
    """Bar a contact by an active court order without an end."""
    return {
        "id": f"x-{contact}-{student}-{len(fields)}",
        "student": student,
        "contact": contact,
        "effect": "deny",
        "basis": "court_order",
        "status": "active",
        **fields,
    }


def order(contact: str = "mum", **fields: Any) -> Row:
    """Order that a contact is sent everything."""
    return deny(contact, effect="must_send", **{"id": f"o-{contact}", **fields})


def directory(**entities: list[Row]) -> Directory:
    """Build a directory; students and contacts a row names appear by themselves, contacts with a mailbox."""
    school = {"id": "school", "name": "School", **(entities.pop("school", [{}])[0])}
    rows = entities.get("relationships", [])
    students = {row["id"]: row for row in entities.pop("students", [])}
    contacts = {row["id"]: row for row in entities.pop("contacts", [])}
    points = entities.pop("contact_points", None)
    for row in rows:
        students.setdefault(row["student"], {"id": row["student"]})
        contacts.setdefault(row["contact"], {"id": row["contact"]})
    if points is None:
        points = [email(contact) for contact in contacts]
    document = {
        "school": school,
        "students": list(students.values()),
        "contacts": list(contacts.values()),
        "contact_points": points,
        **entities,
    }
    return msgspec.convert(document, Directory)


def asked(category: str, at: str = AT, **fields: Any) -> Request:
    """Ask about everybody's `kid` unless told otherwise; person categories name `mum`."""
    if category in PERSON_CATEGORIES:
        fields.setdefault("contacts", ["mum"])
    if not {"students", "groups", "everyone"} & fields.keys():
        fields["students"] = ["kid"]
    return msgspec.convert({"category": category, "at": at, **fields}, Request)


def evaluation(category: str, at: str = AT, *, request: Row | None = None, **entities: list[Row]) -> Evaluation:
    """Evaluate a request to a small directory."""
    return evaluate(DirectoryIndex(directory(**entities)), asked(category, at, **(request or {})))


def answered(category: str, at: str = AT, *, request: Row | None = None, **entities: list[Row]) -> Answer:
    """Answer a request to a small directory."""
    return evaluation(category, at, request=request, **entities).answer


def fate(answer: Answer, contact: str = "mum", student: str = "kid") -> str:
    """Give a pair's outcome and rule, for instance `send R07`."""
    return next(f"{d.outcome} {d.rule}" for d in answer.decisions if (d.student, d.contact) == (student, contact))


def routes(answer: Answer, contact: str = "mum") -> list[str]:
    """List the points of a contact's only message in order; `point>carrier` where merged, empty without a message."""
    messages = [message for message in answer.messages if message.contact == contact]
    assert len(messages) <= 1
    return [
        delivery.point if delivery.merged_into is None else f"{delivery.point}>{delivery.merged_into}"
        for message in messages
        for delivery in message.deliveries
    ]
