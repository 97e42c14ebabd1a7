"""What is said in a call round its text: to a machine, and about the keys. None of it is about anybody (R41)."""

from dataclasses import dataclass

from gateway.content.phrases import Phrases


@dataclass(frozen=True, kw_only=True, slots=True)
class CallWords:
    """The fixed words of a call, as `channels.base.Call` names them."""

    voicemail: str
    invitation: str
    keys: str
    thanks: str


def call_words(phrases: Phrases, school: str, *, drill: bool) -> CallWords:
    """Write them; a machine hears which school has called, that there is a message and whom to ask."""
    mark = [f"{phrases.drill()}."] if drill else []
    return CallWords(
        voicemail=" ".join([*mark, phrases.voice_opening(school), phrases.voice_notice()]),
        invitation=phrases.voice_invitation(),
        keys=phrases.voice_keys(),
        thanks=phrases.voice_thanks(),
    )
