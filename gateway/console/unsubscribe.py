"""The unsubscribe page: one click in the mail program (RFC 8058), or one button on this page (R21)."""

from dataclasses import dataclass

from aiohttp import web

from gateway.access import Link
from gateway.console.links import delivery_of, ended, read_form, shown
from gateway.console.pages import unsubscribe_page, unsubscribed_page
from gateway.content.phrases import Phrases
from gateway.content.policy import Look
from gateway.directory.model import Category, School
from gateway.directory.places import place_of
from gateway.dispatch.messages import formats_of
from gateway.dispatch.readers import Reader
from gateway.services import SERVICES
from gateway.store.sending import load_deliveries
from gateway.store.wishes import opt_out

_ORIGIN = "unsubscribe_link"


@dataclass(frozen=True, kw_only=True)
class _Subscription:
    """What a link can end: one category, for the people one mail went to."""

    reader: Reader
    school: School
    category: Category

    @property
    def people(self) -> list[str]:
        """Whose wish it is: the reader's alone, or a couple's who live together and read one mailbox (R21, R25)."""
        companions = () if self.reader.apart else self.reader.companions
        return [contact.id for contact in (self.reader.contact, *companions)]

    @property
    def look(self) -> Look:
        """How the reader needs text to look."""
        return Look.of(formats_of(self.reader.message))


async def get_unsubscribe(request: web.Request) -> web.Response:
    """Show a button; scanners follow links, so that asking alone changes nothing."""
    found = await _subscription(request)
    if found is None:
        return ended(request)
    return shown(unsubscribe_page(_phrases(request, found), found.school.name, found.look))


async def post_unsubscribe(request: web.Request) -> web.Response:
    """Record the wish and say so, as often as it is sent; anything but the agreed form only gets the question."""
    form = await read_form(request)
    found = await _subscription(request)
    if found is None:
        return ended(request)
    phrases = _phrases(request, found)
    if form.get("List-Unsubscribe") != "One-Click":
        return shown(unsubscribe_page(phrases, found.school.name, found.look), status=400)
    services = request.app[SERVICES]
    async with services.database.writing() as connection:
        await opt_out(connection, found.school.id, found.people, found.category, origin=_ORIGIN, at=services.now())
    return shown(unsubscribed_page(phrases, found.school.name, found.look))


async def _subscription(request: web.Request) -> _Subscription | None:
    """Find what the link can end; None for a link that is not ours or whose category nobody may refuse."""
    services, delivery = request.app[SERVICES], delivery_of(request, Link.UNSUBSCRIBE)
    if delivery is None:
        return None
    async with services.database.reading() as connection:
        row = (await load_deliveries(connection, [delivery])).get(delivery)
        if row is None:
            return None
        school, notifications, (reader,) = await services.renderer.load(connection, [row])
    if reader.point is None or place_of(school, reader.point) != row.place:
        return None  # who reads there now is not who the mail was for
    category = Category(notifications[row.notification].category)
    if not reader.unsubscribe:
        return None
    return _Subscription(reader=reader, school=school, category=category)


def _phrases(request: web.Request, found: _Subscription) -> Phrases:
    return request.app[SERVICES].renderer.phrases(found.reader.message.language, found.school.language)
