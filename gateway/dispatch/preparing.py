"""Preparing a notification: what all readers of one language, look and neutrality share is made once and kept."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import msgspec
from babel import Locale

from channels.email_mime import PreparedMail
from gateway.content.catalogues import Catalogues
from gateway.content.frame import bare_notice
from gateway.content.languages import locale_of
from gateway.content.policy import Look
from gateway.content.policy import Policy as ContentPolicy
from gateway.content.prepared import Prepared, prepare
from gateway.content.reader import SchoolFacts
from gateway.content.template import Source, Template, parse
from gateway.content.values import shared
from gateway.directory.addresses import country_of
from gateway.directory.model import Category, School
from gateway.dispatch.carried_files import CarriedFiles
from gateway.dispatch.messages import formats_of
from gateway.dispatch.readers import Reader
from gateway.dispatch.requests import NotificationRequest
from gateway.rules.categories import CATEGORIES, LIFE_SAFETY

_KEPT = 500
"""Prepared texts kept in memory: one a notification in work, language and look."""


@dataclass(frozen=True, kw_only=True)
class Common:
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


class Preparations:
    """Prepares notifications and remembers those in work; only names, links and own values are filled in later."""

    def __init__(self, catalogues: Catalogues, *, mail_from: str) -> None:
        """Prepare mails `From` this address."""
        self._catalogues = catalogues
        self._mail_from = mail_from
        self._kept: OrderedDict[tuple[Any, ...], Common] = OrderedDict()
        self.files = CarriedFiles(forgotten=self._forget)
        """What the notifications carry, which stands in their mails."""

    def common(self, school: School, notification: Any, reader: Reader) -> Common:
        """Give what this reader's text shares with others, prepared if nobody has needed it yet."""
        row, message = reader.row, reader.message
        look = (message.language, message.formats, row.neutral, row.bare, reader.unsubscribe, _files(reader))
        key = (row.notification, row.language, look)
        kept = self._kept.get(key)
        if kept is None:
            kept = self.prepare(school, notification, reader)
            if reader.carried is None or row.notification in self.files:
                self._kept[key] = kept
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return kept

    def prepare(self, school: School, notification: Any, reader: Reader, *, in_full: bool = False) -> Common:
        """Prepare a text as this reader needs it, `in_full` however personal it is; it is not kept."""
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
            sender=(school.name, self._mail_from),
            language=prepared.email_language,
            subject=prepared.subject,
            plain=prepared.plain,
            html=prepared.html,
            files=reader.carried.written if reader.carried is not None and files else b"",
        )
        return Common(
            prepared=prepared,
            mail=mail,
            request=request,
            category=category,
            country=country,
            locale=locale_of(prepared.text_language, country),
            stranger=self._catalogues.phrases(prepared.text_language, school.language).parent_or_carer(),
        )

    def _notice(self, reader: Reader, school: School) -> Template:
        """Say only that there is a message, in place of a text that somebody has to look at first (R45)."""
        return bare_notice(self._catalogues.phrases(reader.message.language, school.language))

    def _forget(self, notification: str) -> None:
        """Forget the mails that hold a notification's files."""
        for key in [key for key in self._kept if key[0] == notification]:
            del self._kept[key]


def _files(reader: Reader) -> tuple[bool, bool]:
    """Tell whether files belong to what a reader gets, and whether a mail carries them all itself."""
    if reader.carried is None or reader.row.bare:
        return False, False
    files = reader.carried.request.files_for(student.id for student in reader.students)
    return bool(files), len(files) == reader.carried.in_mail
