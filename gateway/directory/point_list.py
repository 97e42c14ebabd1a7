"""Collects the contact points of one person whose record lists several addresses of each channel.

An id tells the contact, the channel and the kind of address (`c1-voice-home`, the second `c1-voice-home-2`), never the
address itself: a corrected number keeps its id, and of a person who could not be read every id is known.
"""

from collections import Counter
from collections.abc import Iterator

import msgspec

from gateway.directory.contact_details import email_address, phone_number, postal_address, takes_texts
from gateway.directory.importing import UnreadableValueError
from gateway.directory.json_rows import Record
from gateway.directory.model import ChannelName, ContactPoint, PointLabel, PostalAddress

KINDS = ("home", "mobile", "work", "postal", "primary", "other")
MOST_OF_A_KIND = 3

_LABELS = {"home": PointLabel.HOME, "work": PointLabel.WORK}
_LANDLINE = "This is a landline, so it is only called; correct the number, or its kind."


def point_ids(contact: str) -> Iterator[str]:
    """Name every id that a point of this contact can have."""
    for channel in ChannelName:
        for kind in KINDS:
            for count in range(1, MOST_OF_A_KIND + 1):
                yield _id(contact, channel, kind, count)


class PointList:
    """The points of one contact, each address once on each channel, confidential when any mention of it is."""

    def __init__(self, contact: str, *, country: str) -> None:
        """Take national numbers and addresses as those of a country (`GB`)."""
        self._contact = contact
        self._country = country
        self._counts: Counter[tuple[ChannelName, str]] = Counter()
        self._points: dict[tuple[ChannelName, str | PostalAddress], ContactPoint] = {}

    def points(self) -> tuple[ContactPoint, ...]:
        """Return the points in the order of their ids."""
        return tuple(sorted(self._points.values(), key=lambda point: point.id))

    def email(self, record: Record, key: str, *, kind: str, order: int = 1, confidential: bool = False) -> None:
        """Add an e-mail address; one that is refused is mentioned."""
        if record.says(key):
            self._add(record, key, ChannelName.EMAIL, record.read(key, email_address), kind, order, confidential)

    def phone(
        self, record: Record, key: str, *, kind: str, texted: bool | None, order: int = 1, confidential: bool = False
    ) -> None:
        """Add a number to call, and to text where the record says so; None leaves that to the number itself."""
        if not record.says(key):
            return
        number = record.read(key, lambda text: phone_number(text, country=self._country))
        self._add(record, key, ChannelName.VOICE, number, kind, order, confidential)
        mobile = number is None or takes_texts(number)
        if texted is False or (texted is None and not mobile):
            return
        if not mobile:
            record.refuse(key, _LANDLINE)
        self._add(record, key, ChannelName.SMS, number if mobile else None, kind, order, confidential)

    def letter(
        self,
        record: Record,
        key: str,
        lines: tuple[str, ...],
        *,
        postcode: str,
        country: str,
        kind: str,
        order: int,
        confidential: bool = False,
    ) -> None:
        """Add a postal address; `key` is the field that a refusal names."""
        try:
            address = postal_address(lines, postcode=postcode, country=country or self._country)
        except UnreadableValueError as error:
            record.refuse(key, error.sentence.replace("addressLine1", "the street"))
            address = None
        self._add(record, key, ChannelName.LETTER, address, kind, order, confidential)

    def _add(
        self,
        record: Record,
        key: str,
        channel: ChannelName,
        address: str | PostalAddress | None,
        kind: str,
        order: int,
        confidential: bool,  # noqa: FBT001  # every caller passes on its own keyword
    ) -> None:
        self._counts[channel, kind] += 1
        count = self._counts[channel, kind]
        if count > MOST_OF_A_KIND:
            record.refuse(key, f"There are more than {MOST_OF_A_KIND} of this kind; leave those in use.")
            return
        point_id = _id(self._contact, channel, kind, count)
        if address is None:
            record.findings.mention("contact_points", point_id)
            return
        known = self._points.get((channel, address))
        if known is None:
            label = _LABELS.get(kind, PointLabel.PERSONAL)
            self._points[channel, address] = ContactPoint(
                id=point_id,
                contact=self._contact,
                channel=channel,
                address=address,
                label=label,
                order=order,
                confidential=confidential,
            )
        elif confidential or order < known.order:
            self._points[channel, address] = msgspec.structs.replace(
                known, confidential=known.confidential or confidential, order=min(order, known.order)
            )


def _id(contact: str, channel: ChannelName, kind: str, count: int) -> str:
    return f"{contact}-{channel}-{kind}" if count == 1 else f"{contact}-{channel}-{kind}-{count}"
