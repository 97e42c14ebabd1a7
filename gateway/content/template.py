"""A message's text as its author wrote it, parsed once; every channel's writer works from the result.

The text is a small part of Markdown: headings, paragraphs, lists, insets, rules and links, with `((name))` for
values and `((name??text))` for text shown when the value says yes. Line ends inside a paragraph are kept, because
a signature is not a sentence.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from gateway.content.languages import canonical

SAFE_SCHEMES = ("http", "https", "mailto", "tel")
"""What a link may lead to; anything else could run in the reader's mail program."""


class TemplateError(ValueError):
    """A text cannot be used: one sentence for its author that names the line."""


@lru_cache(maxsize=1024)
def normalised(name: str) -> str:
    """Bring a placeholder's name to the form that is compared: case, blanks, `_` and `-` do not count."""
    return re.sub(r"[\s_-]+", "", name).casefold()


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What an author wrote, in one language."""

    language: str
    """BCP-47."""
    subject: str
    body: str
    short: str | None = None
    """The whole message in a few words, for a text message and a lock screen."""


class Text(NamedTuple):
    """Words as they stand."""

    text: str


class Field(NamedTuple):
    """A place for a value; with `shown`, for that text if the value says yes."""

    name: str
    """Normalised."""
    shown: str | None = None


class Link(NamedTuple):
    """Words that lead somewhere; a bare address leads to itself."""

    content: tuple[Text | Field, ...]
    address: tuple[Text | Field, ...]


Inline = Text | Field | Link


class Heading(NamedTuple):
    """A heading of level 1 or 2."""

    level: int
    content: tuple[Inline, ...]


class Paragraph(NamedTuple):
    """Running text; each line end is a `Text` of its own, one newline."""

    content: tuple[Inline, ...]

    @property
    def only_field(self) -> Field | None:
        """The field when nothing else stands here, so that a list of values may become bullets."""
        only = self.content[0] if len(self.content) == 1 else None
        return only if isinstance(only, Field) else None


class Inset(NamedTuple):
    """Text set apart because it matters."""

    content: tuple[Inline, ...]


class Items(NamedTuple):
    """A list with bullets or numbers."""

    numbered: bool
    items: tuple[tuple[Inline, ...], ...]


class Rule(NamedTuple):
    """A line between two parts."""


Block = Heading | Paragraph | Inset | Items | Rule


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A parsed text, ready for any writer."""

    language: str
    subject: tuple[Text | Field, ...]
    blocks: tuple[Block, ...]
    short: tuple[Inline, ...] | None
    placeholders: frozenset[str]
    """Normalised names of all values the text needs."""
    addresses: frozenset[str]
    """Those of them that are a link's whole address and must therefore be a safe one."""
    spellings: Mapping[str, str]
    """How the author first wrote each of them."""

    def spelt(self, name: str) -> str:
        """Give a normalised name as the author wrote it, for sentences about it."""
        return self.spellings.get(name, name)


_FIELD = r"\(\([^()]+\)\)"
_URL_CHARACTER = r"[^\s<>()\[\]\"\u060c\u061b\u3001\u3002\u300c\u300d\uff01\uff0c\uff1b\uff1f]"
"""What a bare address may hold: no bracket, and no Arabic or Chinese punctuation, which follows without a blank."""

_INLINE = re.compile(
    rf"\[(?P<words>[^\[\]]+)\]\((?P<target>(?:{_FIELD}|[^\s()])+)\)"
    rf"|(?P<bare>https?://(?:{_FIELD}|{_URL_CHARACTER})*(?:{_FIELD}|(?![.,;:!?'*]){_URL_CHARACTER}))"
    rf"|(?P<field>{_FIELD})",
    re.IGNORECASE,
)
_HEADING = re.compile(r"(#{1,6})\s+(.+)")
_BULLET = re.compile(r"[*•-]\s+(.+)")
_NUMBER = re.compile(r"(\d{1,3})[.)]\s+(.+)")
_INSET = re.compile(r"\^\s*(.+)")
_RULE = re.compile(r"([-*_])(?:\s*\1){2,}$")


