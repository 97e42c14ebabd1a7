"""What Twilio is told to do in a call, as TwiML: text is data, never markup, and nothing is too long for its voice."""

import re
from collections.abc import Iterator
from urllib.parse import quote

from twilio.twiml.voice_response import Gather, VoiceResponse  # type: ignore[import-untyped]  # it ships no type marker

from channels.voice_languages import VOICES, Voice

LONGEST_SAY = 2_900
"""Of one `<Say>`, counted as in a URL. Twilio allows 3,000 bytes to a Polly voice, 5,000 to Google's, and 4,500 to the
text in a URL (its error 13521); a letter of Arabic takes 2 bytes and 6 signs there, one of Bengali 3 and 9."""

LONGEST_DOCUMENT = 64_000
"""Bytes: Twilio reads no TwiML above 64 KiB (its error 11750), and what stands round a text is short."""

DECISION_SECONDS = 6
"""How long a person may think about which key to press."""

APOLOGY = "We are sorry, this call cannot be continued. Goodbye."
"""Said where nobody can tell who listens, or in which language: it tells nothing, not even who calls."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Signs that no XML document may hold, however written (XML 1.0, section 2.2)."""

_ENDS = re.compile(r"(?<=[.!?\u06d4\u0964\u104b\u1362])\s+|\n+|(?<=[\u3002\uff01\uff1f])")
_WORDS = re.compile(r"\s+")


def said_with_keys(text: str, voice: Voice, *, then: str, seconds: int) -> bytes:
    """Say a text, during which and for some seconds after which a key may be pressed; then ask again at `then`.

    Twilio asks without a key as well, which shows that the text was said to its end and nobody had hung up.
    """
    response = VoiceResponse()
    gather = Gather(
        input="dtmf",
        num_digits=1,
        timeout=seconds,
        finish_on_key="",
        action=then,
        method="POST",
        action_on_empty_result=True,
    )
    _say(gather, text, voice)
    response.append(gather)
    return _written(response)


def said_last(text: str, voice: Voice) -> bytes:
    """Say a text and end the call."""
    response = VoiceResponse()
    _say(response, text, voice)
    response.hangup()
    return _written(response)


def left_on_machine(text: str, voice: Voice) -> bytes:
    """Say a text after the beep, whose last moment would swallow its first word, and end the call."""
    response = VoiceResponse()
    response.pause(length=1)
    _say(response, text, voice)
    response.hangup()
    return _written(response)


def asked_again(url: str, *, seconds: int) -> bytes:
    """Keep the line for some seconds, then ask at `url`."""
    response = VoiceResponse()
    response.pause(length=seconds)
    response.redirect(url, method="POST")
    return _written(response)


def ended() -> bytes:
    """End the call without a word."""
    response = VoiceResponse()
    response.hangup()
    return _written(response)


def apology() -> bytes:
    """Say that the call cannot go on, in English."""
    return said_last(APOLOGY, VOICES["en"])


def sayable(text: str, voice: Voice) -> bool:
    """Tell whether a text fits into a document."""
    return len(said_last(text, voice)) <= LONGEST_DOCUMENT


def pieces(text: str, most: int = LONGEST_SAY) -> list[str]:
    """Cut a text into pieces that one `<Say>` takes: between sentences, else between words, else anywhere."""
    found: list[str] = []
    for part in _parts(_NOT_XML.sub(" ", text), most):
        if found and _length(f"{found[-1]} {part}") <= most:
            found[-1] = f"{found[-1]} {part}"
        else:
            found.append(part)
    return found


def _parts(text: str, most: int) -> Iterator[str]:
    """Give the sentences, of those that are too long the words, of those that are too long bits."""
    for sentence in filter(None, map(str.strip, _ENDS.split(text))):
        if _length(sentence) <= most:
            yield sentence
            continue
        for word in _WORDS.split(sentence):
            size = max(1, most // 12)  # no sign takes more than 4 bytes, 12 signs in a URL
            whole = _length(word) <= most
            yield from [word] if whole else [word[start : start + size] for start in range(0, len(word), size)]


def _length(text: str) -> int:
    return len(quote(text, safe=""))


def _say(into: VoiceResponse | Gather, text: str, voice: Voice) -> None:
    for piece in pieces(text):
        into.say(piece, voice=voice.name, language=voice.language)


def _written(response: VoiceResponse) -> bytes:
    document: str = response.to_xml()
    return document.encode()
