"""Single words that people text to steer what they get: STOP, START, HELP, and STOP with a kind of news (R33, R21).

Only a whole message counts: who writes "please stop by the office" wants no end of anything. Capitals, accents,
punctuation, blanks and emoji make no difference.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from gateway.directory.model import Category


class Wish(StrEnum):
    """What a word asks for."""

    STOP = "stop"
    START = "start"
    HELP = "help"


class Asked(NamedTuple):
    """What a message of one word asks for."""

    wish: Wish
    language: str
    """Whose word it is: English where the word is many languages'."""
    category: Category | None = None
    """For STOP with a kind of news: which; None means all texts."""


WORDS: Mapping[str, Mapping[Wish, str]] = {
    "en": {
        # The first eight are those that Twilio obeys by itself; what it blocks we must not take for a reply.
        Wish.STOP: "stop, stop all, unsubscribe, cancel, end, quit, revoke, opt out",
        Wish.START: "start, unstop, opt in",
        Wish.HELP: "help, info",
    },
    "cy": {Wish.STOP: "stopio, stopiwch, dad-danysgrifio", Wish.START: "dechrau, cychwyn", Wish.HELP: "cymorth"},
    "pl": {
        Wish.STOP: "zatrzymaj, wypisz, wypisz mnie, rezygnuję",
        Wish.START: "wznów, zapisz mnie",
        Wish.HELP: "pomoc",
    },
    "ur": {
        Wish.STOP: "روکیں, روک دیں, بند کریں, بند کرو",
        Wish.START: "شروع, شروع کریں",
        Wish.HELP: "مدد",
    },
    "ro": {Wish.STOP: "oprire, oprește, opriți, dezabonare", Wish.START: "pornire, reia", Wish.HELP: "ajutor"},
    "ar": {
        Wish.STOP: "توقف, أوقف, إيقاف, إلغاء الاشتراك",
        Wish.START: "ابدأ, بدء, استئناف",
        Wish.HELP: "مساعدة",
    },
    "so": {Wish.STOP: "jooji, joojin", Wish.START: "bilow, bilaab", Wish.HELP: "caawimo, caawimaad"},
    "pt-PT": {Wish.STOP: "parar, pare, sair", Wish.START: "iniciar, começar, retomar", Wish.HELP: "ajuda"},
    "bn": {
        Wish.STOP: "বন্ধ করুন, বন্ধ করো, থামান",
        Wish.START: "শুরু, শুরু করুন, চালু করুন",
        Wish.HELP: "সাহায্য, সহায়তা",
    },
    "zh-Hans": {Wish.STOP: "停止, 退订, 取消订阅", Wish.START: "开始, 恢复, 订阅", Wish.HELP: "帮助"},
    "uk": {
        Wish.STOP: "стоп, зупинити, відписатися",
        Wish.START: "старт, почати, відновити",
        Wish.HELP: "допомога",
    },
}
"""The words of each language of the catalogues; STOP, START and HELP themselves hold in all of them."""

