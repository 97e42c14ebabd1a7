"""The files that notifications bring along, loaded once and kept while their mails are written."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.email_mime import Attached, encoded_files
from gateway.directory.model import Category
from gateway.dispatch.requests import NotificationRequest, travels_along
from gateway.store.attachments import load_attachments

_CARRIED = 8
"""Notifications whose files are kept in memory, and mails prepared with them: some megabytes each."""


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What a notification with files brings along."""

    request: NotificationRequest
    in_mail: int = 0
    """How many files every mail carries."""
    written: bytes = b""
    """These, as they stand in a mail."""


class CarriedFiles:
    """The files of the notifications used last, by the notification's id."""

    def __init__(self, *, forgotten: Callable[[str], None]) -> None:
        """Tell `forgotten` whose files are kept no more."""
        self._forgotten = forgotten
        self._carried: OrderedDict[str, Carried] = OrderedDict()

    def __contains__(self, notification: str) -> bool:
        return notification in self._carried

    async def load(self, connection: AsyncConnection, notifications: Iterable[Any]) -> dict[str, Carried]:
        """Load what notifications that carry any files bring along, by id; what travels in mails with its content."""
        found = {}
        for row in notifications:
            if _may_carry_files(row):
                found[row.id] = self._carried.get(row.id) or await _load(connection, row)
                self._keep(row.id, found[row.id])
        return found

    def _keep(self, notification: str, carried: Carried) -> None:
        """Remember the files of the notifications used last."""
        self._carried[notification] = carried
        self._carried.move_to_end(notification)
        while len(self._carried) > _CARRIED:
            forgotten, _ = self._carried.popitem(last=False)
            self._forgotten(forgotten)


def _may_carry_files(notification: Any) -> bool:
    """Tell at a glance whether a notification can carry files: few do, and reading all of its request takes time."""
    return 'attachments":' in notification.request


async def _load(connection: AsyncConnection, notification: Any) -> Carried:
    request = msgspec.json.decode(notification.request, type=NotificationRequest)
    wanted = dict.fromkeys(request.attachments) if travels_along(Category(notification.category)) else {}
    files = await load_attachments(connection, notification.school, wanted)
    attached = [Attached(files[key].name, files[key].content_type, files[key].content) for key in wanted]
    return Carried(request=request, in_mail=len(attached), written=encoded_files(attached) if attached else b"")
