"""A specimen of a letter, typeset to see whether fonts and typesetter are there (`gateway doctor`)."""

import asyncio

from channels.base import Sheet
from channels.letter_sheet import LetterError, typeset

_SPECIMEN = Sheet(
    address=("A. Parent", "1 School Road", "ZZ9 9ZZ"),
    sender=("School",),
    date="1 September 2026",
    subject="Specimen",
    blocks=({"kind": "paragraph", "text": [{"text": "Zażółć اردو বাংলা 中文", "link": None}]},),
    language="en",
    right_to_left=False,
    size=11,
    sealed=False,
)
"""A letter that needs most of the fonts."""


async def letter_fault() -> str | None:
    """Say in one sentence why letters cannot be typeset, or None."""
    try:
        await asyncio.to_thread(typeset, _SPECIMEN)
    except LetterError as error:
        return error.explanation
    return None
