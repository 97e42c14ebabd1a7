"""What a school may set for itself of the recipient rules (marked [set] there): to look at and to change."""

import msgspec
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import Scope
from gateway.api import examples
from gateway.api.answers import Body, Instant
from gateway.api.requests import PRINCIPAL, answer, read_body
from gateway.api.route import NO_DIRECTORY, Route
from gateway.dispatch.refusals import FieldProblem, Refused, unprocessable_fields
from gateway.rules.policy import Policy
from gateway.rules.policy_document import PolicyDocument, described, difference, merged
from gateway.rules.policy_faults import policy_faults
from gateway.services import SERVICES
from gateway.store.policies import find_settings, lock_school, save_settings


class SchoolPolicy(Body, frozen=True):
    """The settings that a school works by."""

    policy: PolicyDocument
    """All of them, as they apply."""
    differs: PolicyDocument
    """What the school has set otherwise than the defaults."""
    changed_by: str | None
    """The key that changed them last; null while all are the defaults."""
    changed_at: Instant | None


async def get_policy(request: web.Request) -> web.Response:
    """Show the school's settings as they apply, and what of them differs from the defaults."""
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    async with services.database.reading() as connection:
        return answer(await _shown(connection, principal.school, services.policy))


async def put_policy(request: web.Request) -> web.Response:
    """Set what is to differ from the defaults; what is left out is the default again.

    Whatever has not left by then is decided again under the new settings.
    """
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    wanted = await read_body(request, PolicyDocument)
    faults = policy_faults(wanted, services.policy)
    if faults:
        raise unprocessable_fields([FieldProblem(pointer=fault.pointer, detail=fault.sentence) for fault in faults])
    document = difference(merged(wanted, services.policy), services.policy)
    async with services.database.writing() as connection:
        if not await lock_school(connection, principal.school):
            raise Refused(409, "There is no directory yet: put one with PUT /v1/directory first.")
        before = await _shown(connection, principal.school, services.policy)
        if document != before.differs:
            await save_settings(
                connection, principal.school, document, before=before.differs, by=principal.key, at=services.now()
            )
        return answer(await _shown(connection, principal.school, services.policy))


async def _shown(connection: AsyncConnection, school: str, default: Policy) -> SchoolPolicy:
    row = await find_settings(connection, school)
    if row is None:
        return SchoolPolicy(policy=described(default), differs=PolicyDocument(), changed_by=None, changed_at=None)
    document = msgspec.json.decode(row.document, type=PolicyDocument)
    return SchoolPolicy(
        policy=described(merged(document, default)),
        differs=document,
        changed_by=row.changed_by,
        changed_at=row.changed_at,
    )


POLICY_ROUTES = (
    Route(
        method="GET",
        path="/v1/policy",
        serve=get_policy,
        summary="What the school has set for itself",
        tag="Policy",
        scopes=(Scope.READ,),
        answers={200: SchoolPolicy},
    ),
    Route(
        method="PUT",
        path="/v1/policy",
        serve=put_policy,
        summary="Set what differs from the defaults",
        tag="Policy",
        scopes=(Scope.ADMIN,),
        body=PolicyDocument,
        answers={200: SchoolPolicy},
        refusals={409: NO_DIRECTORY},
        examples=examples.POLICIES,
    ),
)
