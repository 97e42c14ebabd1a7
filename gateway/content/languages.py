"""Which language a reader gets, how it is named, and which way it runs.

Tags follow BCP 47. Two tags are "the same language" here when a reader of one can read the other: script counts,
territory does not. Scripts come from CLDR's likely subtags (Babel); the small tables below hold what it lacks or
gets wrong for families.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Literal, NamedTuple

from babel import Locale, UnknownLocaleError
from babel.core import get_global

LAST_RESORT = "en"
"""The language all fixed sentences are written in."""

_ALIASES = {
    "kmr": "ku",
    "mww": "hmn",  # Hmong Daw: its usual tag means a script that readers here do not use
    "nb": "no",
    "pnb": "pa-Arab",  # Babel widens Western Panjabi to Lahnda
    "ku-Arab": "ckb",  # Babel has it run left to right; Kurdish in Arabic script is Sorani
    "ku-IQ": "ckb",
    "ku-IR": "ckb",
}
_WRITTEN_AS = {"syl": "bn", "yue": "zh-Hant", "nn": "no"}
"""Languages whose readers read another one's standard form."""

_SCRIPTS = {"ber": "Latn", "hmn": "Latn", "no": "Latn"}
"""Languages without a likely script in CLDR, or with one that families here do not use."""

_RIGHT_TO_LEFT = frozenset({"Adlm", "Arab", "Hebr", "Mand", "Mend", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi"})

_NAMES = {"ksw": "S'gaw Karen", "pa-Arab": "Panjabi (Shahmukhi)", "rom": "Romani", "syl": "Sylheti"}
"""English names that CLDR lacks."""

_WITHOUT_OWN_FORMATS = {"ht"}
"""Languages for which Babel prints another language's dates (Haitian Creole: French)."""


class Choice(NamedTuple):
    """The language to use, and whether it is one the reader did not ask for."""

    language: str
    fell_back: bool


@lru_cache(maxsize=1024)
def canonical(tag: str) -> str:
    """Bring a tag to one spelling: `zh_TW` to `zh-Hant`, `urd` to `ur`, `prs` to `fa-AF`, `pa_PK` to `pa-Arab`.

    A script is written when it is not the language's own, always for Chinese; a territory only when it was given
    and did no more than choose the script. Raises ValueError for what is no tag at all.
    """
    language, script, territory = _subtags(tag)
    for spelling in (f"{language}-{script}", f"{language}-{territory}"):
        if spelling in _ALIASES:
            return _ALIASES[spelling]
    if alias := _ALIASES.get(language) or get_global("language_aliases").get(language):
        language, own_script, own_territory = _subtags(alias)
        script, territory = script or own_script, territory or own_territory
    usual = _likely_script(language)
    if not script and territory:
        likely = _likely_script(f"{language}_{territory}")
        if likely and (likely != usual or language == "zh"):
            script, territory = likely, ""
    if language == "zh":
        script, territory = script or usual, ""
    elif script == usual:
        script = ""
    return "-".join(part for part in (language, script, territory) if part)


def fallback_chain(language: str, school_language: str = LAST_RESORT) -> tuple[str, ...]:
    """List what to try, best first: `pt-BR`, `pt`, the school's language, English.

    Another script or a neighbour's language is never tried: Ukrainian readers get no Russian, Haitians no French.
    """
    chain = [*_own_chain(canonical(language)), *_own_chain(canonical(school_language)), LAST_RESORT]
    return tuple(dict.fromkeys(chain))


def choose(wanted: str, available: Collection[str], school_language: str = LAST_RESORT) -> Choice:
    """Pick the language for a reader out of those a text exists in; raises ValueError when there are none."""
    return _choose(wanted, frozenset(available), school_language)


@lru_cache(maxsize=4096)
def _choose(wanted: str, available: frozenset[str], school_language: str) -> Choice:
    if not available:
        raise ValueError("A text must exist in at least one language.")
    by_tag = {canonical(tag): tag for tag in sorted(available, reverse=True)}
    own = _own_chain(canonical(wanted))
    for tag in fallback_chain(wanted, school_language):
        for found in (tag, *sorted(other for other in by_tag if _base(other) == tag)):
            if found in by_tag:
                return Choice(by_tag[found], fell_back=tag not in own)
    return Choice(by_tag[min(by_tag)], fell_back=True)


def same(language: str, other: str) -> bool:
    """Tell whether readers of the first can read the second as their own: `en-US` and `en`, `syl` and `bn`."""
    bases = {_base(tag) for tag in _own_chain(canonical(language))}
    return _base(canonical(other)) in bases


@lru_cache(maxsize=1024)
def direction(language: str) -> Literal["ltr", "rtl"]:
    """Say which way the language runs."""
    return "rtl" if script_of(language) in _RIGHT_TO_LEFT else "ltr"


@lru_cache(maxsize=1024)
def script_of(language: str) -> str:
    """Name the script (ISO 15924) the language is written in; empty when unknown."""
    name, script, territory = _subtags(canonical(language))
    return script or _likely_script(f"{name}_{territory}") or _likely_script(name)


@lru_cache(maxsize=1024)
def locale_of(language: str, territory: str = "GB") -> Locale:
    """Find the conventions for dates and lists: the reader's language as used in the school's country.

    A tag's own territory wins; English without one takes the school's, or Americans and Britons would read each
    other's dates. A language Babel has no formats for takes those of its fallbacks, at last the school's English.
    """
    for tag in fallback_chain(language):
        name, script, own_territory = _subtags(tag)
        if name in _WITHOUT_OWN_FORMATS:
            continue
        for place in (own_territory or territory, ""):
            try:
                return Locale.parse("_".join(part for part in (name, script, place) if part))
            except UnknownLocaleError:
                continue
    raise AssertionError(f"Babel has lost {LAST_RESORT}")


@lru_cache(maxsize=1024)
def display_name(language: str, in_language: str) -> str:
    """Name a language in another one, for instance "Polish" in English."""
    tag = canonical(language)
    name, script, territory = _subtags(tag)
    names = locale_of(in_language).languages
    spellings = ("_".join(part for part in (name, script, territory) if part), f"{name}_{script}")
    found = next((names[spelling] for spelling in spellings if spelling in names), None)
    return found or _NAMES.get(tag) or names.get(name) or _NAMES.get(name) or tag


def _own_chain(tag: str) -> tuple[str, ...]:
    """List the tag, its wider forms, and the standard form its readers read."""
    chain = [tag]
    name, _script, territory = _subtags(tag)
    if territory:
        if get_global("parent_exceptions").get(tag.replace("-", "_")) == "es_419":
            chain.append("es-419")
        chain.append(_base(tag))
    if name in _WRITTEN_AS:
        chain.append(_WRITTEN_AS[name])
    return tuple(chain)


def _base(tag: str) -> str:
    """Drop the territory."""
    name, script, _territory = _subtags(tag)
    return f"{name}-{script}" if script else name


def _subtags(tag: str) -> tuple[str, str, str]:
    """Split a tag into language, script and territory, each empty when absent; variants are dropped."""
    name, *rest = tag.strip().replace("_", "-").split("-")
    if not (name.isascii() and name.isalpha() and 2 <= len(name) <= 8):
        raise ValueError(f"'{tag[:20]}' is not a language tag: use BCP 47, for instance 'pl' or 'pt-BR'.")
    script = territory = ""
    for part in rest:
        if len(part) == 4 and part.isalpha() and not script and not territory:
            script = part.title()
        elif not territory and ((len(part) == 2 and part.isalpha()) or (len(part) == 3 and part.isdigit())):
            territory = part.upper()
        else:
            break
    return name.lower(), script, territory


def _likely_script(name: str) -> str:
    """Look up the script a language is usually written in; empty when unknown."""
    if name in _SCRIPTS:
        return _SCRIPTS[name]
    likely = get_global("likely_subtags").get(name)
    return _subtags(likely)[1] if likely else ""
