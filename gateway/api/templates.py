"""Templates: what there is to choose from, and the school's own, which a second person approves."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.access import Principal
from gateway.api.answers import Templates, TemplateDetail, TemplateSummary, TemplateVersion, entry
from gateway.api.requests import PRINCIPAL, answer, read_body
from gateway.api.services import SERVICES
from gateway.content.template import parse
from gateway.content.values import missing
from gateway.dispatch.library import TemplateDocument, check_document
from gateway.dispatch.refusals import Refused, unprocessable
from gateway.store.templates import (
    add_version,
    approve_version,
    find_versions,
    latest_version,
    list_versions,
)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


async def get_templates(request: web.Request) -> web.Response:
    """List the built-in templates and the school's own, by name."""
    services = request.app[SERVICES]
    async with services.database.reading() as connection:
        rows = await list_versions(connection, request[PRINCIPAL].school)
    own: dict[str, list[Any]] = {}
    for row in rows:
        own.setdefault(row.name, []).append(row)
    names = sorted({*services.library.names(), *own})
    details = [_detail(name, own.get(name, []), services.library.built_in(name)) for name in names]
    return answer(Templates(items=tuple(entry(TemplateSummary, detail) for detail in details)))


async def get_template(request: web.Request) -> web.Response:
    """Give one template with its text: the newest version, or the built-in one."""
    services, name = request.app[SERVICES], request.match_info["name"]
    async with services.database.reading() as connection:
        versions = await find_versions(connection, request[PRINCIPAL].school, name)
    built_in = services.library.built_in(name)
    if not versions and built_in is None:
        raise Refused(404, "There is no template of this name: GET /v1/templates lists them.")
    return answer(_detail(name, versions, built_in))


async def put_template(request: web.Request) -> web.Response:
    """Add a version that waits for its approval; the newest version put again stays the one it is."""
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    name = request.match_info["name"]
    if not _NAME.fullmatch(name):
        raise unprocessable("name", "A template's name has small letters, digits, _ and -, at most 100 of them.")
    _check_school(principal)
    document = await read_body(request, TemplateDocument)
    if not document.categories:
        raise unprocessable("/categories", "Name at least one category that the template may be used for.")
    check_document(document)
    text = msgspec.json.encode(document, order="deterministic").decode()
    try:
        async with services.database.writing() as connection:
            added = await _add_unless_newest(connection, principal, name, text, services.now())
            versions = await find_versions(connection, principal.school, name)
    except IntegrityError:
        raise Refused(409, "Somebody else changed this template at the same moment: look at it and try again.") from None
    return answer(_detail(name, versions, services.library.built_in(name)), status=201 if added else 200)


async def approve_template(request: web.Request) -> web.Response:
    """Let a version be used; its author cannot do it, and doing it twice changes nothing."""
    services, principal = request.app[SERVICES], request[PRINCIPAL]
    name, number = request.match_info["name"], request.match_info["version"]
    async with services.database.writing() as connection:
        versions = await find_versions(connection, principal.school, name)
        wanted = next((row for row in versions if _NUMBER.fullmatch(number) and row.version == int(number)), None)
        if wanted is None:
            raise Refused(404, "There is no such version of a template of the school's own.")
        if wanted.status == "draft":
            if wanted.author == principal.key:
                raise Refused(409, "Whoever wrote a version cannot approve it: have a second person do it with their key.")
            await approve_version(connection, principal.school, name, wanted.version, approver=principal.key)
            versions = await find_versions(connection, principal.school, name)
    return answer(_detail(name, versions, services.library.built_in(name)))


def _check_school(principal: Principal) -> None:
    if not principal.school:
        raise Refused(409, "There is no directory yet: put one with PUT /v1/directory first.")
