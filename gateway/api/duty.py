"""The duty roster over HTTP: who is paged when a life-safety hold waits (R45)."""

from aiohttp import web

from gateway.access import Scope
from gateway.api.answers import Body
from gateway.api.requests import PRINCIPAL, answer, read_body
from gateway.api.route import Route
from gateway.dispatch.duty import DutyContact, DutyDesk, DutyRoster, roster_warnings, with_masked_points
from gateway.services import SERVICES


class Duty(Body, frozen=True):
    """Who is on duty, and what the roster lacks."""

    people: tuple[DutyContact, ...]
    warnings: tuple[str, ...]


async def get_duty(request: web.Request) -> web.Response:
    """Show who is on duty; without the scope `admin` with masked addresses."""
    principal = request[PRINCIPAL]
    roster = await _desk(request).read(principal.school)
    return answer(_duty(roster if principal.may(Scope.ADMIN) else with_masked_points(roster)))


async def put_duty(request: web.Request) -> web.Response:
    """Put a roster in place of the one before."""
    wanted = await read_body(request, DutyRoster)
    return answer(_duty(await _desk(request).replace(request[PRINCIPAL], wanted)))


def _desk(request: web.Request) -> DutyDesk:
    services = request.app[SERVICES]
    return DutyDesk(services.database, now=services.now)


def _duty(roster: DutyRoster) -> Duty:
    return Duty(people=roster.people, warnings=roster_warnings(roster))


_EXAMPLE = {
    "people": [
        {
            "id": "lead",
            "role": "safeguarding",
            "name": "Robin Reed",
            "language": "en",
            "points": [
                {"channel": "sms", "address": "07700 900123"},
                {"channel": "voice", "address": "07700 900123"},
                {"channel": "email", "address": "lead@example.org"},
            ],
        },
    ]
}

DUTY_ROUTES = (
    Route(
        method="GET",
        path="/v1/duty",
        serve=get_duty,
        summary="Who is paged",
        tag="Tasks",
        scopes=(Scope.READ,),
        answers={200: Duty},
    ),
    Route(
        method="PUT",
        path="/v1/duty",
        serve=put_duty,
        summary="Say who is paged",
        tag="Tasks",
        scopes=(Scope.ADMIN,),
        body=DutyRoster,
        answers={200: Duty},
        refusals={409: "There is no directory yet."},
        examples={"A safeguarding lead": _EXAMPLE},
    ),
)
