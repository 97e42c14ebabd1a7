"""Which voice reads which language in a Twilio call.

Voices and languages are those that Twilio's own client lists for `<Say>` (`SayVoice`, `SayLanguage` of its Node
library); where it lists a voice without its language, as for Lithuanian, Basque and Galician, nobody has said that the
pair works and the language is left out. Urdu, Somali, Persian, Dari, Pashto, Kurdish, Albanian, Tigrinya, Swahili and
Panjabi in Arabic script have no voice: a text must not be read out by one of another language.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Voice(NamedTuple):
    """A voice and the language it is told to speak, as in the attributes of `<Say>`."""

    name: str
    language: str


VOICES: Mapping[str, Voice] = MappingProxyType(
    {
        "af": Voice("Google.af-ZA-Standard-A", "af-ZA"),
        "am": Voice("Google.am-ET-Wavenet-A", "am-ET"),
        "ar": Voice("Google.ar-XA-Wavenet-A", "ar-XA"),
        "bg": Voice("Google.bg-BG-Standard-A", "bg-BG"),
        "bn": Voice("Google.bn-IN-Wavenet-A", "bn-IN"),
        "ca": Voice("Polly.Arlet-Neural", "ca-ES"),
        "cs": Voice("Google.cs-CZ-Wavenet-A", "cs-CZ"),
        "cy": Voice("Polly.Gwyneth", "cy-GB"),
        "da": Voice("Polly.Sofie-Neural", "da-DK"),
        "de": Voice("Polly.Vicki-Neural", "de-DE"),
        "de-AT": Voice("Polly.Hannah-Neural", "de-AT"),
        "el": Voice("Google.el-GR-Wavenet-A", "el-GR"),
        "en": Voice("Polly.Amy-Neural", "en-GB"),
        "en-AU": Voice("Polly.Olivia-Neural", "en-AU"),
        "en-IE": Voice("Polly.Niamh-Neural", "en-IE"),
        "en-NZ": Voice("Polly.Aria-Neural", "en-NZ"),
        "en-US": Voice("Polly.Joanna-Neural", "en-US"),
        "es": Voice("Polly.Lucia-Neural", "es-ES"),
        "es-419": Voice("Polly.Mia-Neural", "es-MX"),
        "es-MX": Voice("Polly.Mia-Neural", "es-MX"),
        "es-US": Voice("Polly.Lupe-Neural", "es-US"),
        "fi": Voice("Polly.Suvi-Neural", "fi-FI"),
        "fil": Voice("Google.fil-PH-Wavenet-A", "fil-PH"),
        "fr": Voice("Polly.Lea-Neural", "fr-FR"),
        "fr-BE": Voice("Polly.Isabelle-Neural", "fr-BE"),
        "fr-CA": Voice("Polly.Gabrielle-Neural", "fr-CA"),
        "gu": Voice("Google.gu-IN-Wavenet-A", "gu-IN"),
        "he": Voice("Google.he-IL-Wavenet-A", "he-IL"),
        "hi": Voice("Google.hi-IN-Wavenet-A", "hi-IN"),
        "hu": Voice("Google.hu-HU-Wavenet-A", "hu-HU"),
        "id": Voice("Google.id-ID-Wavenet-A", "id-ID"),
        "is": Voice("Polly.Dora", "is-IS"),
        "it": Voice("Polly.Bianca-Neural", "it-IT"),
        "ja": Voice("Polly.Kazuha-Neural", "ja-JP"),
        "kn": Voice("Google.kn-IN-Wavenet-A", "kn-IN"),
        "ko": Voice("Polly.Seoyeon-Neural", "ko-KR"),
        "lv": Voice("Google.lv-LV-Standard-A", "lv-LV"),
        "ml": Voice("Google.ml-IN-Wavenet-A", "ml-IN"),
        "mr": Voice("Google.mr-IN-Wavenet-A", "mr-IN"),
        "ms": Voice("Google.ms-MY-Wavenet-A", "ms-MY"),
        "nb": Voice("Polly.Ida-Neural", "nb-NO"),
        "nl": Voice("Polly.Laura-Neural", "nl-NL"),
        "nl-BE": Voice("Polly.Lisa-Neural", "nl-BE"),
        "no": Voice("Polly.Ida-Neural", "nb-NO"),
        "pa": Voice("Google.pa-IN-Wavenet-A", "pa-IN"),
        "pl": Voice("Polly.Ola-Neural", "pl-PL"),
        "pt": Voice("Polly.Ines-Neural", "pt-PT"),
        "pt-BR": Voice("Polly.Camila-Neural", "pt-BR"),
        "ro": Voice("Google.ro-RO-Wavenet-A", "ro-RO"),
        "ru": Voice("Google.ru-RU-Wavenet-A", "ru-RU"),
        "sk": Voice("Google.sk-SK-Wavenet-A", "sk-SK"),
        "sr": Voice("Google.sr-RS-Standard-A", "sr-RS"),
        "sv": Voice("Polly.Elin-Neural", "sv-SE"),
        "ta": Voice("Google.ta-IN-Wavenet-A", "ta-IN"),
        "te": Voice("Google.te-IN-Standard-A", "te-IN"),
        "th": Voice("Google.th-TH-Standard-A", "th-TH"),
        "tr": Voice("Polly.Burcu-Neural", "tr-TR"),
        "uk": Voice("Google.uk-UA-Wavenet-A", "uk-UA"),
        "vi": Voice("Google.vi-VN-Wavenet-A", "vi-VN"),
        "yue": Voice("Google.yue-HK-Standard-A", "yue-HK"),
        "zh": Voice("Polly.Zhiyu-Neural", "cmn-CN"),
        "zh-Hans": Voice("Polly.Zhiyu-Neural", "cmn-CN"),
        "zh-Hant": Voice("Google.cmn-TW-Wavenet-A", "cmn-TW"),
    }
)
"""By BCP 47 tag: a language alone, or one with the territory or script that needs a voice of its own."""


def voice_for(language: str) -> Voice | None:
    """Choose the voice for a BCP 47 tag; None where none can read it, as a language in another script than usual."""
    base, *others = language.replace("_", "-").split("-")
    base = base.lower()
    script = next((part.title() for part in others if len(part) == 4), "")
    if script:
        return VOICES.get(f"{base}-{script}")
    territory = next((part.upper() for part in others if len(part) in {2, 3}), "")
    return VOICES.get(f"{base}-{territory}") or VOICES.get(base)
