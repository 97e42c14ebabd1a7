"""R35: a template may not ask for another person's data; checked by the names of its placeholders when it is saved.

The sender of a notification fills a placeholder with one value for every reader about a student. A value called after
one of the student's people would therefore tell everybody else about that person: `((mother_phone))` in the father's
letter. Names are compared without case, accents and separators; what nobody has called after a person may still hold
one's data, which the search of every text before it leaves is there for (R38).
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise

_BORDER = re.compile(r"[^\w]+|_+|(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?!st|nd|rd)(?=[^\W\d_])")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_PEOPLE = _listed(
    """
    mother mum mummy mam mom mommy stepmother stepmum stepmom father dad daddy stepfather stepdad
    grandmother grandma gran granny grandfather grandad grandpa husband wife spouse
    matka matki mama ojciec ojca tata madre padre mae pai tatal tad hooyo aabo aabbe mutter vater mere pere
    """
)
"""One of the student's people, whoever reads; in English and as schools with families from elsewhere write it."""

_ROLES = _listed("parent guardian carer caregiver rodzic opiekun encarregado parinte rhiant gofalwr waalid")
"""Words that mean the reader in one letter and somebody else in the other."""

_OTHERS = _listed("other another absent ex former nonresident drugi inny outro alt arall kale")
_ORDINALS = _listed("first second secondary third primary main 1st 2nd 3rd")

_DATA = _listed(
    """
    name surname title address postcode email mail phone telephone mobile number language answer reply response
    consent booking appointment slot status state
    """
)
"""What must not be told of somebody else."""

_OCCASIONS = frozenset(("tongue", "day"))
"""A mother tongue and Mother's Day are nobody's data."""


def asks_for_another(name: str) -> bool:
    """Tell whether a placeholder's name, as its author wrote it, asks for data of somebody who may not be the reader.

    That is whatever is called after one of the student's people; a second or other parent, carer or contact; and a
    name, number, answer and so on of `the parent`, who for one of two readers is the other one.
    """
    words = [_singular(word) for word in _words(name)]
    if not words:
        return False
    return (
        any(word in _PEOPLE and following not in _OCCASIONS for word, following in pairwise([*words, ""]))
        or any(_is_other(first, second) for first, second in pairwise(words))
        or ("of" in words and not _OTHERS.isdisjoint(words))
        or (not _ROLES.isdisjoint(words) and words[-1] in _DATA)
        or _TOGETHER.fullmatch("".join(words)) is not None
    )


def another_persons(names: Iterable[str]) -> list[str]:
    """Say in sentences which placeholders ask for another person's data, and what to do instead."""
    return [
        f"The placeholder (({name})) asks for data of one of the student's people, which everybody else would read, "
        "too (R35): leave it out, or greet the reader with ((contact_name))."
        for name in sorted(names)
        if asks_for_another(name)
    ]


def _is_other(first: str, second: str) -> bool:
    """Find `other parent`, `second contact`, `carer 2`; a second parents' evening is nobody."""
    roles = _ROLES | {"contact"}
    return (first in _OTHERS | _ORDINALS and second in roles) or (first in roles and second.isdecimal())


def _words(name: str) -> Sequence[str]:
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    return [word.casefold() for word in _BORDER.split(re.sub(r"['\u2019]", "", plain)) if word]


def _singular(word: str) -> str:
    """Leave the s of a plural or a genitive out where the word is one of a person; parents stay many."""
    return word[:-1] if word.endswith("s") and word[:-1] in _PEOPLE | _DATA else word


def _any_of(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_TOGETHER = re.compile(
    rf"(?:{_any_of(_PEOPLE)})s?(?:{_any_of(_DATA)})s?"
    rf"|(?:{_any_of(_OTHERS | _ORDINALS)})(?:{_any_of(_ROLES)}|contact)s?(?:{_any_of(_DATA)})?s?"
    rf"|(?:{_any_of(_ROLES)})s?(?:{_any_of(_DATA)})s?"
)
"""The same written in one word: `mothersname`, `otherparentemail`, `carerphone`."""
