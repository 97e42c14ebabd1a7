"""What a complaint means: who calls a mail unwanted wants no more of its kind, where that may be refused (R21)."""

import datetime as dt
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.directory.model import Category
from gateway.directory.places import place_of
from gateway.rules.policy import Policy
from gateway.store.identity import derived_id
from gateway.store.policies import load_governed
from gateway.store.rendering import load_addressees
from gateway.store.sending import load_notifications
from gateway.store.tasks import add_tasks
from gateway.store.wishes import opt_out

_ORIGIN = "complaint"


async def heed_complaint(connection: AsyncConnection, delivery: Any, *, policy: Policy, now: dt.datetime) -> None:
    """Opt the readers of a delivery (a row) out of its category, or ask the office to speak with the contact."""
    known = await load_governed(connection, delivery.school, policy)
    notification = (await load_notifications(connection, [delivery.notification])).get(delivery.notification)
    addressee = (await load_addressees(connection, [delivery.id])).get(delivery.id)
    if known is None or notification is None or addressee is None:
        return
    row = known.policy.categories[Category(notification.category)]
    point = addressee.point
    # Who reads there now is not who the mail was for.
    same_place = point is not None and place_of(known.school, point) == delivery.place
    if same_place and (row.may_opt_out or row.must_opt_in):
        companions = () if addressee.apart else addressee.companions
        people = [contact.id for contact in (addressee.contact, *companions)]
        await opt_out(connection, delivery.school, people, Category(notification.category), origin=_ORIGIN, at=now)
    else:
        await add_tasks(connection, [_task(delivery, now)])


def _task(delivery: Any, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": derived_id(delivery.notification, "task", _ORIGIN, delivery.id),
        "school": delivery.school,
        "kind": "heed_complaint",
        "notification": delivery.notification,
        "student": None,
        "contact": delivery.contact,
        "delivery": delivery.id,
        "owner": "office",
        "detail": "R21: The contact called this message unwanted, and its kind cannot be refused: ask what is wrong.",
        "created_at": now,
        "due_at": now + dt.timedelta(days=1),
        "done_at": None,
    }
