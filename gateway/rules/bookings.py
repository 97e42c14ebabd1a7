"""R39: who may share an appointment and its link, and what each reader sees of everybody's bookings.

Contacts who live apart must not meet in one slot, nor learn from the list of slots when the other one comes. Whatever
a reader may not take looks the same: another family's appointment, the other parent's, the teacher's break.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from enum import StrEnum

import msgspec

AreJoint = Callable[[str, str], bool]
"""Whether two contacts live together (`Households.are_joint`): all others live apart, the safe default."""


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A time that a teacher offers."""

    id: str
    teacher: str
    closed: bool = False
    """The teacher has taken it back, for a break for instance."""


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """A slot taken by one contact to talk about one student."""

    slot: str
    student: str
    contact: str


class Availability(StrEnum):
    """What a reader sees of a slot."""

    FREE = "free"
    OWN = "own"
    """Booked for this student by the reader, or by somebody who lives with the reader."""
    UNAVAILABLE = "unavailable"


class SeenSlot(msgspec.Struct, frozen=True, kw_only=True):
    """All that a reader may know of a slot: nobody's name, no reason."""

    slot: str
    availability: Availability


def parties(contacts: Iterable[str], are_joint: AreJoint) -> tuple[tuple[str, ...], ...]:
    """Divide a student's contacts into those who share one appointment and one link, in order of id.

    Everybody in a party lives with everybody else in it: whoever lives with two people who live apart shares with the
    first of them only.
    """
    divided: list[list[str]] = []
    for contact in sorted(set(contacts)):
        home = next((party for party in divided if all(are_joint(contact, member) for member in party)), None)
        if home is None:
            divided.append([contact])
        else:
            home.append(contact)
    return tuple(tuple(party) for party in divided)


def seen_slots(
    slots: Sequence[Slot], bookings: Iterable[Booking], *, reader: str, student: str, are_joint: AreJoint
) -> tuple[SeenSlot, ...]:
    """Show one reader the slots, in their order, for an appointment about one student."""
    taken: dict[str, list[Booking]] = {}
    for booking in bookings:
        taken.setdefault(booking.slot, []).append(booking)
    return tuple(
        SeenSlot(slot=slot.id, availability=_availability(slot, taken.get(slot.id, ()), reader, student, are_joint))
        for slot in slots
    )


def may_book(
    slot: Slot,
    slots: Sequence[Slot],
    bookings: Collection[Booking],
    *,
    reader: str,
    student: str,
    are_joint: AreJoint,
) -> bool:
    """Tell whether a reader may take a slot: free, and the reader's party has none with this teacher for the student.

    That the reader may meet the teacher about this student at all is for the rules of the category `meeting`.
    """
    seen = seen_slots(slots, bookings, reader=reader, student=student, are_joint=are_joint)
    states = {one.slot: one.availability for one in seen}
    with_teacher = [other.id for other in slots if other.teacher == slot.teacher]
    return states.get(slot.id) is Availability.FREE and all(
        states[other] is not Availability.OWN for other in with_teacher
    )


def may_see_booking(booking: Booking, *, reader: str, are_joint: AreJoint) -> bool:
    """Tell whether a contact may see, move or cancel a booking: their own, or that of somebody who lives with them."""
    return booking.contact == reader or are_joint(booking.contact, reader)


def _availability(
    slot: Slot, bookings: Sequence[Booking], reader: str, student: str, are_joint: AreJoint
) -> Availability:
    if not bookings:
        return Availability.UNAVAILABLE if slot.closed else Availability.FREE
    own = all(
        booking.student == student and may_see_booking(booking, reader=reader, are_joint=are_joint)
        for booking in bookings
    )
    return Availability.OWN if own else Availability.UNAVAILABLE
