"""R35: what a template says of people in its own words, looked for when it is saved: whoever reads it would learn it.

Names, numbers, mailboxes and postcodes of anybody in the directory are refused, by their place and never by their
value. The author may confirm that somebody else is meant, such as a head teacher who is called like a father; a second
person still has to approve the version. What belongs to a confidential contact point cannot be confirmed.
"""

import asyncio
from collections.abc import Iterator

from gateway.content.template import Source
from gateway.directory.addresses import country_of
from gateway.dispatch.library import TemplateDocument
from gateway.dispatch.refusals import FieldProblem, unprocessable_fields
from gateway.rules.disclosure import DirectorySearch, Disclosure, DisclosureKind
from gateway.store.database import Database
from gateway.store.people import load_school
from gateway.store.roster import load_everybody

_NOUNS = {
    DisclosureKind.NAME: "the name",
    DisclosureKind.NUMBER: "a telephone number",
    DisclosureKind.EMAIL: "an e-mail address",
    DisclosureKind.POSTCODE: "the postcode",
    DisclosureKind.ADDRESS: "the address",
}

_CONFIRM = "Take it out, or repeat the call with confirmed=true if it is not this contact's."
_TAKE_OUT = "Take it out: it is confidential."


async def check_people(database: Database, school: str, document: TemplateDocument, *, confirmed: bool) -> None:
    """Refuse a text that tells of a contact; `confirmed` lets pass what is not confidential. Raises `Refused`."""
    async with database.reading() as connection:
        known = await load_school(connection, school)
        if known is None:
            return
        contacts, points = await load_everybody(connection, school)

    def look() -> list[FieldProblem]:
        search = DirectorySearch(contacts, points, country_of(known[0].jurisdiction))
        return list(_problems(document, search, confirmed=confirmed))

    problems = await asyncio.to_thread(look)  # tens of milliseconds for a school of a thousand contacts
    if problems:
        raise unprocessable_fields(problems)


def _problems(document: TemplateDocument, search: DirectorySearch, *, confirmed: bool) -> Iterator[FieldProblem]:
    for language, source in document.sources.items():
        for part, text in _parts(source):
            for line, disclosure in _places(text, search):
                if disclosure.confidential or not confirmed:
                    yield FieldProblem(pointer=f"/sources/{language}/{part}", detail=_sentence(line, disclosure))


def _parts(source: Source) -> Iterator[tuple[str, str]]:
    yield from (("subject", source.subject), ("body", source.body), ("short", source.short or ""))


def _places(text: str, search: DirectorySearch) -> Iterator[tuple[int | None, Disclosure]]:
    """Find where a text tells of people: line by line, and then what runs over the end of a line."""
    everywhere = search.find(text)
    if not everywhere:
        return
    found = set()
    for number, line in enumerate(text.splitlines(), start=1):
        for disclosure in search.find(line):
            found.add(disclosure)
            yield number, disclosure
    yield from ((None, disclosure) for disclosure in everywhere if disclosure not in found)


def _sentence(line: int | None, disclosure: Disclosure) -> str:
    where = "The text" if line is None else f"Line {line}"
    advice = _TAKE_OUT if disclosure.confidential else _CONFIRM
    return f"{where} has {_NOUNS[disclosure.kind]} of a contact in the directory (R35). {advice}"
