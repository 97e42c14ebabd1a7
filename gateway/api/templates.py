"""Templates: what there is to choose from, and the school's own, which a second person approves."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web
from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from gateway.access import Scope
from gateway.api import examples
from gateway.api.answers import TemplateDetail, Templates, TemplateSummary, TemplateVersion, entry
from gateway.api.requests import PRINCIPAL, answer, flag, read_body
from gateway.api.route import NO_DIRECTORY, Parameter, Route
from gateway.content.template import parse
from gateway.content.values import missing
from gateway.dispatch.library import TemplateDocument, check_document
from gateway.dispatch.refusals import Refused, unprocessable
from gateway.dispatch.template_check import check_people
from gateway.services import SERVICES
from gateway.store.templates import add_version, all_versions, approve_version, find_versions

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


async def get_templates(request: web.Request) -> web.Response:
    """List the built-in templates and the school's own, by name."""
    services = request.app[SERVICES]
    async with services.database.reading() as connection:
        own = await all_versions(connection, request[PRINCIPAL].school)
    names = sorted({*services.library.names(), *own})
    details = (_detail(name, own.get(name, []), services.library.built_in(name)) for name in names)
    return answer(Templates(items=tuple(entry(TemplateSummary, detail) for detail in details)))


async def get_template(request: web.Request) -> web.Response:
    """Give one template with its text: the version asked for, else the one in use, else the newest draft."""
    services, name = request.app[SERVICES], request.match_info["name"]
    async with services.database.reading() as connection:
        versions = await find_versions(connection, request[PRINCIPAL].school, name)
    built_in = services.library.built_in(name)
    if not versions and built_in is None:
        raise Refused(404, "There is no template of this name: GET /v1/templates lists them.")
    asked = request.query.get("version")
    return answer(_detail(name, versions, built_in, _number(versions, asked) if asked is not None else None))


async def put_template(request: web.Request) -> web.Response:
    """Add a version that waits for its approval; the newest one put again stays as it is."""
    services, principal, name = request.app[SERVICES], request[PRINCIPAL], request.match_info["name"]
    if not _NAME.fullmatch(name):
        raise unprocessable("name", "A template's name has small letters, digits, _ and -, at most 100 of them.")
    if not principal.school:
        raise Refused(409, "There is no directory yet: put one with PUT /v1/directory first.")
    document = await read_body(request, TemplateDocument)
    if not document.categories:
        raise unprocessable("/categories", "Name at least one category that the template may be used for.")
    check_document(document)
    await check_people(services.database, principal.school, document, confirmed=flag(request, "confirmed"))
    text = msgspec.json.encode(document, order="deterministic").decode()
    try:
        async with services.database.writing() as connection:
            before = await find_versions(connection, principal.school, name)
            is_new = not before or before[0].document != text
            if is_new:
                version = before[0].version + 1 if before else 1
                await add_version(
                    connection,
                    principal.school,
                    name,
                    version=version,
                    document=text,
                    author=principal.key,
                    at=services.now(),
                )
            versions = await find_versions(connection, principal.school, name)
    except IntegrityError:
        raise Refused(409, "Somebody else changed this template at this moment: look at it and try again.") from None
    detail = _detail(name, versions, services.library.built_in(name), versions[0].version)
    return answer(detail, status=201 if is_new else 200)


async def approve_template(request: web.Request) -> web.Response:
    """Let a version be used; its author cannot do it, and doing it twice changes nothing."""
    services, principal, name = request.app[SERVICES], request[PRINCIPAL], request.match_info["name"]
    async with services.database.writing() as connection:
        versions = await find_versions(connection, principal.school, name)
        version = _number(versions, request.match_info["version"])
        if not await approve_version(connection, principal.school, name, version, approver=principal.key):
            _check_not_own_draft(versions, version)
        versions = await find_versions(connection, principal.school, name)
    return answer(_detail(name, versions, services.library.built_in(name), version))


def _number(versions: Sequence[Row[Any]], text: str) -> int:
    """Read a version's number; raises `Refused` when the school has no such version."""
    numbers = {str(row.version): row.version for row in versions}
    if text not in numbers:
        raise Refused(404, "There is no such version of this template among the school's own.")
    return int(numbers[text])


def _check_not_own_draft(versions: Sequence[Row[Any]], version: int) -> None:
    """Tell the author of a draft from somebody who approves what is approved already."""
    if any(row.version == version and row.status == "draft" for row in versions):
        raise Refused(409, "Whoever wrote a version cannot approve it: have a second person do it with their own key.")


def _detail(
    name: str, versions: Sequence[Row[Any]], built_in: TemplateDocument | None, version: int | None = None
) -> TemplateDetail:
    """Describe a template by one of its versions: by the one in use unless another is asked for."""
    approved = next((row for row in versions if row.status == "approved"), None)
    row = next((row for row in versions if row.version == version), approved or next(iter(versions), None))
    document = msgspec.json.decode(row.document, type=TemplateDocument) if row is not None else built_in
    assert document is not None  # noqa: S101  # the callers have found a version or a built-in one
    texts = [parse(source) for source in document.sources.values()]
    return TemplateDetail(
        name=name,
        built_in=built_in is not None,
        usable=approved is not None or built_in is not None,
        shown=row.version if row is not None else None,
        categories=document.categories,
        languages=tuple(sorted(document.sources)),
        placeholders=tuple(sorted({placeholder for text in texts for placeholder in missing(text, {})})),
        versions=tuple(entry(TemplateVersion, row) for row in versions),
        document=document,
    )


_NO_TEMPLATE = {404: "There is no such template or version."}

TEMPLATE_ROUTES = (
    Route(
        method="GET",
        path="/v1/templates",
        serve=get_templates,
        summary="What templates there are",
        tag="Templates",
        scopes=(Scope.READ, Scope.SEND, Scope.ALERTS),
        answers={200: Templates},
    ),
    Route(
        method="GET",
        path="/v1/templates/{name}",
        serve=get_template,
        summary="One template with its text",
        tag="Templates",
        scopes=(Scope.READ, Scope.SEND, Scope.ALERTS),
        parameters=(Parameter(name="version", place="query", detail="Which of the school's own versions.", type=int),),
        answers={200: TemplateDetail},
        refusals=_NO_TEMPLATE,
    ),
    Route(
        method="PUT",
        path="/v1/templates/{name}",
        serve=put_template,
        summary="Write a new version",
        tag="Templates",
        scopes=(Scope.ADMIN,),
        body=TemplateDocument,
        parameters=(
            Parameter(
                name="confirmed",
                place="query",
                detail="That whoever the text seems to name is not the contact of that name.",
                type=bool,
                default=False,
            ),
        ),
        answers={201: TemplateDetail, 200: TemplateDetail},
        refusals={409: f"{NO_DIRECTORY[:-1]}, or somebody else changed the template at this moment."},
        examples=examples.TEMPLATES,
    ),
    Route(
        method="POST",
        path="/v1/templates/{name}/versions/{version}/approve",
        serve=approve_template,
        summary="Approve a version",
        tag="Templates",
        scopes=(Scope.ADMIN,),
        answers={200: TemplateDetail},
        refusals={**_NO_TEMPLATE, 409: "Whoever wrote the version cannot approve it."},
    ),
)
