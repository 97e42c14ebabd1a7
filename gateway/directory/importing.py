"""What an import answers: the directory it read, the lines it refused, and what a person should know."""

from collections.abc import Callable, Iterable

import msgspec

from gateway.directory.model import Directory

Mention = tuple[str, tuple[str, ...]]
"""A list of the directory and the key of a row in it, such as `("contact_points", ("mum-email",))`."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """One value or row that was not taken over; everything else was."""

    file: str
    line: int
    """The physical line on which the row starts, in JSON its place in the list; both counted from 1."""
    field: str
    reason: str
    """One sentence: what is wrong and what to do; never the value itself."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was taken over in a way, or left out for a reason, that a person should know."""

    file: str
    sentence: str
    line: int | None = None
    field: str | None = None


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """An uploaded file as a directory, with the account of what did not make it."""

    directory: Directory
    refused: tuple[Refused, ...] = ()
    notes: tuple[Note, ...] = ()
    mentioned: frozenset[Mention] = frozenset()
    """What the file speaks of without being understood: on record it stays as it is, rather than end."""


class ImportRefusedError(Exception):
    """The upload cannot be read as a whole; nothing was taken over."""

    def __init__(self, sentence: str, file: str | None = None) -> None:
        """Keep the sentence for the uploader and the file inside the archive it is about, if it is about one."""
        super().__init__(f"{file}: {sentence}" if file else sentence)
        self.sentence = sentence
        self.file = file


class UnreadableValueError(ValueError):
    """A value cannot be taken over; holds one sentence that says why and what to do, without the value."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Findings:
    """Collects refusals, notes and mentions while files are read, in the order of the reading."""

    def __init__(self) -> None:
        self._refused: list[Refused] = []
        self._notes: list[Note] = []
        self._mentioned: set[Mention] = set()

    def refuse(self, file: str, line: int, field: str, reason: str) -> None:
        """Put a value or row on record as not taken over."""
        self._refused.append(Refused(file=file, line=line, field=field, reason=reason))

    def note(self, file: str, sentence: str, *, line: int | None = None, field: str | None = None) -> None:
        """Put on record what a person should know."""
        self._notes.append(Note(file=file, sentence=sentence, line=line, field=field))

    def mention(self, entity: str, *key: str) -> None:
        """Put on record that the file speaks of a row, though the row could not be taken over."""
        self._mentioned.add((entity, key))

    def mention_link(self, student: str, contact: str, valid_from: str = "") -> None:
        """Put on record that the file speaks of a relationship which could not be taken over."""
        self.mention("relationships", student, contact, valid_from)

    def conclude(self, directory: Directory, *, points_of: Callable[[str], Iterable[str]]) -> Import:
        """Join the directory and its account, ordered by file and line.

        A mentioned relationship keeps its student and contact, too; `points_of` names every id that a contact's points
        can have in this format.
        """
        students = {student.id for student in directory.students}
        contacts = {contact.id for contact in directory.contacts}
        for student, contact in [key[:2] for entity, key in self._mentioned if entity == "relationships"]:
            if student not in students:
                self.mention("students", student)
            if contact not in contacts:
                self.mention("contacts", contact)
        for contact in [key[0] for entity, key in self._mentioned if entity == "contacts"]:
            for point in points_of(contact):
                self.mention("contact_points", point)
        return Import(
            directory=directory,
            refused=tuple(sorted(self._refused, key=lambda refused: (refused.file, refused.line))),
            notes=tuple(sorted(self._notes, key=lambda note: (note.file, note.line or 0))),
            mentioned=frozenset(self._mentioned),
        )
