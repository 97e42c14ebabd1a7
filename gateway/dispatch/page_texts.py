"""What a page says: that a decision is needed, and where; never whose or about whom (R45)."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from channels.base import Call, Envelope, Mail, Payload, Text
from channels.email_mime import PreparedMail
from channels.sms_segments import count, smart
from gateway.content.phrases import Phrases
from gateway.directory.model import School

DECISION_LIST = "/v1/tasks?kind=decide_hold"
"""Where the list of decisions is, under the gateway's own address."""


class PageWriter:
    """Writes pages in the language of whoever is on duty."""

    def __init__(
        self,
        phrases: Callable[[str, str], Phrases],
        *,
        mail_from: str,
        public_url: str,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._phrases = phrases
        self._mail_from = mail_from
        self._link = f"{public_url}{DECISION_LIST}"
        self._now = now

    def write(self, row: Any, school: School) -> Envelope:
        """Write one page; its id stays the same when it is repeated, so that mailboxes can tell."""
        phrases = self._phrases(row.language, school.language)
        return Envelope(delivery=row.id, payload=self._payload(row, school, phrases), urgent=True)

    def _payload(self, row: Any, school: School, phrases: Phrases) -> Payload:
        if row.channel == "email":
            return self._mail(row, school, phrases)
        if row.channel == "sms":
            body = smart(phrases.decision_text(school.name, self._link))
            return Text(recipient=row.address, body=body, segments=count(body).segments, language=phrases.language)
        speech = " ".join((phrases.voice_opening(school.name), phrases.decision_spoken(), phrases.voice_closing()))
        # It says nothing that a machine may not be told.
        return Call(recipient=row.address, speech=speech, language=phrases.language, voicemail=speech)

    def _mail(self, row: Any, school: School, phrases: Phrases) -> Mail:
        message_id = f"<{row.id}@{self._mail_from.rpartition('@')[2]}>"
        mail = PreparedMail.prepare(
            sender=(school.name, self._mail_from),
            language=phrases.language,
            subject=(phrases.decision_subject(),),
            plain=(phrases.decision_text(school.name, self._link) + "\n",),
        )
        content = mail.build(to_name="", to_address=row.address, message_id=message_id, date=self._now())
        return Mail(sender=self._mail_from, recipient=row.address, message_id=message_id, content=content)
