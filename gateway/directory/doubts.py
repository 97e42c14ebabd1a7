"""What in a directory contradicts itself without being wrong in form: taken over, and shown to a person."""

from collections import Counter
from collections.abc import Iterator

from gateway.directory.changes import Held
from gateway.directory.model import Directory

_MOST_NATURAL_PARENTS = 2


def find_doubts(directory: Directory) -> tuple[Held, ...]:
    """List what somebody should look at: nobody is added or dropped because of it."""
    return (*_empty_households(directory), *_two_roles(directory), *_too_many_parents(directory), *_loose(directory))


def _empty_households(directory: Directory) -> Iterator[Held]:
    for household in directory.households:
        if not household.members:
            yield Held(
                entity="households", id=household.id, reason="The household has no members: list them or leave it out."
            )


def _two_roles(directory: Directory) -> Iterator[Held]:
    """Find contacts that share an id with a student without being that student."""
    selves = {link.contact for link in directory.relationships if link.relation == "self"}
    pupils = {student.id for student in directory.students}
    for contact in directory.contacts:
        if contact.id in pupils and contact.id not in selves:
            reason = "A student has this id, too, but no relation self says that they are one person: check which."
            yield Held(entity="contacts", id=contact.id, reason=reason)


def _too_many_parents(directory: Directory) -> Iterator[Held]:
    pairs = {
        (link.student, link.contact) for link in directory.relationships if link.natural_parent and not link.valid_to
    }
    for student, number in sorted(Counter(student for student, _ in pairs).items()):
        if number > _MOST_NATURAL_PARENTS:
            reason = f"{number} contacts are recorded as natural parents: one may be recorded twice."
            yield Held(entity="students", id=student, reason=reason)


def _loose(directory: Directory) -> Iterator[Held]:
    linked = {(link.student, link.contact) for link in directory.relationships}
    for restriction in directory.restrictions:
        if (restriction.student, restriction.contact) not in linked:
            reason = "The restriction acts, but no relationship links its student and contact: check both ids."
            yield Held(entity="restrictions", id=restriction.id, reason=reason)