def parse(source: Source) -> Template:
    """Read a text once; raises `TemplateError` for a text that could not be shown as meant."""
    if not source.subject.strip():
        raise TemplateError("The subject is empty: give the message a subject.")
    if not source.body.strip():
        raise TemplateError("The body is empty: give the message a text.")
    try:
        language = canonical(source.language)
    except ValueError as error:
        raise TemplateError(str(error)) from error
    subject = tuple(_fields(" ".join(source.subject.split()), "The subject"))
    blocks = tuple(_blocks(source.body))
    short = None
    if source.short is not None and source.short.strip():
        short = tuple(_inlines(" ".join(source.short.split()), "The short text"))
    inlines = list(_all_inlines(subject, blocks, short or ()))
    return Template(
        language=language,
        subject=subject,
        blocks=blocks,
        short=short,
        placeholders=frozenset(field.name for field in _all_fields(inlines)),
        addresses=frozenset(
            inline.address[0].name
            for inline in inlines
            if isinstance(inline, Link) and isinstance(inline.address[0], Field)
        ),
        spellings=_spellings(source),
    )


def _spellings(source: Source) -> dict[str, str]:
    spellings: dict[str, str] = {}
    for text in (source.subject, source.body, source.short or ""):
        for placeholder in re.findall(_FIELD, text):
            name = placeholder[2:-2].partition("??")[0].strip()
            spellings.setdefault(normalised(name), name)
    return spellings


def read_source(language: str, text: str) -> Source:
    """Read a library file: `subject: …`, perhaps `short: …`, a blank line, then the body."""
    head, separator, body = text.replace("\r\n", "\n").lstrip("\ufeff\n").partition("\n\n")
    headers: dict[str, str] = {}
    for number, line in enumerate(head.split("\n"), start=1):
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if not colon or name not in {"subject", "short"}:
            raise TemplateError(f"Line {number}: expected 'subject: …' or 'short: …' before the first blank line.")
        if name in headers:
            raise TemplateError(f"Line {number}: '{name}' is given twice.")
        headers[name] = value.strip()
    if "subject" not in headers or not separator:
        raise TemplateError("Line 1: a template starts with 'subject: …', then a blank line, then the body.")
    return Source(language=language, subject=headers["subject"], short=headers.get("short"), body=body.strip("\n"))


def _blocks(body: str) -> Iterator[Block]:
    """Walk through the lines and gather what belongs together."""
    lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    position = 0
    while position < len(lines):
        line, where = lines[position].strip(), f"Line {position + 1}"
        position += 1
        if not line:
            continue
        if _RULE.match(line):
            yield Rule()
        elif heading := _HEADING.match(line):
            yield Heading(min(len(heading[1]), 2), tuple(_inlines(heading[2].rstrip("# "), where)))
        elif _starts_list(line):
            items, position = _list(lines, position - 1)
            yield items
        else:
            inset = _INSET.match(line)
            start, position = position - 1, _end_of_paragraph(lines, position)
            content = tuple(_joined(lines[start:position], start))
            yield Inset(content) if inset else Paragraph(content)


def _starts_list(line: str) -> bool:
    """Tell a list's first line; numbers count from 1, so that "12. März" stays a date."""
    return bool(_BULLET.match(line)) or _is_number(line, 1)


def _is_number(line: str, number: int) -> bool:
    match = _NUMBER.match(line)
    return match is not None and int(match[1]) in {1, number}


def _list(lines: list[str], start: int) -> tuple[Items, int]:
    """Gather the items from here on, their indented second lines too, and say where the list ends."""
    numbered = not _BULLET.match(lines[start].strip())
    texts: list[tuple[int, str]] = []
    end = start
    for position, raw in enumerate(lines[start:], start=start):
        line = raw.strip()
        item = (_NUMBER if numbered else _BULLET).match(line)
        if not line:
            continue
        if item and not _RULE.match(line) and (not numbered or _is_number(line, len(texts) + 1)):
            texts.append((position, item[item.lastindex or 0]))
        elif raw[:1].isspace() and end == position and not _starts_list(line):
            first, text = texts[-1]
            texts[-1] = (first, f"{text} {line}")
        else:
            break
        end = position + 1
    items = tuple(tuple(_inlines(text, f"Line {first + 1}")) for first, text in texts)
    return Items(numbered, items), end


def _end_of_paragraph(lines: list[str], position: int) -> int:
    """Find the first line that starts something else; an inset is one line or more, each with its `^`."""
    inset = bool(_INSET.match(lines[position - 1].strip()))
    while position < len(lines):
        line = lines[position].strip()
        if not line or _RULE.match(line) or _HEADING.match(line) or _starts_list(line):
            break
        if bool(_INSET.match(line)) != inset:
            break
        position += 1
    return position


