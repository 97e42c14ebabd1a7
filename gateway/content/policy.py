"""What each channel may carry of a text (recipient rules, R41): nobody else must learn anything from a lock screen."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class Carries(StrEnum):
    """How much of a text a channel carries."""

    WHOLE = "whole"
    """The text itself."""
    SHORT = "short"
    """Its author's short text; where there is none, what `Policy` says."""
    MESSAGE_NOTICE = "message_notice"
    """That there is a new message, and a link."""
    DOCUMENT_NOTICE = "document_notice"
    """That a document is ready, and a link behind which the reader is asked who they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The facts of a category, and of one sending, that decide what each channel carries."""

    sensitivity: int
    """0 general, 1 personal, 2 sensitive."""
    in_full: bool = False
    """True for emergency, child_safety and attendance: every channel carries the text, or help comes too late."""
    unsubscribe: bool = False
    answerable: bool = False
    """True when the reader is asked something that is answered on the secure page (R14)."""
    files: bool = False
    """True when files belong to it that the reader gets on the secure page."""
    files_in_mail: bool = False
    """True when a mail carries all of these itself."""
    drill: bool = False
    """True when all of it is an exercise and must say so on every channel."""
    bare: bool = False
    """True when the text is itself only a notice that there is a message."""

    @property
    def email(self) -> Carries:
        """What a mail carries; letters and the secure page always carry the whole text."""
        return Carries.DOCUMENT_NOTICE if self.sensitivity >= 2 else Carries.WHOLE

    def text_message(self, *, has_short: bool) -> Carries:
        """Say what a text message carries."""
        if self.sensitivity >= 2:
            return Carries.DOCUMENT_NOTICE
        if has_short:
            return Carries.SHORT
        return Carries.WHOLE if self.sensitivity == 0 or self.in_full else Carries.MESSAGE_NOTICE

    def voice(self, *, has_short: bool) -> Carries:
        """Say what a call speaks; an answering machine is a lock screen, too."""
        if self.sensitivity >= 2:
            return Carries.MESSAGE_NOTICE
        if self.sensitivity == 0 or self.in_full:
            return Carries.WHOLE
        return Carries.SHORT if has_short else Carries.MESSAGE_NOTICE

    def tells(self, *, has_short: bool) -> bool:
        """Say whether a call speaks the message, so that whoever takes it can confirm having heard it."""
        return not self.bare and self.voice(has_short=has_short) is not Carries.MESSAGE_NOTICE


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How a reader needs the text to look."""

    points: int = 12
    """Size of a mail's text."""
    letter_points: int = 11
    """Size of a letter's text."""
    html: bool = True
    """False for readers who asked for text only."""

    @classmethod
    def of(cls, formats: Collection[str]) -> "Look":
        """Read a contact's format needs; the larger print wins."""
        size = max((size for size in (16, 20) if f"large_print_{size}" in formats), default=None)
        if size is None and "large_print" in formats:
            size = 16
        return cls(points=size or 12, letter_points=size or 11, html="text_only" not in formats)
