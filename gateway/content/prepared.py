"""Joins text, frame and policy for every channel once; what is left per reader is to fill in a few values.

One `Prepared` serves all readers of a notification who share language, look and neutrality (R29).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from channels.sms_segments import LIMIT
from gateway.content import frame, html, letter, plain, speech, text_message
from gateway.content.call_words import CallWords, call_words
from gateway.content.catalogues import Catalogues
from gateway.content.fragments import Fill, Fragments, Slot, Words, bind, text_of
from gateway.content.mail_holes import MailHoles, MailWords
from gateway.content.phrases import Phrases
from gateway.content.policy import Carries, Look, Policy
from gateway.content.reader import LINK, SCHOOL, Personal, SchoolFacts, Setting
from gateway.content.template import Block, Inline, Rule, Template, Text, names_in
from gateway.content.values import RESERVED, Value, one_line


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A notification in one language and look, finished but for the values of each reader."""

    language: str
    """Of the frame: what the reader reads, as far as there are fixed sentences in it."""
    text_language: str
    """Of the text: a letter's, and that of values in it."""
    email_language: str
    """Of most of the mail: the text's, or the notice's."""
    look: Look
    setting: Setting
    subject: Fragments
    plain: Fragments
    html: Fragments | None
    """None for readers who asked for text only."""
    mail_holes: MailHoles
    """Of `subject`, `plain` and `html`."""
    text_message: Fragments
    text_instead: Fragments
    """Sent when the text message proves too long."""
    speech: Fragments
    speech_language: str
    call_words: CallWords
    """What is said round the speech, in its language."""
    page: Fragments
    """The whole text as HTML for the secure page, without head and frame."""
    letter_subject: Fragments
    letter: tuple[tuple[str, tuple[Block, ...]], ...]
    """The letter's parts, each with its language."""

    def fill_email(self, personal: Personal) -> MailWords:
        """Give the values for `channels.email_mime.PreparedMail.build`."""
        to_name = "" if self.setting.neutral else one_line(personal.contact_name)
        return self.mail_holes.filled(to_name, self.setting.saying(personal))

    def fill_text(self, personal: Personal) -> str:
        """Write the text message: at most 918 characters, typography made cheap, names as people write them."""
        names = (personal.contact_name, *personal.student_names)
        text = text_message.finished(self._written(self.text_message, personal, text_message.fill), names)
        if len(text) > LIMIT:
            text = text_message.finished(self._written(self.text_instead, personal, text_message.fill), names)
        return text

    def fill_speech(self, personal: Personal) -> str:
        """Write what a call speaks."""
        return self._written(self.speech, personal, speech.fill).strip()

    def fill_page(self, personal: Personal) -> str:
        """Write the secure page's text, safe to put into any page of ours."""
        return self._written(self.page, personal, html.fill)

    def fill_letter(self, personal: Personal) -> tuple[str, tuple[dict[str, Any], ...]]:
        """Write the letter's subject and blocks (`gateway.content.letter`) in `text_language`."""
        say = self.setting.saying(personal)
        blocks = [
            block for language, part in self.letter for block in letter.blocks(part, language, say, self.text_language)
        ]
        return _written(self.letter_subject, say, plain.fill), tuple(blocks)

    def _written(self, fragments: Fragments, personal: Personal, fill: Fill) -> str:
        return _written(fragments, self.setting.saying(personal), fill)


def _written(fragments: Fragments, say: Callable[[Slot], Words], fill: Fill) -> str:
    return text_of(fragments, lambda slot: fill(slot, say(slot)))


def prepare(
    template: Template,
    *,
    policy: Policy,
    reader_language: str,
    catalogues: Catalogues,
    school: SchoolFacts,
    values: Mapping[str, Value] | None = None,
    look: Look | None = None,
    neutral: bool = False,
) -> Prepared:
    """Make a text ready for every channel.

    `values` are those all readers share (`values.shared`); the rest comes with each reader. What the channels may
    carry follows from `policy`. A text that is not in the reader's language gets its frame in the reader's, a note
    about it, and keeps its own language and direction.
    """
    reader = catalogues.phrases(reader_language, school.language)
    own = catalogues.phrases(template.language, school.language)
    given = {name: value for name, value in (values or {}).items() if name not in RESERVED}
    setting = Setting(
        school=school,
        neutral=neutral,
        phrases={template.language: own, reader.language: reader},
        shared={**given, SCHOOL: one_line(school.name)},
    )
    return _Preparation(template, reader, own, policy, look or Look(), setting).prepared(reader_language)


