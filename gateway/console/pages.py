"""The pages parents meet, as HTML: pure functions that escape every value and need no script.

The sentences of `Phrases` are in the reader's language; a page says so, and which way it runs.
"""

from collections.abc import Iterable
from html import escape

from gateway.console.style import STYLESHEET
from gateway.content.bidi import isolated
from gateway.content.languages import direction, display_name, locale_of, same
from gateway.content.phrases import Phrases
from gateway.content.policy import Look
from gateway.dispatch.identity_check import Kind, Question
from gateway.dispatch.rendering import Document

_EXAMPLE = {"day": "27", "month": "3", "year": "2014"}
_LARGE = {12: "", 16: "large", 20: "larger"}

PLAIN = Look()


def ended_page(phrases: Phrases) -> str:
    """Say that a link leads nowhere: the same page for every reason, so that it tells none."""
    return html_page(phrases, phrases.link_ended(), f"<h1>{escape(phrases.link_ended())}</h1>\n")


def office_page(phrases: Phrases, school: str, look: Look) -> str:
    """Send a reader to the office whom nothing can be asked."""
    return _notice(phrases, school, look, phrases.voice_notice())


def locked_page(phrases: Phrases, school: str, look: Look) -> str:
    """Say that no further answer is looked at."""
    return _notice(phrases, school, look, phrases.too_many_attempts())


def question_page(
    phrases: Phrases, school: str, look: Look, question: Question, *, territory: str, wrong: bool = False
) -> str:
    """Ask who the reader is; `wrong` after an answer that did not match, `territory` orders a date's parts."""
    if question.kind is Kind.POSTCODE:
        fields, first, refusal = _postcode_fields(phrases, wrong=wrong), "postcode", phrases.wrong_postcode()
    else:
        order = _date_order(phrases.language, territory)
        fields, first, refusal = _date_fields(phrases, question, order, wrong=wrong), order[0], phrases.no_match()
    title = phrases.page_title(value_in(phrases, school))
    body = (
        f"<h1>{escape(title)}</h1>\n"
        f"{error_above(refusal, first) if wrong else ''}"
        '<form method="post" novalidate>\n'
        f"{fields}"
        f'<button type="submit">{escape(phrases.open_document())}</button>\n'
        "</form>\n"
    )
    return html_page(phrases, f"{refusal} {title}" if wrong else title, body, school=school, look=look)


def document_page(
    phrases: Phrases, school: str, look: Look, document: Document, *, wanted: str, below: str = ""
) -> str:
    """Show the whole text; the browser's title says nothing of what it is about.

    A text in another language than the one the reader wanted carries a note that says so. `below` is what follows the
    text, in the reader's language.
    """
    note = ""
    if not same(wanted, document.language):
        sentence = phrases.written_in(display_name(document.language, phrases.language))
        note = f"<p>{escape(sentence)}</p>\n"
    heading = (
        f'<h1 lang="{escape(document.language)}" dir="{direction(document.language)}">{escape(document.title)}</h1>\n'
    )
    title = phrases.page_title(value_in(phrases, school))
    return html_page(phrases, title, note + heading + document.html + below, school=school, look=look)


def unsubscribe_page(phrases: Phrases, school: str, look: Look) -> str:
    """Ask whether messages of a kind shall stop; the button posts what mail programs post (RFC 8058)."""
    title = phrases.unsubscribe_button()
    body = (
        f"<h1>{escape(title)}</h1>\n"
        f"<p>{escape(phrases.unsubscribe_question(value_in(phrases, school)))}</p>\n"
        '<form method="post">\n'
        '<input type="hidden" name="List-Unsubscribe" value="One-Click">\n'
        f'<button type="submit">{escape(title)}</button>\n'
        "</form>\n"
    )
    return html_page(phrases, title, body, school=school, look=look)


