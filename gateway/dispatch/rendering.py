"""Rendering: from a claimed delivery to the envelope that its provider takes.

What readers share has been prepared; per reader only names, links and own values are filled in.
"""

import datetime as dt
import logging
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.base import Call, Envelope, Mail, Payload, Sheet, Text
from channels.email_mime import UnsafeHeaderError, Values
from channels.letter_address import check_address
from channels.sms_segments import count
from gateway.access import Link
from gateway.content.catalogues import Catalogues
from gateway.content.languages import LAST_RESORT, direction
from gateway.content.phrases import Phrases
from gateway.content.reader import LINK, UNSUBSCRIBE, Personal
from gateway.content.values import combine
from gateway.directory.addresses import address_key
from gateway.directory.contact_details import text_fault
from gateway.directory.model import ChannelName, ContactPoint, PostalAddress, School
from gateway.dispatch.naming import greeted, window
from gateway.dispatch.preparing import Common, Preparations
from gateway.dispatch.readers import Reader, load_readers, quiet_until
from gateway.dispatch.requests import Lane
from gateway.rules.categories import CATEGORIES, LIFE_SAFETY
from gateway.rules.policy import Policy
from gateway.rules.postage import Postbag, travel
from gateway.rules.replies import takes_replies
from gateway.store.policies import load_governed
from gateway.store.sending import load_notifications

_log = logging.getLogger(__name__)

_PORTION = 50_000_000
"""Bytes of mails that are written at once: with files two hundred would be a gigabyte, for each worker."""


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
        self._preparations = Preparations(catalogues, mail_from=sending.mail_from)

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
            until = quiet_until(reader, school, now) if leaving and reader.quiet is not None else None
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
    ) -> tuple[School, dict[str, Any], list[Reader]]:
        """Load what deliveries of one school are about: the school, the notifications by id, the readers."""
        known = await load_governed(connection, rows[0].school, self._policy)
        if known is None:
            raise LookupError("a delivery's school has left the directory")
        school, _version, policy = known
        notifications = await load_notifications(connection, list({row.notification for row in rows}))
        carried = await self._preparations.files.load(connection, notifications.values())
        return (
            school,
            notifications,
            await load_readers(connection, rows, school, notifications, carried, policy=policy),
        )

    def _envelope(
        self, school: School, notification: Any, reader: Reader, now: dt.datetime
    ) -> Envelope | RenderingError:
        if reader.point is None:
            return RenderingError(code="point_gone", explanation="The contact point has left the directory.")
        try:
            common = self._preparations.common(school, notification, reader)
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

    def write(self, school: School, notification: Any, reader: Reader) -> Envelope | RenderingError:
        """Write one delivery whose people are loaded, as it would be handed over now."""
        return self._envelope(school, notification, reader, self._now())

    def spoken(self, school: School, notification: Any, reader: Reader) -> tuple[str, str]:
        """Write what somebody reads out who has made sure whom they speak to: the whole text, with its language."""
        common = self._preparations.prepare(school, notification, reader, in_full=True)
        return common.prepared.fill_speech(self._personal(common, reader)), common.prepared.speech_language

    def document(self, school: School, notification: Any, reader: Reader) -> Document:
        """Write the whole text for the reader's secure page."""
        common = self._preparations.common(school, notification, reader)
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

    def _payload(
        self, school: School, common: Common, reader: Reader, point: ContactPoint, now: dt.datetime
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

    def _text(self, common: Common, point: ContactPoint, personal: Personal) -> Text | RenderingError:
        number = self.text_number(point, common.country)
        if isinstance(number, RenderingError):
            return number
        body = common.prepared.fill_text(personal)
        language = common.prepared.text_language
        return Text(recipient=number, body=body, segments=count(body).segments, language=language)

    def _mail(self, common: Common, reader: Reader, point: ContactPoint, now: dt.datetime) -> Mail:
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

    def _reply_to(self, reader: Reader) -> str | None:
        """Give the address for answers of this reader alone."""
        address = self._sending.reply_address
        if address is None or not takes_replies(neutral=reader.row.neutral, apart=reader.apart):
            return None
        return address(reader.row.id)

    def _sheet(
        self,
        school: School,
        common: Common,
        reader: Reader,
        point: ContactPoint,
        personal: Personal,
        now: dt.datetime,
    ) -> Sheet | RenderingError:
        if not isinstance(point.address, PostalAddress):
            return RenderingError(code="not_a_postal_address", explanation="A letter needs a postal address.")
        address = window(reader, point.address)
        problems = check_address(address, point.address.country, real_postcodes=self._real_postcodes)
        if problems:
            return RenderingError(code=problems[0], explanation="The postal address cannot be printed and posted.")
        prepared = common.prepared
        subject, blocks = prepared.fill_letter(personal)
        zone = ZoneInfo(school.timezone)
        country = point.address.country.upper() or common.country
        # Only what the sender has set is a reason to pay for a faster class; how long we try by ourselves is none.
        deadlines = [each for each in (common.request.respond_by, common.request.expires_at) if each is not None]
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

    def _personal(self, common: Common, reader: Reader, linked: Collection[str] = (LINK, UNSUBSCRIBE)) -> Personal:
        """Gather what differs from reader to reader; a link that nobody will see is not signed."""
        request, delivery = common.request, reader.row.id
        pupils = [(student.id, student.given_name or student.family_name) for student in reader.students]
        unsubscribing = reader.unsubscribe or UNSUBSCRIBE in linked
        return Personal(
            contact_name=greeted(reader, common.locale, common.stranger),
            student_names=tuple([name for _, name in pupils]),
            link=self._link("d", Link.DOCUMENT, delivery) if LINK in linked else "",
            unsubscribe_link=self._link("u", Link.UNSUBSCRIBE, delivery) if unsubscribing else "",
            # What all students share stands in the prepared text already.
            values=combine(pupils, request.values, request.student_values) if request.student_values else {},
        )

    def _link(self, page: str, purpose: Link, delivery: str) -> str:
        return f"{self._sending.public_url}/{page}/{delivery}.{self._sending.sign(purpose, delivery)}"
