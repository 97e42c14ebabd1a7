"""The form below a question of consent and the pages after it, as HTML: pure functions that escape every value."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from gateway.console.pages import error_above, html_page, value_in
from gateway.content.languages import direction
from gateway.content.phrases import Phrases
from gateway.content.policy import Look
from gateway.rules.consent import Reply


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What a reader is asked about one student."""

    number: int
    """Of the student in this message."""
    student: str
    """The student's name."""
    people: tuple[str, ...]
    """Names of those who may answer, where the mailbox is not one person's."""
    answer: Reply | None
    """The reader's own so far."""


def answer_forms(phrases: Phrases, forms: Sequence[Form], *, key: str, until: str | None = None) -> str:
    """Ask about each student in a form of its own; `key` is the pass that goes with the answer."""
    if not forms:
        return ""
    deadline = f"<p>{escape(phrases.answer_by(value_in(phrases, until)))}</p>\n" if until else ""
    return _in_language(phrases, deadline + "".join(_form(phrases, form, key) for form in forms))


def closed_note(phrases: Phrases, forms: Sequence[Form]) -> str:
    """Say that no further answer is taken, and what the reader had said."""
    said = "".join(
        f"<p>{escape(_said(phrases, form.student, form.answer))}</p>\n" for form in forms if form.answer is not None
    )
    return _in_language(phrases, f'<div class="answer">\n<p>{escape(phrases.answers_closed())}</p>\n{said}</div>\n')


def closed_page(phrases: Phrases, school: str, look: Look, forms: Sequence[Form]) -> str:
    """Say on a page of its own that no further answer is taken."""
    return _page(phrases, school, look, closed_note(phrases, forms))


def unanswered_page(phrases: Phrases, school: str, look: Look, forms: Sequence[Form], *, key: str, wrong: str) -> str:
    """Ask again after a form in which something was left out; `wrong` is its number as it came."""
    field = next((form.number for form in forms if str(form.number) == wrong), forms[0].number)
    error = error_above(phrases.choose_answer(), f"answer-{field}")
    return _page(phrases, school, look, error + answer_forms(phrases, forms, key=key), before=phrases.choose_answer())


def answered_page(
    phrases: Phrases, school: str, look: Look, student: str, reply: Reply, others: Sequence[Form], *, key: str
) -> str:
    """Confirm an answer, and ask about the other students."""
    thanks = phrases.answer_recorded()
    done = (
        f'<div class="done" role="status">\n<p>{escape(thanks)}</p>\n<p>{escape(_said(phrases, student, reply))}</p>\n'
        f"<p>{escape(phrases.answer_again())}</p>\n</div>\n"
    )
    return _page(phrases, school, look, done + answer_forms(phrases, others, key=key), before=thanks)


def _page(phrases: Phrases, school: str, look: Look, body: str, *, before: str = "") -> str:
    title = phrases.page_title(value_in(phrases, school))
    named = f"{before} {title}" if before else title
    return html_page(phrases, named, f"<h1>{escape(title)}</h1>\n{body}", school=school, look=look)


def _in_language(phrases: Phrases, body: str) -> str:
    """Mark what stands below a text that may be in another language."""
    return f'<div lang="{escape(phrases.language)}" dir="{direction(phrases.language)}">\n{body}</div>\n'


def _form(phrases: Phrases, form: Form, key: str) -> str:
    question = phrases.consent_question(value_in(phrases, form.student))
    so_far = ""
    if form.answer is not None:
        so_far = f'<p class="hint">{escape(phrases.answer_so_far(_words(phrases, form.answer)))}</p>\n'
    return (
        f'<form method="post" class="answer" novalidate>\n<input type="hidden" name="pass" value="{escape(key)}">\n'
        f'<input type="hidden" name="student" value="{form.number}">\n'
        f'<fieldset id="answer-{form.number}">\n<legend>{escape(question)}</legend>\n'
        f"{so_far}{_people(phrases, form)}{_choices(phrases)}</fieldset>\n"
        f'<button type="submit">{escape(phrases.send_answer())}</button>\n</form>\n'
    )


def _people(phrases: Phrases, form: Form) -> str:
    if not form.people:
        return ""
    choices = "".join(
        f'<label class="choice"><input type="radio" name="who" value="{number}"><span dir="auto">{escape(name)}</span>'
        "</label>\n"
        for number, name in enumerate(form.people, start=1)
    )
    return f"<fieldset>\n<legend>{escape(phrases.who_answers())}</legend>\n{choices}</fieldset>\n"


def _choices(phrases: Phrases) -> str:
    """Offer both answers with neither chosen: what nobody has said must not be sent by one careless press."""
    return "".join(
        f'<label class="choice"><input type="radio" name="answer" value="{reply.value}">'
        f"<span>{escape(_words(phrases, reply))}</span></label>\n"
        for reply in Reply
    )


def _said(phrases: Phrases, student: str, reply: Reply | None) -> str:
    return f"{value_in(phrases, student)}: {_words(phrases, reply)}" if reply is not None else ""


def _words(phrases: Phrases, reply: Reply) -> str:
    return phrases.consent_yes() if reply is Reply.YES else phrases.consent_no()
