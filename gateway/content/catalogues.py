"""The translations of the fixed sentences: read from `.po` files, compiled in memory, chained along the fallbacks."""

import gettext
import re
from collections.abc import Mapping
from io import BytesIO
from itertools import pairwise

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

from gateway.content.languages import LAST_RESORT, canonical, choose, fallback_chain, locale_of
from gateway.content.phrases import Phrases


class CatalogueError(ValueError):
    """A catalogue cannot be used: one sentence that names its language and the sentence at fault."""


class Catalogues:
    """All translations of the fixed sentences, and the phrases of each language made from them."""

    def __init__(self, compiled: Mapping[str, bytes]) -> None:
        """Keep compiled catalogues (`.mo`) by canonical language tag."""
        self._compiled = dict(compiled)
        self._phrases: dict[tuple[str, str], Phrases] = {}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "Catalogues":
        """Read `.po` files by language; raises `CatalogueError` when a translation would lose or invent a value."""
        return cls({canonical(language): _compiled(language, content) for language, content in files.items()})

    @property
    def languages(self) -> frozenset[str]:
        """The languages the fixed sentences exist in; English always."""
        return frozenset({LAST_RESORT, *self._compiled})

    def phrases(self, language: str, school_language: str = LAST_RESORT) -> Phrases:
        """Give the fixed sentences in the language nearest to the one wanted; `Phrases.language` says which."""
        key = (language, school_language)
        if key not in self._phrases:
            chosen = choose(language, self.languages, school_language).language
            self._phrases[key] = Phrases(chosen, self._chain(chosen))
        return self._phrases[key]

    def _chain(self, language: str) -> gettext.NullTranslations:
        """Chain the catalogues, so that a sentence one of them lacks comes from the next, at last in English."""
        links: list[gettext.NullTranslations] = []
        for tag in fallback_chain(language):
            if tag in self._compiled:
                links.append(gettext.GNUTranslations(BytesIO(self._compiled[tag])))
            if tag == LAST_RESORT:
                break
        links.append(gettext.NullTranslations())
        for link, following in pairwise(links):
            link.add_fallback(following)
        return links[0]


def _compiled(language: str, content: bytes) -> bytes:
    """Compile one catalogue after checking every entry."""
    try:
        catalogue = read_po(BytesIO(content), locale=str(locale_of(language)), abort_invalid=True)
    except (PoFileError, ValueError, UnicodeDecodeError) as error:
        raise CatalogueError(f"The catalogue for '{language}' is not a readable .po file: {error}.") from error
    for message in catalogue:
        if message.id and not message.fuzzy:
            _check(language, message)
    return _written(catalogue)


def _check(language: str, message: Message) -> None:
    """Refuse a translation whose placeholders are not those of the sentence."""
    sources = message.id if isinstance(message.id, (tuple, list)) else (message.id,)
    translations = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    wanted = _placeholders(sources[-1])
    for translation in translations:
        if translation and _placeholders(translation) != wanted:
            raise CatalogueError(
                f"The catalogue for '{language}' must use {_listed(wanted)} and nothing else in its translation of "
                f"'{sources[0]}'."
            )


def _placeholders(sentence: str) -> tuple[str, ...]:
    """List everything that starts with a percent sign, sorted; "%%" is none."""
    return tuple(sorted(re.findall(r"%(?:\(\w*\)s|(?!%).?)", sentence.replace("%%", ""), re.DOTALL)))


def _listed(placeholders: tuple[str, ...]) -> str:
    return ", ".join(placeholders) or "no placeholder"


def _written(catalogue: Catalog) -> bytes:
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    return compiled.getvalue()
