"""Says a template's values to a reader: those all readers share, and the reader's own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from gateway.content.fragments import ADDRESS_FORMS, Slot, Words
from gateway.content.phrases import Phrases
from gateway.content.values import Value, one_line, unnamed, words

CONTACT, STUDENTS, SCHOOL = "contactname", "studentnames", "schoolname"
LINK, UNSUBSCRIBE = "link", "unsubscribelink"


class Personal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What differs from reader to reader."""

    contact_name: str
    student_names: tuple[str, ...]
    link: str = ""
    """The reader's own page: the document, or the whole message."""
    unsubscribe_link: str = ""
    values: Mapping[str, Value] = {}
    """By normalised name, as `values.combine` gives them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SchoolFacts:
    """What a text needs to know of the school."""

    name: str
    zone: str
    territory: str = "GB"
    """The country: decides between British and American dates."""
    language: str = "en"


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What a value needs to be put into words."""

    school: SchoolFacts
    neutral: bool
    phrases: Mapping[str, Phrases]
    """By language of the text in which a value stands."""
    shared: Mapping[str, Value]
    """Values that are the same for all readers, by normalised name."""

    def shared_words(self, slot: Slot) -> Words | None:
        """Say what all readers have in common; None for what differs."""
        if slot.name == CONTACT and self.neutral:
            return Words(self.phrases[slot.language].parent_or_carer())
        if slot.name not in self.shared:
            return None
        return words(self.shared[slot.name], slot, self.school.zone, self.school.territory)

    def saying(self, personal: Personal) -> Callable[[Slot], Words]:
        """Say values to one reader, each put into words once however often it stands in the parts of a mail."""
        values: dict[str, Value] = {
            **(unnamed(personal.values) if self.neutral else personal.values),
            CONTACT: one_line(personal.contact_name),
            STUDENTS: tuple([one_line(student) for student in personal.student_names]),
            LINK: personal.link,
            UNSUBSCRIBE: personal.unsubscribe_link,
        }
        said: dict[tuple[str, str, bool], Words] = {}

        def say(slot: Slot) -> Words:
            key = (slot.name, slot.language, slot.form in ADDRESS_FORMS)
            found = said.get(key)
            if found is None:
                found = said[key] = self._personal_words(slot, values, len(personal.student_names))
            return found

        return say

    def _personal_words(self, slot: Slot, values: Mapping[str, Value], students: int) -> Words:
        if (common := self.shared_words(slot)) is not None:
            return common
        if slot.name == STUDENTS and self.neutral:
            return Words(self.phrases[slot.language].your_children(students))
        # A value nobody supplied is empty: the intake has refused real gaps.
        return words(values.get(slot.name, ""), slot, self.school.zone, self.school.territory)
