"""What the texts of a notification would take before it is posted: each is written as it would be sent, and counted."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import NamedTuple
from uuid import uuid4

import msgspec

from channels.base import Envelope, Text
from channels.sms_segments import Segments, count, smart
from gateway.content.languages import choose
from gateway.directory.addresses import country_of
from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import ChannelName, ContactPoint
from gateway.dispatch import library
from gateway.dispatch.readers import Reader
from gateway.dispatch.rendering import Renderer, RenderingError
from gateway.dispatch.requests import NotificationRequest, lane_of
from gateway.rules.answer import Mode, PlannedDelivery, PlannedMessage
from gateway.rules.audience import Evaluation

_AT_A_TIME = 200
"""Texts written before others get their turn."""

_ID = "0" * 34
"""As long as a delivery's id, which stands in links."""


_Followers = Mapping[tuple[str, tuple[str, ...]], list[tuple[str, str]]]
"""Contact and own point of whoever travels along, by the carrying point and the students."""


class Wording(NamedTuple):
    """What would be posted, and its text in every language."""

    request: NotificationRequest
    text: library.Text


@dataclass(frozen=True, kw_only=True)
class TextsCounted:
    """Every text that would leave at once."""

    by_language: Mapping[str, list[Segments]] = field(default_factory=lambda: defaultdict(list))
    """By language of the wording."""
    not_possible: int = 0
    """Numbers that can be sent no text."""


class TextForecast:
    """Writes and counts the texts of one question; a wording that is a plain text goes to everybody as it is."""

    def __init__(self, renderer: Renderer, index: DirectoryIndex, wording: Wording | str) -> None:
        self._renderer = renderer
        self._index = index
        self._wording = wording
        self._notification = _notification(wording) if isinstance(wording, Wording) else SimpleNamespace()
        self._points = {point.id: point for point in index.directory.contact_points}
        self._followers: _Followers = {}

    async def count(self, evaluation: Evaluation) -> TextsCounted:
        """Count what would be started at once."""
        found: defaultdict[str, list[Segments]] = defaultdict(list)
        not_possible = 0
        self._followers = _followers(evaluation.answer.messages)
        for number, (message, delivery) in enumerate(_texts(evaluation.answer.messages), 1):
            text = self._text(message, delivery, evaluation)
            if text is None:
                not_possible += 1
            else:
                found[text.language].append(count(text.body))
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
        return TextsCounted(by_language=found, not_possible=not_possible)

    def _text(self, message: PlannedMessage, delivery: PlannedDelivery, evaluation: Evaluation) -> Text | None:
        """Write one text; None where none can be sent."""
        point = self._points[delivery.point]
        if isinstance(self._wording, str):
            number = self._renderer.text_number(point, country_of(self._index.school.jurisdiction))
            if isinstance(number, RenderingError):
                return None
            body = smart(self._wording)
            return Text(recipient=number, body=body, segments=count(body).segments, language=message.language)
        written = self._renderer.write(self._index.school, self._notification, self._reader(message, point, evaluation))
        return written.payload if isinstance(written, Envelope) and isinstance(written.payload, Text) else None

    def _reader(self, message: PlannedMessage, point: ContactPoint, evaluation: Evaluation) -> Reader:
        """Put together what is otherwise loaded of a delivery on record."""
        followers = self._followers.get((point.id, message.students), ())
        language = choose(message.language, self._notification.languages, self._index.school.language).language
        return Reader(
            row=SimpleNamespace(
                id=_ID,
                notification=self._notification.id,
                language=language,
                neutral=point.id in evaluation.impersonal_points,
                bare=False,
                lane=self._notification.lane,
                expires_at=None,
            ),
            message=SimpleNamespace(language=message.language, formats=msgspec.json.encode(message.formats).decode()),
            contact=self._index.contacts[message.contact],
            companions=tuple(self._index.contacts[contact] for contact, _ in followers),
            apart=any(follower in evaluation.impersonal_points for _, follower in followers),
            students=tuple(self._index.students[student] for student in message.students),
            point=point,
            unsubscribe=False,
        )


def _texts(messages: Iterable[PlannedMessage]) -> Iterator[tuple[PlannedMessage, PlannedDelivery]]:
    """Pick the texts that start at once, as `cost_of` counts deliveries."""
    for message in messages:
        for delivery in message.deliveries[:1] if message.mode is Mode.FALLBACK else message.deliveries:
            if delivery.channel is ChannelName.SMS and delivery.merged_into is None:
                yield message, delivery


def _followers(messages: Iterable[PlannedMessage]) -> _Followers:
    """Find whose deliveries travel inside another's."""
    found: defaultdict[tuple[str, tuple[str, ...]], list[tuple[str, str]]] = defaultdict(list)
    for message in messages:
        for delivery in message.deliveries:
            if delivery.merged_into is not None:
                found[delivery.merged_into, message.students].append((message.contact, delivery.point))
    return found


def _notification(wording: Wording) -> SimpleNamespace:
    """Make what rendering reads of a notification on record; its id is that of no other."""
    return SimpleNamespace(
        id=f"forecast-{uuid4()}",
        category=wording.request.category.value,
        request=msgspec.json.encode(wording.request).decode(),
        sources=msgspec.json.encode(dict(wording.text.sources)).decode(),
        languages=tuple(wording.text.sources),
        lane=lane_of(wording.request.category).value,
    )