KINDS: Mapping[str, Mapping[Category, str]] = {
    "en": {
        Category.NEWSLETTER: "news, newsletter, newsletters",
        Category.FUNDRAISING: "fundraising, fundraisers, donations",
        Category.CELEBRATION: "celebration, celebrations, praise",
    },
    "cy": {
        Category.NEWSLETTER: "newyddion, cylchlythyr",
        Category.FUNDRAISING: "codi arian, rhoddion",
        Category.CELEBRATION: "dathlu, dathliadau, canmoliaeth",
    },
    "pl": {
        Category.NEWSLETTER: "aktualności, biuletyn, nowości",
        Category.FUNDRAISING: "zbiórki, zbiórka, darowizny",
        Category.CELEBRATION: "pochwały, uroczystości",
    },
    "ur": {
        Category.NEWSLETTER: "خبریں, خبرنامہ",
        Category.FUNDRAISING: "چندہ, عطیات",
        Category.CELEBRATION: "جشن, تقریبات",
    },
    "ro": {
        Category.NEWSLETTER: "noutăți, știri, buletin informativ",
        Category.FUNDRAISING: "donații, strângere de fonduri",
        Category.CELEBRATION: "sărbătoriri, felicitări, festivități",
    },
    "ar": {
        Category.NEWSLETTER: "أخبار, الأخبار, النشرة",
        Category.FUNDRAISING: "تبرعات, التبرعات",
        Category.CELEBRATION: "احتفالات, الاحتفالات",
    },
    "so": {
        Category.NEWSLETTER: "warar, wararka, warsidaha",
        Category.FUNDRAISING: "tabarucaad, lacag ururin",
        Category.CELEBRATION: "dabbaaldeg, ammaan",
    },
    "pt-PT": {
        Category.NEWSLETTER: "notícias, novidades, boletim",
        Category.FUNDRAISING: "donativos, angariação de fundos",
        Category.CELEBRATION: "celebrações, elogios",
    },
    "bn": {
        Category.NEWSLETTER: "খবর, সংবাদ, নিউজলেটার",
        Category.FUNDRAISING: "অনুদান, তহবিল সংগ্রহ",
        Category.CELEBRATION: "উদযাপন, প্রশংসা",
    },
    "zh-Hans": {
        Category.NEWSLETTER: "新闻, 通讯, 简报",
        Category.FUNDRAISING: "募捐, 筹款, 捐款",
        Category.CELEBRATION: "庆祝, 表扬",
    },
    "uk": {
        Category.NEWSLETTER: "новини, бюлетень",
        Category.FUNDRAISING: "збір коштів, пожертви",
        Category.CELEBRATION: "святкування, похвала",
    },
}
"""Words for the kinds of news that carry one-click unsubscribe in mails: of those, a text may name one, too."""

_CONSENT = frozenset({"yes", "ok", "okay", "1"})

_IGNORED = (
    ("\u0300", "\u036f"),
    ("\u0640", "\u0640"),
    ("\u064b", "\u065f"),
    ("\u20d0", "\u20ff"),
    ("\ufe00", "\ufe0f"),
)
"""Accents, the line that stretches Arabic words, Arabic vowel signs, and what turns figures into emoji."""

LONGEST = 60
"""Characters: a longer message is no keyword, whatever it says."""


def asked_by(body: str) -> Asked | None:
    """Read what a message asks for, if it is nothing but such a word."""
    return _TABLE.get(_bare(body)) if len(body) <= LONGEST else None


def confirms(body: str) -> bool:
    """Tell whether a message says in one word or figure that it was read."""
    return len(body) <= LONGEST and _bare(body) in _CONSENT


def _bare(text: str) -> str:
    """Reduce a text to what tells words apart: letters in one case, figures, the marks that scripts cannot do without.

    Accents over Latin and Cyrillic letters and the hamza go, since half of all people leave them out.
    """
    folded = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in folded if _tells(letter))


def _tells(letter: str) -> bool:
    if any(first <= letter <= last for first, last in _IGNORED):
        return False
    return unicodedata.category(letter)[0] in "LNM"


def _listed(words: str) -> Iterator[str]:
    return (_bare(word) for word in words.split(", "))


def _entries() -> Iterable[tuple[str, Asked]]:
    """Write all messages out that count; of a word that two languages share the first one's stands."""
    for language, wishes in WORDS.items():
        for wish, words in wishes.items():
            for word in _listed(words):
                yield word, Asked(wish, language)
    for language, kinds in KINDS.items():
        stops = [_bare("stop"), *_listed(WORDS[language][Wish.STOP])]
        for category, words in kinds.items():
            for word in _listed(words):
                for stop in stops:
                    yield stop + word, Asked(Wish.STOP, language, category)
                    yield word + stop, Asked(Wish.STOP, language, category)


_TABLE: Mapping[str, Asked] = MappingProxyType(dict(reversed(list(_entries()))))
