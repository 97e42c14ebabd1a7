"""What an export's words make of a contact: a relation in our vocabulary, a link that holds what is not known, a block.

Exports say less than the rules ask. Whatever they leave open is filled so that the rules hold personal mail: nobody
who may be a parent is dropped without a word, and nobody is taken for one on a guess.
"""

import hashlib
import re

import msgspec

from gateway.directory.model import Basis, Effect, Flag, Relationship, Responsibility, Restriction

Pair = tuple[str, str]
"""Student id and contact id."""

PROFESSIONS = frozenset(
    {
        "social_worker",
        "aide",
        "doctor",
        "educational_psychologist",
        "family_support_worker",
        "health_visitor",
        "police_officer",
        "school_nurse",
        "therapist",
        "youth_worker",
    }
)
"""Relations that make a contact a professional."""

NATURAL_PARENTS = frozenset(
    {
        "mother",
        "father",
        "natural_mother",
        "natural_father",
        "natural_parent",
        "birth_mother",
        "birth_father",
        "birth_parent",
        "biological_mother",
        "biological_father",
        "biological_parent",
        "mother_natural",
        "father_natural",
    }
)
"""Relations that say without doubt who is a natural parent, in systems that name step and foster parents apart."""

CARERS = frozenset({"foster_carer", "kinship_carer", "residential_carer"})

_MAY_BE_PARENTS = NATURAL_PARENTS | {
    "",
    "parent",
    "carer",
    "guardian",
    "legal_guardian",
    "court_appointed_guardian",
    "special_guardian",
    "adoptive_parent",
    "adoptive_parents",
    "adoptive_mother",
    "adoptive_father",
    "parent_guardian",
    "mother_adoptive",
    "father_adoptive",
}
"""Relations under which a school files parents, the missing one among them."""

_NEVER_PARENTS = frozenset(
    {
        "relative",
        "aunt",
        "childminder",
        "friend",
        "grandfather",
        "grandmother",
        "grandparent",
        "neighbour",
        "sibling",
        "uncle",
    }
)

_SAME_RELATION = {
    "step_father": "step_parent",
    "step_mother": "step_parent",
    "stepfather": "step_parent",
    "stepmother": "step_parent",
    "stepparent": "step_parent",
    "father_step": "step_parent",
    "mother_step": "step_parent",
    "parent_step": "step_parent",
    "foster_parent": "foster_carer",
    "foster_father": "foster_carer",
    "foster_mother": "foster_carer",
    "father_foster": "foster_carer",
    "mother_foster": "foster_carer",
    "parent_foster": "foster_carer",
}


def relation_of(text: str) -> str:
    """Write a relation the one way the rules read it: `Father, step` is `step_parent`."""
    relation = re.sub(r"[\s,/()-]+", "_", text.lower()).strip("_")
    return _SAME_RELATION.get(relation, relation)


def professional_of(relation: str) -> str | None:
    """Name the profession by which a contact has to do with the student; None for family and friends."""
    return relation if relation in PROFESSIONS else None


def nothing_known(student: str, contact: str, relation: str, *, united_states: bool = False) -> Relationship:
    """Link a pair of which only the link is known, so that the rules send general news at most and hold the rest.

    Residence is the one thing assumed, and only of those who may be a parent; it entitles to nothing by itself (R08,
    R13). In the US it would not even hold, so that there whoever may be a parent is held as one (R10b).
    """
    professional = professional_of(relation)
    link = Relationship(
        student=student,
        contact=contact,
        relation=relation,
        professional=professional,
        lives_with=professional is None and relation not in _NEVER_PARENTS,
    )
    return held_as_parent(link) if united_states and relation in _MAY_BE_PARENTS else link


def held_as_parent(link: Relationship, *, proven: bool = False) -> Relationship:
    """Flag a parent without explanation: everything is held (R10b) but emergencies, bills and the own account.

    Unless proven otherwise the link is made a natural parent's, since a flag holds only what reaches a parent.
    """
    return msgspec.structs.replace(
        link,
        natural_parent=link.natural_parent or not proven,
        correspondence=Flag.NO,
        correspondence_reason="unexplained",
        reports=Flag.NO,
        reports_reason="unexplained",
    )


def held_if_unproven(link: Relationship, *, united_states: bool) -> Relationship:
    """Hold a link that is read in full, yet leaves open whether its contact, filed as a parent, is one."""
    if link.relation not in _MAY_BE_PARENTS or link.natural_parent or link.legal_guardian:
        return link
    if not united_states and link.parental_responsibility is not Responsibility.UNKNOWN:
        return link
    if united_states or Flag.NO in (link.correspondence, link.reports):
        return held_as_parent(link)
    return msgspec.structs.replace(link, lives_with=True)


def held_if_unread(stated: Relationship, *, dates_known: bool = True, united_states: bool = False) -> Relationship:
    """Keep a pair whose row could not be read in full, in the form that makes the rules hold personal mail.

    Whom the readable values show to be a parent is flagged without explanation (R10b), so that an emergency still
    arrives; of everybody else only the link and a `no` are believed.
    """
    parent = stated.natural_parent or stated.legal_guardian or (stated.lives_with and stated.care_of_child)
    responsible = stated.parental_responsibility is Responsibility.YES
    if dates_known and (parent or responsible):
        return held_as_parent(stated, proven=parent or not united_states)  # responsibility makes no parent in the US
    bare = nothing_known(stated.student, stated.contact, stated.relation, united_states=united_states)
    flagged = msgspec.structs.replace(
        bare,
        correspondence=Flag.NO if stated.correspondence is Flag.NO else bare.correspondence,
        reports=Flag.NO if stated.reports is Flag.NO else bare.reports,
    )
    return held_if_unproven(flagged, united_states=united_states)


def draft_block(pair: Pair, reference: str) -> Restriction:
    """Bar a pair as a draft: a file can bar, but only two people can make or lift a restriction."""
    return Restriction(id=reference, student=pair[0], contact=pair[1], effect=Effect.DENY, basis=Basis.COURT_ORDER)


def id_for_pair(reference: str, pair: Pair) -> str:
    """Make an id depend on reference and pair alone, so that a new sibling never takes over another's record."""
    return f"{reference}-{hashlib.sha256(repr(pair).encode()).hexdigest()[:16]}"
