"""What staff need to telephone somebody or to hand over a letter: the script, and the letter itself."""

from aiohttp import web

from channels.base import Call, Sheet
from gateway.access import Scope
from gateway.api.answers import Body, Instant
from gateway.api.requests import PRINCIPAL, answer
from gateway.api.route import Parameter, Route
from gateway.directory.model import ChannelName, Contact, Student
from gateway.dispatch.hand_reports import OUTCOMES
from gateway.dispatch.refusals import Refused, unprocessable
from gateway.dispatch.scripts import Script
from gateway.services import SERVICES

_LONGEST_REASON = 200

CONFIDENTIALITY = (
    "First make sure whom you speak to: let them say the student's full name and date of birth. Tell nobody else "
    "anything: ask others, and a machine, only for a call back to the school, without the student's name or the matter."
)
"""What the caller has to keep to (Q34)."""


class Person(Body, frozen=True):
    """Somebody whom the message is for or about."""

    id: str
    name: str


class ScriptEntry(Body, frozen=True):
    """How to bring one message, written at this moment."""

    task: str
    kind: str
    contact: Person
    """Whom to ask for."""
    others: tuple[Person, ...]
    """Who may hear it with them: one joint household."""
    students: tuple[Person, ...]
    channel: ChannelName
    masked: bool
    """Whether number or address are hidden, as no reason was given."""
    number: str | None
    """To telephone; null for a letter."""
    address: tuple[str, ...] | None
    """Line by line; null for a call."""
    language: str
    """The contact's, in which `speech` or the letter is written."""
    speech: str | None
    """What to say; null for a letter."""
    voicemail: str | None
    """What may be said to a machine; null where nothing is prepared."""
    school_language: str
    school_language_speech: str | None
    """The same for the caller; null where the text does not exist in it."""
    letter: str | None
    """Where the letter is; null for a call."""
    confidentiality: str
    outcomes: tuple[str, ...]
    """What can be reported of it."""
    expires_at: Instant | None


async def get_script(request: web.Request) -> web.Response:
    """Show how to bring a message, checked as before sending; number or address only for a reason."""
    desk, principal = request.app[SERVICES].scripts, request[PRINCIPAL]
    reason = _reason(request)
    script = await desk.script(principal, _task(request), reason=reason)
    return answer(_entry(script, shown=reason is not None), headers=_PRIVATE)


async def get_letter(request: web.Request) -> web.Response:
    """Typeset the letter as it is to be handed over now."""
    desk, principal = request.app[SERVICES].scripts, request[PRINCIPAL]
    pdf = await desk.letter(principal, _task(request), reason=_reason(request) or "To hand the letter over.")
    return web.Response(body=pdf, content_type="application/pdf", headers=_PRIVATE)


_PRIVATE = {"Cache-Control": "no-store"}
"""Nothing of it stays in a browser."""


def _task(request: web.Request) -> str:
    task = request.match_info["id"]
    if "\0" in task:
        raise Refused(404, "There is no call and no hand delivery with this id.")
    return task


def _reason(request: web.Request) -> str | None:
    reason = request.query.get("reason")
    if reason is None:
        return None
    if not reason.strip() or len(reason) > _LONGEST_REASON or not reason.isprintable():
        raise unprocessable("reason", f"reason is one line of up to {_LONGEST_REASON} characters, and names nobody.")
    return reason.strip()


def _entry(script: Script, *, shown: bool) -> ScriptEntry:
    task, row, payload = script.task, script.row, script.payload
    call = payload if isinstance(payload, Call) else None
    sheet = payload if isinstance(payload, Sheet) else None
    reader = script.reader
    return ScriptEntry(
        task=task.id,
        kind=task.kind,
        contact=_person(reader.contact),
        others=() if reader.apart else tuple(map(_person, reader.companions)),
        students=tuple(map(_person, reader.students)),
        channel=ChannelName(row.channel),
        masked=not shown,
        number=None if call is None else call.recipient if shown else row.address,
        address=None if sheet is None else sheet.address if shown else (row.address,),
        language=script.language,
        speech=script.speech,
        voicemail=(call.voicemail or None) if call else None,
        school_language=script.school.language,
        school_language_speech=script.for_caller,
        letter=f"/v1/tasks/{task.id}/letter" if sheet else None,
        confidentiality=CONFIDENTIALITY,
        outcomes=tuple(OUTCOMES[task.kind]),
        expires_at=row.expires_at,
    )


def _person(person: Contact | Student) -> Person:
    title = person.title if isinstance(person, Contact) else ""
    parts = (title, person.given_name, person.family_name)
    return Person(id=person.id, name=" ".join(part for part in parts if part))


_WITHDRAWN = {
    404: "There is no call and no hand delivery with this id.",
    409: "It is done, or not to be told to this contact any more: the task has gone.",
}


scopes = (Scope.ALERTS, Scope.SEND)
SCRIPT_ROUTES = (
    Route(
        method="GET",
        path="/v1/tasks/{id}/script",
        serve=get_script,
        summary="How to telephone somebody, or hand a letter over",
        tag="Tasks",
        scopes=scopes,
        parameters=(
            Parameter(
                name="reason",
                place="query",
                detail="Why you need the number or address; it is shown for a reason only, and that is logged.",
            ),
        ),
        answers={200: ScriptEntry},
        refusals=_WITHDRAWN,
    ),
    Route(
        method="GET",
        path="/v1/tasks/{id}/letter",
        serve=get_letter,
        summary="The letter to hand over, as PDF",
        tag="Tasks",
        scopes=scopes,
        parameters=(
            Parameter(name="reason", place="query", detail="Why you need the address; logged as for the script."),
        ),
        answers={200: bytes},
        media="application/pdf",
        refusals=_WITHDRAWN,
    ),
)