class _Preparation:
    """What the channels have in common while one `Prepared` is made."""

    def __init__(
        self, template: Template, reader: Phrases, own: Phrases, policy: Policy, look: Look, setting: Setting
    ) -> None:
        self.template, self.reader, self.own = template, reader, own
        self.policy, self.look, self.setting = policy, look, setting
        self.notice = frame.message_notice(reader)
        self.mail = frame.document_notice(reader) if policy.email is Carries.DOCUMENT_NOTICE else template

    def prepared(self, reader_language: str) -> Prepared:
        """Write every channel once for readers who asked for this language."""
        text, mail = self.template, self.mail
        readable = self.reader.language if mail is not text else reader_language
        before_mail = frame.before(self.reader, readable, mail.language, drill=self.policy.drill)
        before_letter = frame.before(self.reader, reader_language, text.language, drill=self.policy.drill)
        speech_language, phrases, spoken = self._spoken()
        subject = self._bound(plain.line(self._marked(mail.subject), mail.language), plain.fill)
        mail_text = self._bound(self._plain(before_mail), plain.fill)
        mail_page = self._bound(self._html(before_mail), html.fill) if self.look.html else None
        return Prepared(
            language=self.reader.language,
            text_language=text.language,
            email_language=mail.language,
            speech_language=speech_language,
            look=self.look,
            setting=self.setting,
            subject=subject,
            plain=mail_text,
            html=mail_page,
            mail_holes=MailHoles(subject=subject, plain=mail_text, html=mail_page or ()),
            text_message=self._bound(self._text_message(), text_message.fill),
            text_instead=self._bound(self._text_instead(), text_message.fill),
            speech=self._bound(spoken, speech.fill),
            call_words=call_words(
                phrases,
                one_line(self.setting.school.name),
                drill=self.policy.drill,
                tells=self.policy.tells(has_short=text.short is not None),
            ),
            page=self._bound(html.section(text.blocks, text.language), html.fill),
            letter_subject=self._bound(plain.line(self._marked(text.subject), text.language), plain.fill),
            letter=(
                (self.reader.language, before_letter),
                (text.language, text.blocks),
                (self.reader.language, self._below(text.blocks)),
                (self.reader.language, frame.below_letter(self.reader)),
            ),
        )

    def _marked(self, content: tuple[Inline, ...]) -> tuple[Inline, ...]:
        """Put the mark of an exercise before a line."""
        return (Text(f"{self.reader.drill()}: "), *content) if self.policy.drill else content

    def _below(self, text: tuple[Block, ...], *, in_mail: bool = False) -> tuple[Block, ...]:
        """Say below a text that has no link of its own where to answer (R14), and where its files are."""
        if LINK in names_in(text):
            return ()
        linked = self.policy.files and not (in_mail and self.policy.files_in_mail)
        return (
            *(frame.answering(self.reader).blocks if self.policy.answerable else ()),
            *(frame.files(self.reader).blocks if linked else ()),
        )

    def _plain(self, before: tuple[Block, ...]) -> Fragments:
        language, mail = self.reader.language, self.mail
        return (
            *plain.section(before, language),
            *plain.section(mail.blocks, mail.language),
            *plain.section((*self._below(mail.blocks, in_mail=True), Rule(), *self._footer()), language),
        )

    def _html(self, before: tuple[Block, ...]) -> Fragments:
        language, mail = self.reader.language, self.mail
        below = self._below(mail.blocks, in_mail=True)
        body = (
            *(html.section(before, language) if before else ()),
            *html.section(mail.blocks, mail.language),
            *(html.section(below, language) if below else ()),
            *html.footer(self._footer(), language),
        )
        title = html.subject(self._marked(mail.subject), mail.language)
        return html.document(title, body, language, self.look.points)

    def _footer(self) -> tuple[Block, ...]:
        return frame.after(self.reader, neutral=self.setting.neutral, unsubscribe=self.policy.unsubscribe)

    def _text_message(self) -> Fragments:
        short, language = self.template.short, self.template.language
        match self.policy.text_message(has_short=short is not None):
            case Carries.DOCUMENT_NOTICE:
                return text_message.line(self._marked(self.mail.short or ()), self.reader.language)
            case Carries.MESSAGE_NOTICE:
                return text_message.line(self._marked(self.notice.short or ()), self.reader.language)
            case Carries.SHORT:
                line = text_message.line(self._marked(short or ()), language)
                return (*line, *self._link_below(names_in(line=short or ())))
            case Carries.WHOLE:
                subject = text_message.line(self._marked(self.template.subject), language)
                body = text_message.section(self.template.blocks, language)
                return (*subject, "\n", *body, *self._link_below(names_in(self.template.blocks)))

    def _link_below(self, names: frozenset[str]) -> Fragments:
        """Put the link to the page on which a text message is answered, or its files are, on a line of its own."""
        if LINK in names or not (self.policy.answerable or self.policy.files):
            return ()
        return ("\n", Slot(LINK, self.reader.language))

    def _text_instead(self) -> Fragments:
        """Say subject and link; of a personal matter only that there is a message."""
        if self.policy.sensitivity > 0 and not self.policy.in_full:
            return text_message.line(self._marked(self.notice.short or ()), self.reader.language)
        subject = text_message.line(self._marked(self.template.subject), self.template.language)
        return (*subject, " ", Slot(LINK, self.template.language))

    def _spoken(self) -> tuple[str, Phrases, Fragments]:
        """Write a call: who calls, what there is to say, the end; gives its language and the phrases in it, too."""
        short, language, phrases = self.template.short, self.template.language, self.own
        match self.policy.voice(has_short=short is not None):
            case Carries.WHOLE:
                subject = speech.line(self.template.subject, language)
                text = (*subject, *speech.section(self.template.blocks, language))
            case Carries.SHORT:
                text = speech.line(short or (), language)
            case _:
                language, phrases = self.reader.language, self.reader
                text = speech.section(self.notice.blocks, language)
        opening, closing = (speech.section(blocks, language) for blocks in frame.call(phrases))
        mark = speech.line((Text(phrases.drill()),), language) if self.policy.drill else ()
        return language, phrases, (*mark, *opening, *text, *closing)

    def _bound(self, fragments: Fragments, fill: Fill) -> Fragments:
        """Finish what all readers share."""
        return bind(fragments, self.setting.shared_words, fill)
