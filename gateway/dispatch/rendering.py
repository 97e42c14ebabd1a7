"""Rendering: from a claimed delivery to the envelope that its provider takes.

What all readers of one language, look and neutrality share is prepared once and kept; per reader only names,
links and own values are filled in.
"""

import datetime as dt
import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from babel import Locale
from babel.dates import format_date
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Call, Envelope, Mail, Payload, Sheet, Text
from channels.email_mime import Attached, PreparedMail, UnsafeHeaderError, Values, encoded_files
from channels.letter_address import check_address
from channels.sms_segments import count
from gateway.access import Link
from gateway.content.catalogues import Catalogues
from gateway.content.frame import bare_notice
from gateway.content.languages import LAST_RESORT, direction, locale_of
from gateway.content.phrases import Phrases
from gateway.content.policy import Look
from gateway.content.policy import Policy as ContentPolicy
from gateway.content.prepared import Prepared, prepare
from gateway.content.reader import LINK, UNSUBSCRIBE, Personal, SchoolFacts
from gateway.content.template import Source, Template, parse
from gateway.content.values import combine, joined_names, shared
from gateway.directory.addresses import address_key, country_of
from gateway.directory.contact_details import text_fault
from gateway.directory.model import Category, ChannelName, Contact, ContactPoint, PostalAddress, School, Student
from gateway.dispatch.messages import formats_of, students_of
from gateway.dispatch.requests import Lane, NotificationRequest, travels_along
from gateway.rules.categories import CATEGORIES, LIFE_SAFETY
from gateway.rules.policy import Policy
from gateway.rules.postage import Postbag, travel
from gateway.rules.quiet_hours import may_disturb_at
from gateway.rules.replies import takes_replies
from gateway.store.attachments import load_attachments
from gateway.store.policies import load_governed
from gateway.store.rendering import load_addressees, load_students
from gateway.store.sending import load_notifications

_log = logging.getLogger(__name__)

_CARRIED = 8
"""Notifications whose files are kept in memory, and mails prepared with them: some megabytes each."""

_PORTION = 50_000_000
"""Bytes of mails that are written at once: with files two hundred would be a gigabyte, for each worker."""

_KEPT = 500
"""Prepared texts kept in memory: one a notification in work, language and look."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderingError:
    """Why a delivery cannot be made into an envelope; its next contact point is tried."""

    code: str
    explanation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Quiet:
    """A delivery that would disturb its readers now (R32)."""

    until: dt.datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """The whole text of a message, for its reader's secure page."""

    title: str
    language: str
    """Of title and text; the page around them speaks the reader's."""
    html: str
    """Safe to put into a page of ours."""


