"""What is said in a call round its text: to a machine, and about the keys. None of it is about anybody (R41)."""

from dataclasses import dataclass

from gateway.content.phrases import Phrases


@dataclass(frozen=True, kw_only=True, slots=True)
class CallWords:
    """The fixed words of a call, as `channels.base.Call` names them."""

    voicemail: str
    invitation: str = ""
    keys: str = ""
    thanks: str = ""


def call_words(phrases: Phrases, school: str, *, drill: bool, tells: bool = True) -> CallWords:
    """Write them; a machine hears which school has called, that there is a message and whom to ask.

    `tells` is False where people, too, hear only that there is a message: there is nothing more to be had by a key,
    and nobody can confirm what was not said.
    """
    mark = [f"{phrases.drill()}."] if drill else []
    note = " ".join([*mark, phrases.voice_opening(school), phrases.voice_notice()])
    if not tells:
        return CallWords(voicemail=note)
    return CallWords(
        voicemail=note,
        invitation=phrases.voice_invitation(),
        keys=phrases.voice_keys(),
        thanks=phrases.voice_thanks(),
    )