def unsubscribed_page(phrases: Phrases, school: str, look: Look) -> str:
    """Confirm that messages of a kind have stopped."""
    title = phrases.unsubscribe_button()
    body = f"<h1>{escape(title)}</h1>\n<p>{escape(phrases.unsubscribed())}</p>\n"
    return html_page(phrases, title, body, school=school, look=look)


def html_page(phrases: Phrases, title: str, body: str, *, school: str = "", look: Look = PLAIN) -> str:
    """Put a page round its body; `title` shows in tabs and histories."""
    language = phrases.language
    size = f' class="{_LARGE[look.points]}"' if _LARGE[look.points] else ""
    header = f'<header><span dir="auto">{escape(school)}</span></header>\n' if school else ""
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(language)}" dir="{direction(language)}"{size}>\n<head>\n'
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLESHEET}</style>\n</head>\n<body>\n"
        f"{header}<main>\n{body}</main>\n</body>\n</html>\n"
    )


def _notice(phrases: Phrases, school: str, look: Look, sentence: str) -> str:
    title = phrases.page_title(value_in(phrases, school))
    body = f"<h1>{escape(title)}</h1>\n<p>{escape(sentence)}</p>\n"
    return html_page(phrases, title, body, school=school, look=look)


def error_above(sentence: str, field: str) -> str:
    """Say first what went wrong, and lead to the field."""
    return f'<div class="wrong" role="alert" id="wrong"><a href="#{field}">{escape(sentence)}</a></div>\n'


def _date_fields(phrases: Phrases, question: Question, order: Iterable[str], *, wrong: bool) -> str:
    """Write three fields in the order of the reader's language: calendars to pick from are slow to reach 2014."""
    labels = {"day": phrases.day(), "month": phrases.month(), "year": phrases.year()}
    student = phrases.your_children(1) if question.student is None else value_in(phrases, question.student)
    # Not isolated: from right to left its parts are to run like the fields below it.
    example = " ".join(_EXAMPLE[part] for part in order)
    parts = "".join(
        f'<div><label for="{part}">{escape(labels[part])}</label>'
        f'<input id="{part}" name="{part}" class="{part}" inputmode="numeric" autocomplete="off" '
        f'maxlength="{len("2014") if part == "year" else 2}"{_invalid(wrong=wrong)}></div>\n'
        for part in order
    )
    return (
        f'<p id="why">{escape(phrases.confirm_identity(student))}</p>\n'
        f'<fieldset aria-describedby="why hint">\n<legend>{escape(phrases.date_of_birth())}</legend>\n'
        f'<p class="hint" id="hint">{escape(phrases.for_example(example))}</p>\n'
        f'<div class="parts">\n{parts}</div>\n</fieldset>\n'
    )


def _postcode_fields(phrases: Phrases, *, wrong: bool) -> str:
    described = "why wrong" if wrong else "why"
    invalid = ' aria-invalid="true"' if wrong else ""
    return (
        f'<p id="why">{escape(phrases.confirm_by_postcode())}</p>\n'
        f'<div class="field"><label for="postcode">{escape(phrases.postcode())}</label>'
        '<input id="postcode" name="postcode" class="postcode" autocomplete="postal-code" dir="ltr" maxlength="20" '
        f'aria-describedby="{described}"{invalid}></div>\n'
    )


def _invalid(*, wrong: bool) -> str:
    return ' aria-invalid="true" aria-describedby="wrong"' if wrong else ""


def _date_order(language: str, territory: str) -> list[str]:
    """Order day, month and year as the reader's language writes them."""
    pattern = locale_of(language, territory).date_formats["short"].pattern
    letters = {"day": "d", "month": "M", "year": "y"}
    return sorted(letters, key=lambda part: pattern.find(letters[part]))


def value_in(phrases: Phrases, text: str) -> str:
    """Put a value among words of ours, whichever way either runs; still to be escaped."""
    return isolated(text, right_to_left=direction(phrases.language) == "rtl")
