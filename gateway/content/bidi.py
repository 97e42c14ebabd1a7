"""Keeps text that runs to the left and text that runs to the right from reordering each other (UAX 9, isolates).

Without it `020 7946 0123` inside an Arabic sentence is shown as `0123 7946 020`.
"""

import re

LEFT_TO_RIGHT, FIRST_STRONG, POP = "\u2066", "\u2068", "\u2069"

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
_NUMBER_IN_GROUPS = r"\+?\(?\d+\)?(?:[ -]\(?\d+\)?)+"
_ALWAYS_LEFT_TO_RIGHT = re.compile(rf"\+?\d+|{_NUMBER_IN_GROUPS}|\w+://\S+|www\.\S+|[^\s@]+@[^\s@]+")
_TELEPHONE = re.compile(rf"(?<![\d\u2066/:-]){_NUMBER_IN_GROUPS}(?![\d/:-])")
_MARKS = dict.fromkeys(range(0x2066, 0x206A))


def isolated(text: str, *, right_to_left: bool) -> str:
    """Isolate a value among words of the given direction, line by line, if the two could disturb each other."""
    if not text or (not right_to_left and (text.isascii() or not _RIGHT_TO_LEFT.search(text))):
        return text
    if "\n" in text:
        return "\n".join(isolated(line, right_to_left=right_to_left) for line in text.split("\n"))
    opening = LEFT_TO_RIGHT if _ALWAYS_LEFT_TO_RIGHT.fullmatch(text) else FIRST_STRONG
    return f"{opening}{text}{POP}"


def with_isolated_numbers(text: str) -> str:
    """Isolate the telephone numbers an author wrote into a text that runs from right to left."""
    return _TELEPHONE.sub(lambda match: f"{LEFT_TO_RIGHT}{match[0]}{POP}" if _digits(match[0]) >= 7 else match[0], text)


def without_isolates(text: str) -> str:
    """Take the marks out, for channels that would show or speak them."""
    return text if text.isascii() else text.translate(_MARKS)


def _digits(text: str) -> int:
    return sum(character.isdecimal() for character in text)
