"""Makes contact points of a row of users.csv, which has one column each for `email`, `sms` and `phone`."""

from collections.abc import Iterator

from gateway.directory.contact_details import email_address, phone_number, takes_texts
from gateway.directory.csv_rows import Row
from gateway.directory.model import ChannelName, ContactPoint, PointLabel


def point_ids(contact: str) -> tuple[str, ...]:
    """Name every id that a point of this contact can have."""
    return tuple(f"{contact}-{name}" for name in ("email", "sms", "voice", "voice-2", "letter"))


def user_points(
    contact: str, row: Row, letter: ContactPoint | None, *, country: str, at_work: bool
) -> Iterator[ContactPoint]:
    """Yield a contact's points; staff and professionals are in users.csv with their mailbox at work.

    A point whose value is refused is mentioned, so that the one on record stays.
    """
    email = row.read("email", email_address)
    if email:
        label = PointLabel.WORK if at_work else PointLabel.PERSONAL
        yield ContactPoint(
            id=f"{contact}-email", contact=contact, channel=ChannelName.EMAIL, address=email, label=label
        )
    elif row.text("email"):
        row.findings.mention("contact_points", f"{contact}-email")
    yield from _numbers(contact, row, country)
    if letter:
        yield letter
    elif not any(row.text(column) for column in ("email", "sms", "phone")):
        row.note("The contact has no e-mail address, number or postal address; add one, or nothing can reach them.")


def _numbers(contact: str, row: Row, country: str) -> Iterator[ContactPoint]:
    """Yield the text and call points: a mobile takes both, `phone` is never texted."""
    mobile, phone = _number(row, "sms", country), _number(row, "phone", country)
    if mobile and takes_texts(mobile):
        yield ContactPoint(id=f"{contact}-sms", contact=contact, channel=ChannelName.SMS, address=mobile)
    elif mobile:
        row.refuse("sms", "This is a landline, so it is only called; put it into the column phone.")
    if row.text("sms") and not (mobile and takes_texts(mobile)):
        row.findings.mention("contact_points", f"{contact}-sms")
    second = bool(row.text("sms")) and phone != mobile
    for name, column, number, order in (
        ("voice", "sms", mobile, 1),
        ("voice-2" if second else "voice", "phone", phone if second or not mobile else None, 2 if second else 1),
    ):
        if number:
            yield ContactPoint(
                id=f"{contact}-{name}", contact=contact, channel=ChannelName.VOICE, address=number, order=order
            )
        elif row.text(column):
            row.findings.mention("contact_points", f"{contact}-{name}")


def _number(row: Row, column: str, country: str) -> str | None:
    return row.read(column, lambda text: phone_number(text, country=country))
