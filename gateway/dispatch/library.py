"""Which text a notification uses: built-in templates, the school's own, or free content."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.content.languages import canonical
from gateway.content.template import Source, Template, TemplateError, parse
from gateway.directory.model import ONE_LINE, Category
from gateway.dispatch.refusals import FieldProblem, unprocessable, unprocessable_fields
from gateway.dispatch.requests import FreeContent
from gateway.rules.placeholders import another_persons
from gateway.store.templates import find_versions


class TemplateDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A template in all its languages, and the categories it may be used for."""

    categories: tuple[Category, ...]
    sources: dict[str, Source]
    """By language; each source's own `language` is its key."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """The text of one notification, parsed in every language it exists in."""

    version: str
    sources: Mapping[str, Source]
    templates: Mapping[str, Template]


class Library:
    """Finds texts; the built-in ones are given, the school's own are on record."""

    def __init__(self, built_in: Mapping[str, TemplateDocument]) -> None:
        self._built_in = built_in

    def names(self) -> list[str]:
        """Name the built-in templates."""
        return sorted(self._built_in)

    def built_in(self, name: str) -> TemplateDocument | None:
        """Give a built-in template."""
        return self._built_in.get(name)

    async def find(self, connection: AsyncConnection, school: str, name: str, category: Category) -> Text:
        """Find the newest approved version; raises `Refused` when there is none or it is for another category."""
        versions = await find_versions(connection, school, name)
        approved = next((row for row in versions if row.status == "approved"), None)
        if approved is not None:
            document, version = msgspec.json.decode(approved.document, type=TemplateDocument), str(approved.version)
        elif name in self._built_in:
            # A draft of the school's own takes nothing away: an alert must be there while it waits.
            document, version = self._built_in[name], "built-in"
        elif versions:
            raise unprocessable("/template", "The template waits for its approval: have a second person approve it.")
        else:
            raise unprocessable("/template", "There is no template of this name: GET /v1/templates lists them.")
        if category not in document.categories:
            allowed = ", ".join(sorted(document.categories))
            raise unprocessable("/category", f"The template may be used for: {allowed}.")
        templates = {language: parse(source) for language, source in document.sources.items()}
        return Text(version=f"{name}@{version}", sources=document.sources, templates=templates)


def free_text(content: FreeContent) -> Text:
    """Read free content; raises `Refused` with the field and the line that is wrong."""
    try:
        language = canonical(content.language)
    except ValueError:
        raise unprocessable("/content/language", "Write the language in BCP 47, for instance pl or pt-BR.") from None
    source = Source(language=language, subject=content.subject, body=content.body)
    try:
        template = parse(source)
    except TemplateError as error:
        raise unprocessable("/content/body", str(error)) from None
    return Text(version="free", sources={language: source}, templates={language: template})


def check_document(document: TemplateDocument) -> None:
    """Refuse a template that cannot be parsed, whose languages ask for different values, or for others' data (R35)."""
    problems: list[FieldProblem] = []
    placeholders: dict[str, frozenset[str]] = {}
    spellings: dict[str, str] = {}
    if not document.sources:
        raise unprocessable("/sources", "A template needs its text in at least one language.")
    for language, source in document.sources.items():
        pointer = f"/sources/{language}"
        try:
            spelling = canonical(language)
            template = parse(source)
            placeholders[language] = template.placeholders
            spellings = {**template.spellings, **spellings}
        except ValueError as error:
            problems.append(FieldProblem(pointer=pointer, detail=str(error)))
            continue
        asking = another_persons(template.spellings.values())
        problems += [FieldProblem(pointer=pointer, detail=sentence) for sentence in asking]
        if not re.search(ONE_LINE, source.subject):
            detail = "The subject must be one line without control characters."
            problems.append(FieldProblem(pointer=f"{pointer}/subject", detail=detail))
        if not spelling == language == source.language:
            detail = f"Write the language as {spelling}, as the key and in `language`."
            problems.append(FieldProblem(pointer=pointer, detail=detail))
    every = frozenset[str]().union(*placeholders.values())
    for language, own in placeholders.items():
        if own != every:
            names = ", ".join(sorted(spellings[name] for name in every - own))
            detail = f"The text lacks placeholders that other languages have: {names}."
            problems.append(FieldProblem(pointer=f"/sources/{language}", detail=detail))
    if problems:
        raise unprocessable_fields(problems)
