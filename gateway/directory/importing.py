"""What an import answers: the directory it read, the lines it refused, and what a person should know."""

import msgspec

from gateway.directory.model import Directory


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """One value or row that was not taken over; everything else was."""

    file: str
    line: int
    """The physical line on which the row starts, counted from 1."""
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
    """Collects refusals and notes while files are read, in the order of the reading."""

    def __init__(self) -> None:
        self._refused: list[Refused] = []
        self._notes: list[Note] = []

    def refuse(self, file: str, line: int, field: str, reason: str) -> None:
        """Put a value or row on record as not taken over."""
        self._refused.append(Refused(file=file, line=line, field=field, reason=reason))

    def note(self, file: str, sentence: str, *, line: int | None = None, field: str | None = None) -> None:
        """Put on record what a person should know."""
        self._notes.append(Note(file=file, sentence=sentence, line=line, field=field))

    def conclude(self, directory: Directory) -> Import:
        """Join the directory and its account, ordered by file and line."""
        return Import(
            directory=directory,
            refused=tuple(sorted(self._refused, key=lambda refused: (refused.file, refused.line))),
            notes=tuple(sorted(self._notes, key=lambda note: (note.file, note.line or 0))),
        )