@dataclass(frozen=True, kw_only=True)
class Sending:
    """How the installation presents itself."""

    mail_from: str
    """The address in `From`."""
    public_url: str
    sign: Callable[[Link, str], str]
    """Signs a delivery's id for its document link."""
    reply_address: Callable[[str], str] | None = None
    """Gives a delivery the address for answers to it (R40); None where `From` takes them."""
    bounce_address: Callable[[str], str] | None = None
    """Gives a delivery the return path of its mail, so that a bounce tells what came back; None where it is `From`."""
    text_countries: frozenset[str] = frozenset()
    """Where texts may go, by ISO 3166 code; empty means everywhere."""
    return_address: tuple[str, ...] = ()
    """Of letters, below the school's name."""
    postbag: Postbag = field(default_factory=Postbag)


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """What all deliveries of one notification and look have in common."""

    prepared: Prepared
    mail: PreparedMail
    request: NotificationRequest
    category: Category
    country: str
    """The school's."""
    locale: Locale
    """Of the text: how it joins names and writes dates."""
    stranger: str
    """How a reader is greeted whose name must not be told (R26)."""


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What a notification with files brings along."""

    request: NotificationRequest
    in_mail: int = 0
    """How many files every mail carries."""
    written: bytes = b""
    """These, as they stand in a mail."""


def may_carry_files(notification: Any) -> bool:
    """Tell at a glance whether a notification can carry files: few do, and reading all of its request takes time."""
    return 'attachments":' in notification.request


def files_of(reader: "Reader") -> list[str]:
    """List the files that a reader may have from the secure page, by id."""
    if reader.row.bare or reader.carried is None:
        return []
    return reader.carried.request.files_for(student.id for student in reader.students)


class Renderer:
    """Makes envelopes for batches of deliveries."""

    def __init__(
        self,
        catalogues: Catalogues,
        sending: Sending,
        *,
        now: Callable[[], dt.datetime],
        policy: Policy,
        real_postcodes: bool = True,
    ) -> None:
        self._catalogues = catalogues
        self._sending = sending
        self._host = sending.mail_from.rpartition("@")[2]
        self._now = now
        self._policy = policy
        self._real_postcodes = real_postcodes
        self._kept: OrderedDict[tuple[Any, ...], _Shared] = OrderedDict()
        self._carried: OrderedDict[str, Carried] = OrderedDict()

    async def render(self, connection: AsyncConnection, rows: Sequence[Any]) -> dict[str, Envelope | RenderingError]:
        """Render deliveries by id; loads what they need in a handful of queries."""
        rendered = await self._render(connection, rows)
        return {key: made for key, made in rendered.items() if not isinstance(made, Quiet)}

    async def _render(
        self, connection: AsyncConnection, rows: Sequence[Any], *, most: float = math.inf, leaving: bool = False
    ) -> dict[str, Envelope | RenderingError | Quiet]:
        """Render deliveries; when mails have come to `most` bytes the rest is left out."""
        if not rows:
            return {}
        school, notifications, readers = await self.load(connection, rows)
        now = self._now()
        rendered: dict[str, Envelope | RenderingError | Quiet] = {}
        weight = 0
        for reader in readers:
            until = _quiet_until(reader, school, now) if leaving and reader.quiet is not None else None
            if until is not None:
                rendered[reader.row.id] = Quiet(until=until)
                continue
            made = rendered[reader.row.id] = self._envelope(school, notifications[reader.row.notification], reader, now)
            if isinstance(made, Envelope) and isinstance(made.payload, Mail):
                weight += len(made.payload.content)
                if weight >= most:
                    break
        return rendered

    async def render_portion(
        self, connection: AsyncConnection, rows: Sequence[Any]
    ) -> dict[str, Envelope | RenderingError | Quiet]:
        """Render what is to leave now: as many of these deliveries, at least one, as memory should hold at once.

        What became due in its readers' quiet hours, as a retry or as the next route, is not rendered.
        """
        return await self._render(connection, rows, most=_PORTION, leaving=True)

    async def load(
        self, connection: AsyncConnection, rows: Sequence[Any]
    ) -> tuple[School, dict[str, Any], list["Reader"]]:
        """Load what deliveries of one school are about: the school, the notifications by id, the readers."""
        known = await load_governed(connection, rows[0].school, self._policy)
        if known is None:
            raise LookupError("a delivery's school has left the directory")
        school, _version, policy = known
        notifications = await load_notifications(connection, list({row.notification for row in rows}))
        carried = await self._load_files(connection, notifications.values())
        unsubscribing = {
            key: policy.categories[Category(notification.category)].unsubscribe
            for key, notification in notifications.items()
        }
        disturbing = {
            key: policy.categories[Category(notification.category)].quiet_hours
            for key, notification in notifications.items()
        }
        addressees = await load_addressees(connection, [row.id for row in rows])
        about = {key: students_of(addressee.message) for key, addressee in addressees.items()}
        students = await load_students(connection, school.id, set(chain.from_iterable(about.values())))
        readers = [
            Reader(
                row=row,
                message=(addressee := addressees[row.id]).message,
                contact=addressee.contact,
                companions=addressee.companions,
                apart=addressee.apart,
                students=tuple([students[student] for student in about[row.id]]),
                point=addressee.point,
                unsubscribe=unsubscribing[row.notification],
                carried=carried.get(row.notification),
                quiet=policy.quiet_hours
                if disturbing[row.notification] and row.channel != ChannelName.LETTER
                else None,
            )
            for row in rows
        ]
        return school, notifications, readers

    def _envelope(
        self, school: School, notification: Any, reader: "Reader", now: dt.datetime
    ) -> Envelope | RenderingError:
        if reader.point is None:
            return RenderingError(code="point_gone", explanation="The contact point has left the directory.")
        try:
            common = self._common(school, notification, reader)
            payload = self._payload(school, common, reader, reader.point, now)
        except UnsafeHeaderError:
            return RenderingError(
                code="unsafe_header", explanation="The address or a name holds signs that a mail must not carry."
            )
        except Exception:  # noqa: BLE001  # one unreadable delivery must not hold up its batch
            _log.exception("rendering_failed", extra={"delivery": reader.row.id})
            return RenderingError(code="rendering_failed", explanation="The message could not be written out.")
        if isinstance(payload, RenderingError):
            return payload
        return Envelope(
            delivery=reader.row.id,
            payload=payload,
            expires_at=reader.row.expires_at,
            urgent=reader.row.lane == Lane.EMERGENCY,
        )

    def write(self, school: School, notification: Any, reader: "Reader") -> Envelope | RenderingError:
        """Write one delivery whose people are loaded, as it would be handed over now."""
        return self._envelope(school, notification, reader, self._now())

    def spoken(self, school: School, notification: Any, reader: "Reader") -> tuple[str, str]:
        """Write what somebody reads out who has made sure whom they speak to: the whole text, with its language."""
        common = self._prepare(school, notification, reader, in_full=True)
        return common.prepared.fill_speech(self._personal(common, reader)), common.prepared.speech_language

    def written(self, school: School, notification: Any, reader: "Reader") -> Envelope | RenderingError:
        """Write what one reader would be sent now, for forecasts."""
        return self._envelope(school, notification, reader, self._now())

    def document(self, school: School, notification: Any, reader: "Reader") -> Document:
        """Write the whole text for the reader's secure page."""
        common = self._common(school, notification, reader)
        prepared, personal = common.prepared, self._personal(common, reader)
        subject, _ = prepared.fill_letter(personal)
        return Document(title=subject, language=prepared.text_language, html=prepared.fill_page(personal))

    def text_number(self, point: ContactPoint, country: str) -> str | RenderingError:
        """Give the number that a text goes to, or why none can; `country` is the school's."""
        number = address_key(point.channel, point.address, country)
        fault = text_fault(number, self._sending.text_countries)
        return number if fault is None else RenderingError(code=fault.code, explanation=fault.value)

    def phrases(self, language: str, school_language: str = LAST_RESORT) -> Phrases:
        """Give the fixed sentences in the language nearest to the one wanted."""
        return self._catalogues.phrases(language, school_language)

    async def _load_files(self, connection: AsyncConnection, notifications: Iterable[Any]) -> dict[str, Carried]:
        """Load what notifications that carry any files bring along, by id; what travels in mails with its content."""
        found = {}
        for row in notifications:
            if may_carry_files(row):
                found[row.id] = self._carried.get(row.id) or await _load_carried(connection, row)
                self._keep(row.id, found[row.id])
        return found

    def _keep(self, notification: str, carried: Carried) -> None:
        """Remember the files of the notifications used last; with others go the mails that hold theirs."""
        self._carried[notification] = carried
        self._carried.move_to_end(notification)
        while len(self._carried) > _CARRIED:
            forgotten, _ = self._carried.popitem(last=False)
            for key in [key for key in self._kept if key[0] == forgotten]:
                del self._kept[key]

    def _common(self, school: School, notification: Any, reader: "Reader") -> _Shared:
        row, message = reader.row, reader.message
        look = (message.language, message.formats, row.neutral, row.bare, reader.unsubscribe, _files(reader))
        key = (row.notification, row.language, look)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._prepare(school, notification, reader)
            if reader.carried is None or row.notification in self._carried:
                self._kept[key] = kept
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return kept

    def _prepare(self, school: School, notification: Any, reader: "Reader", *, in_full: bool = False) -> _Shared:
        request = msgspec.json.decode(notification.request, type=NotificationRequest)
        sources = msgspec.json.decode(notification.sources, type=dict[str, Source])
        category = Category(notification.category)
        country = country_of(school.jurisdiction)
        files, files_in_mail = _files(reader)
        prepared = prepare(
            self._notice(reader, school) if reader.row.bare else parse(sources[reader.row.language]),
            policy=ContentPolicy(
                sensitivity=CATEGORIES[category].sensitivity,
                in_full=in_full or category in LIFE_SAFETY or category is Category.ATTENDANCE,
                unsubscribe=reader.unsubscribe,
                answerable=category is Category.CONSENT,
                files=files,
                files_in_mail=files_in_mail,
                bare=reader.row.bare,
            ),
            reader_language=reader.message.language,
            catalogues=self._catalogues,
            school=SchoolFacts(
                name=school.name,
                zone=school.timezone,
                territory=country,
                language=school.language,
            ),
            values=shared(request.values, request.student_values),
            look=Look.of(formats_of(reader.message)),
            neutral=reader.row.neutral,
        )
        mail = PreparedMail.prepare(
            sender=(school.name, self._sending.mail_from),
            language=prepared.email_language,
            subject=prepared.subject,
            plain=prepared.plain,
            html=prepared.html,
            files=reader.carried.written if reader.carried is not None and files else b"",
        )
        return _Shared(
            prepared=prepared,
            mail=mail,
            request=request,
            category=category,
            country=country,
            locale=locale_of(prepared.text_language, country),
            stranger=self._catalogues.phrases(prepared.text_language, school.language).parent_or_carer(),
        )

    def _notice(self, reader: "Reader", school: School) -> Template:
        """Say only that there is a message, in place of a text that somebody has to look at first (R45)."""
        return bare_notice(self._catalogues.phrases(reader.message.language, school.language))

    def _payload(
        self, school: School, common: _Shared, reader: "Reader", point: ContactPoint, now: dt.datetime
    ) -> Payload | RenderingError:
        if point.channel is ChannelName.EMAIL:
            return self._mail(common, reader, point, now)
        prepared, personal = common.prepared, self._personal(common, reader)
        match point.channel:
            case ChannelName.SMS:
                return self._text(common, point, personal)
            case ChannelName.VOICE:
                number = address_key(point.channel, point.address, common.country)
                words = prepared.call_words
                return Call(
                    recipient=number,
                    speech=prepared.fill_speech(personal),
                    language=prepared.speech_language,
                    voicemail=words.voicemail,
                    invitation=words.invitation,
                    keys=words.keys,
                    thanks=words.thanks,
                )
            case ChannelName.LETTER:
                return self._sheet(school, common, reader, point, personal, now)

    def _text(self, common: _Shared, point: ContactPoint, personal: Personal) -> Text | RenderingError:
        number = self.text_number(point, common.country)
        if isinstance(number, RenderingError):
            return number
        body = common.prepared.fill_text(personal)
        language = common.prepared.text_language
        return Text(recipient=number, body=body, segments=count(body).segments, language=language)

    def _mail(self, common: _Shared, reader: "Reader", point: ContactPoint, now: dt.datetime) -> Mail:
        address = str(point.address).strip()
        message_id = f"<{reader.row.id}@{self._host}>"
        personal = self._personal(common, reader, linked=common.prepared.mail_holes.names)
        words = common.prepared.fill_email(personal)
        content = common.mail.build(
            to_name=words.to_name,
            to_address=address,
            message_id=message_id,
            date=now,
            reply_to=self._reply_to(reader),
            values=Values(words.subject, words.plain, words.html),
            list_unsubscribe=personal.unsubscribe_link if reader.unsubscribe else None,
        )
        return_path = self._sending.bounce_address
        sender = return_path(reader.row.id) if return_path is not None else self._sending.mail_from
        return Mail(sender=sender, recipient=address, message_id=message_id, content=content)

    def _reply_to(self, reader: "Reader") -> str | None:
        """Give the address for answers of this reader alone."""
        address = self._sending.reply_address
        if address is None or not takes_replies(neutral=reader.row.neutral, apart=reader.apart):
            return None
        return address(reader.row.id)

    def _sheet(
        self,
        school: School,
        common: _Shared,
        reader: "Reader",
        point: ContactPoint,
        personal: Personal,
        now: dt.datetime,
    ) -> Sheet | RenderingError:
        if not isinstance(point.address, PostalAddress):
            return RenderingError(code="not_a_postal_address", explanation="A letter needs a postal address.")
        address = _window(reader, point.address)
        problems = check_address(address, point.address.country, real_postcodes=self._real_postcodes)
        if problems:
            return RenderingError(code=problems[0], explanation="The postal address cannot be printed and posted.")
        prepared = common.prepared
        subject, blocks = prepared.fill_letter(personal)
        zone = ZoneInfo(school.timezone)
        country = point.address.country.upper() or common.country
        deadlines = [each for each in (common.request.respond_by, reader.row.expires_at) if each is not None]
        going = travel(
            self._sending.postbag,
            country=country,
            home=common.country,
            handed=now,
            zone=zone,
            deadline=min(deadlines, default=None),
            urgent=common.category in LIFE_SAFETY,
        )
        return Sheet(
            address=address,
            sender=(school.name, *self._sending.return_address),
            date=format_date(now.astimezone(zone), "long", locale=common.locale),
            subject=subject,
            blocks=blocks,
            language=prepared.text_language,
            right_to_left=direction(prepared.text_language) == "rtl",
            size=prepared.look.letter_points,
            sealed=point.confidential or CATEGORIES[common.category].sensitivity == 2,
            country=country,
            postage=going.postage.value,
        )

    def _personal(self, common: _Shared, reader: "Reader", linked: Collection[str] = (LINK, UNSUBSCRIBE)) -> Personal:
        """Gather what differs from reader to reader; a link that nobody will see is not signed."""
        request, delivery = common.request, reader.row.id
        pupils = [(student.id, student.given_name or student.family_name) for student in reader.students]
        unsubscribing = reader.unsubscribe or UNSUBSCRIBE in linked
        return Personal(
            contact_name=_greeted(common, reader),
            student_names=tuple([name for _, name in pupils]),
            link=self._link("d", Link.DOCUMENT, delivery) if LINK in linked else "",
            unsubscribe_link=self._link("u", Link.UNSUBSCRIBE, delivery) if unsubscribing else "",
            # What all students share stands in the prepared text already.
            values=combine(pupils, request.values, request.student_values) if request.student_values else {},
        )

    def _link(self, page: str, purpose: Link, delivery: str) -> str:
        return f"{self._sending.public_url}/{page}/{delivery}.{self._sending.sign(purpose, delivery)}"