def _joined(lines: list[str], start: int) -> Iterator[Inline]:
    """Read the lines of one paragraph or inset, with a line end between them."""
    for offset, line in enumerate(lines):
        if offset:
            yield Text("\n")
        inset = _INSET.match(line.strip())
        yield from _inlines(inset[1] if inset else line.strip(), f"Line {start + offset + 1}")


def _inlines(text: str, where: str) -> Iterator[Inline]:
    """Split a line into words, fields and links."""
    end = 0
    for match in _INLINE.finditer(text):
        if match.start() > end:
            yield _text(text[end : match.start()], where)
        end = match.end()
        if match["field"]:
            yield _field(match["field"], where)
        elif match["bare"]:
            address = tuple(_fields(match["bare"], where))
            yield Link(address, address)
        else:
            yield Link(tuple(_fields(match["words"], where)), _address(match["target"], where))
    if end < len(text):
        yield _text(text[end:], where)


def _address(target: str, where: str) -> tuple[Text | Field, ...]:
    """Read a link's target and refuse what a reader should not be led to."""
    address = tuple(_fields(target, where))
    if isinstance(address[0], Text) and not is_safe_address(address[0].text):
        raise TemplateError(f"{where}: a link must start with http:, https:, mailto: or tel:, not '{target[:40]}'.")
    if isinstance(address[0], Field) and (len(address) > 1 or address[0].shown is not None):
        raise TemplateError(f"{where}: a link that starts with a placeholder must be that placeholder alone.")
    return address


def is_safe_address(address: str) -> bool:
    """Tell whether an address leads to a page, a mailbox or a telephone, and holds no blank or control character."""
    scheme, _colon, rest = address.partition(":")
    if scheme.lower() not in SAFE_SCHEMES or not rest.strip("/") or not address.isprintable() or " " in address:
        return False
    return rest.startswith("//") or not scheme.lower().startswith("http")


def _fields(text: str, where: str) -> Iterator[Text | Field]:
    """Split a text into words and fields."""
    for position, part in enumerate(re.split(f"({_FIELD})", text)):
        if position % 2:
            yield _field(part, where)
        elif part:
            yield _text(part, where)


def _text(text: str, where: str) -> Text:
    """Accept words, but not half a placeholder."""
    if "((" in text:
        raise TemplateError(
            f"{where}: '{text[text.index('((') :][:30]}' opens a placeholder that is never closed by '))' "
            "or holds a bracket."
        )
    return Text(text)


def _field(placeholder: str, where: str) -> Field:
    """Read `((name))` or `((name??text))`."""
    name, condition, shown = placeholder[2:-2].partition("??")
    if not normalised(name):
        raise TemplateError(f"{where}: '{placeholder}' has no name between its brackets.")
    return Field(normalised(name), shown.strip() if condition else None)


def inlines_of(block: Block) -> tuple[tuple[Inline, ...], ...]:
    """Give a block's lines of content: one for each item of a list, none for a rule."""
    if isinstance(block, Items):
        return block.items
    return () if isinstance(block, Rule) else (block.content,)


def subject_fields(template: Template) -> Iterator[Field]:
    """List the placeholders of the subject, which ends in a mail header."""
    return _all_fields(_all_inlines(template.subject, (), ()))


def fields_of(template: Template) -> Iterator[Field]:
    """Walk through every field of a template, those in links too."""
    return _all_fields(_all_inlines(template.subject, template.blocks, template.short or ()))


def names_in(blocks: Iterable[Block] = (), line: Iterable[Inline] = ()) -> frozenset[str]:
    """Name the placeholders of some blocks and of a line."""
    return frozenset(field.name for field in _all_fields(_all_inlines(line, blocks, ())))


def _all_inlines(subject: Iterable[Inline], blocks: Iterable[Block], short: Iterable[Inline]) -> Iterator[Inline]:
    yield from subject
    for block in blocks:
        for content in inlines_of(block):
            yield from content
    yield from short


def _all_fields(inlines: Iterable[Inline]) -> Iterator[Field]:
    for inline in inlines:
        parts = (*inline.content, *inline.address) if isinstance(inline, Link) else (inline,)
        yield from (part for part in parts if isinstance(part, Field))
