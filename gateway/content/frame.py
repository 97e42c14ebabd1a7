"""What stands around a text, or in its place: notes, footers and notices, in the reader's language.

All of them are templates made of the fixed sentences, so that every writer treats them like any other text.
"""

from gateway.content.languages import display_name, same
from gateway.content.phrases import Phrases
from gateway.content.template import Block, Heading, Source, Template, Text, parse

_SCHOOL, _CONTACT, _STUDENTS = "((school_name))", "((contact_name))", "((student_names))"
_LINK, _UNSUBSCRIBE = "((link))", "((unsubscribe_link))"


def document_notice(phrases: Phrases) -> Template:
    """Announce a document by mail; its short text is for a text message."""
    paragraphs = (
        phrases.greeting(_CONTACT),
        phrases.document_about(_SCHOOL, _STUDENTS),
        phrases.open_here(_LINK),
        phrases.keep_private(),
    )
    return _template(
        phrases,
        *paragraphs,
        subject=phrases.document_subject(_SCHOOL),
        short=phrases.document_text(_SCHOOL, _LINK),
    )


def message_notice(phrases: Phrases) -> Template:
    """Announce a personal message: its short text for a text message, its text for a call."""
    return _template(phrases, phrases.voice_notice(), short=phrases.message_text(_SCHOOL, _LINK))


def bare_notice(phrases: Phrases) -> Template:
    """Stand for a text that must not go out yet: that there is a message, and whom to ask."""
    return _template(phrases, phrases.voice_notice(), subject=phrases.voice_opening(_SCHOOL))


def before(phrases: Phrases, reader_language: str, text_language: str, *, drill: bool) -> tuple[Block, ...]:
    """Say what must be known before reading: that it is an exercise, or not in the reader's language."""
    blocks: list[Block] = [Heading(1, (Text(phrases.drill()),))] if drill else []
    if not same(reader_language, text_language):
        blocks += _template(phrases, phrases.written_in(display_name(text_language, phrases.language))).blocks
    return tuple(blocks)


def answering(phrases: Phrases) -> Template:
    """Say where to answer; its short text, the bare link, is for a text message."""
    return _template(phrases, phrases.answer_here(_LINK), phrases.answer_at_office(), short=_LINK)


def files(phrases: Phrases) -> Template:
    """Say where the files are that belong to a text; its short text, the bare link, is for a text message."""
    return _template(phrases, phrases.files_here(_LINK), short=_LINK)


def after(phrases: Phrases, *, neutral: bool, unsubscribe: bool) -> tuple[Block, ...]:
    """Say why the reader got it, and how to get no more of it."""
    why = phrases.why_this_address(_SCHOOL) if neutral else phrases.why_you(_SCHOOL, _STUDENTS)
    return _template(phrases, why, *([phrases.unsubscribe(_UNSUBSCRIBE)] if unsubscribe else [])).blocks


def below_letter(phrases: Phrases) -> tuple[Block, ...]:
    """Offer a letter in another form."""
    return _template(phrases, phrases.other_formats()).blocks


def call(phrases: Phrases) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """Open and close a call."""
    opening = _template(phrases, phrases.voice_opening(_SCHOOL)).blocks
    return opening, _template(phrases, phrases.voice_closing()).blocks


def _template(phrases: Phrases, *paragraphs: str, subject: str = "-", short: str | None = None) -> Template:
    body = "\n\n".join(paragraphs)
    return parse(Source(language=phrases.language, subject=subject, body=body, short=short))