class Reader(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One delivery with the people it is for and about."""

    row: Any
    message: Any
    contact: Contact
    companions: tuple[Contact, ...]
    """Who reads along in one joint household (R25)."""
    apart: bool
    """Whether any of these lives apart: nobody is greeted by name then (R26)."""
    students: tuple[Student, ...]
    point: ContactPoint | None
    unsubscribe: bool
    """Whether the school lets mails of this category carry one-click unsubscribe."""
    carried: Carried | None = None
    """The files of its notification, if there are any."""
    quiet: tuple[str, str] | None = None
    """The school's usual quiet hours where they bind this delivery; None where nothing does (R32)."""


def _quiet_until(reader: Reader, school: School, now: dt.datetime) -> dt.datetime | None:
    """Say until when a delivery waits so that it disturbs none of its readers; None when it may leave (R32)."""
    usual = reader.quiet
    if usual is None:
        return None
    people = (reader.contact, *reader.companions)
    ends = [may_disturb_at(each, now, usual=usual, school_zone=school.timezone) for each in people]
    return max((end for end in ends if end is not None), default=None)


async def _load_carried(connection: AsyncConnection, notification: Any) -> Carried:
    request = msgspec.json.decode(notification.request, type=NotificationRequest)
    wanted = dict.fromkeys(request.attachments) if travels_along(Category(notification.category)) else {}
    files = await load_attachments(connection, notification.school, wanted)
    attached = [Attached(files[key].name, files[key].content_type, files[key].content) for key in wanted]
    return Carried(request=request, in_mail=len(attached), written=encoded_files(attached) if attached else b"")


def _files(reader: Reader) -> tuple[bool, bool]:
    """Tell whether files belong to what a reader gets, and whether a mail carries them all itself."""
    if reader.carried is None or reader.row.bare:
        return False, False
    files = reader.carried.request.files_for(student.id for student in reader.students)
    return bool(files), len(files) == reader.carried.in_mail


def _greeted(common: _Shared, reader: Reader) -> str:
    if reader.apart:
        return common.stranger
    if not reader.companions:
        return _name(reader.contact)
    return joined_names([_name(contact) for contact in (reader.contact, *reader.companions)], common.locale)


def _name(contact: Contact) -> str:
    """Address a person the way schools do: title and family name, else the whole name."""
    if contact.title and contact.family_name:
        return f"{contact.title} {contact.family_name}"
    return " ".join(part for part in (contact.given_name, contact.family_name) if part) or contact.title


def _window(reader: Reader, address: PostalAddress) -> tuple[str, ...]:
    """Write what shows in the envelope's window: who, where, and abroad the country's English name."""
    names = " & ".join(_full_name(contact) for contact in (reader.contact, *reader.companions))
    lines = [names, *address.lines]
    if address.postcode:
        lines.append(address.postcode)
    if address.country.upper() not in {"GB", "UK", ""}:
        lines.append(Locale("en").territories.get(address.country.upper(), address.country))
    return tuple(line for line in lines if line.strip())


def _full_name(contact: Contact) -> str:
    return " ".join(part for part in (contact.title, contact.given_name, contact.family_name) if part)
