"""The fixed sentences of the gateway, in one language: what frames a message when its own text is not enough.

`locales/messages.pot` is extracted from this file (`EXTRACTION` says how), so a sentence is written down once.
Values are given as text; `prepared` passes `((name))` for whatever differs from reader to reader.
"""

import gettext

EXTRACTION = {"_": None, "_n": (1, 2)}
"""Function names whose first arguments are sentences, in the form babel's extractor takes."""

COMMENT_TAG = "Translators:"
"""Starts a comment that is carried into the catalogues."""


class Phrases:
    """The fixed sentences in `language`; those its catalogue lacks come from its fallbacks, at last in English."""

    def __init__(self, language: str, translations: gettext.NullTranslations) -> None:
        """Keep the language the sentences are in and the catalogues to look them up."""
        self.language = language
        self._translations = translations

    def _(self, sentence: str, **values: str) -> str:
        translated = self._translations.gettext(sentence)
        return translated % values if values else translated

    def _n(self, one: str, many: str, count: int) -> str:
        return self._translations.ngettext(one, many, count)

    # Who is spoken to, when no name may be shown.

    def parent_or_carer(self) -> str:
        """Stand for the reader's name where others may read along (R29)."""
        # Translators: Stands in place of a name, for instance after "Dear". Lower case, no article if possible.
        return self._("parent or carer")

    def your_children(self, count: int) -> str:
        """Stand for the students' names where others may read along (R29)."""
        # Translators: Stands in place of the names of one child or several children, usually inside a sentence.
        return self._n("your child", "your children", count)

    # What stands below every mail and letter.

    def why_you(self, school: str, students: str) -> str:
        """Say why this person receives the message."""
        # Translators: Footer. %(students)s is one name or a list such as "Ana and Ben".
        return self._(
            "You receive this message because %(school)s has you on record as a contact of %(students)s.",
            school=school,
            students=students,
        )

    def why_this_address(self, school: str) -> str:
        """Say why this address receives the message, naming nobody."""
        # Translators: Footer of a message that must not name anybody.
        return self._("You receive this message because %(school)s has this address on record.", school=school)

    def unsubscribe(self, link: str) -> str:
        """Offer the way out of messages that may be refused."""
        # Translators: Footer of newsletters. %(link)s is a web address.
        return self._("If you do not want messages like this one any more, unsubscribe here: %(link)s", link=link)

    def written_in(self, language: str) -> str:
        """Say that the text below is in another language, and offer help."""
        # Translators: Stands above a text in another language. %(language)s is that language's name in yours.
        return self._(
            "This message is written in %(language)s. If you need it explained in your language, please contact "
            "the school.",
            language=language,
        )

    def drill(self) -> str:
        """Mark everything an exercise sends."""
        # Translators: Put before subject and text of an emergency exercise. Capitals where the script has them.
        return self._("DRILL")

    # Notices in place of a text that is too personal for the channel (R41).

    def document_subject(self, school: str) -> str:
        """Announce a document in a subject line."""
        # Translators: Subject of an e-mail. Must not say what the document is about.
        return self._("A document from %(school)s is ready for you", school=school)

    def greeting(self, name: str) -> str:
        """Open a notice."""
        # Translators: Opens an e-mail. %(name)s is a person's full name.
        return self._("Dear %(name)s,", name=name)

    def document_about(self, school: str, students: str) -> str:
        """Say that a document waits, and about whom."""
        # Translators: %(students)s is one name or a list such as "Ana and Ben".
        return self._(
            "%(school)s has a document for you about %(students)s.",
            school=school,
            students=students,
        )

    def open_here(self, link: str) -> str:
        """Lead to the document."""
        # Translators: %(link)s is a web address.
        return self._("Open it here: %(link)s", link=link)

    def keep_private(self) -> str:
        """Warn that the link is for one person."""
        return self._("You will be asked to confirm who you are. This link is for you alone: please do not pass it on.")

    def document_text(self, school: str, link: str) -> str:
        """Announce a document by text message."""
        # Translators: Text message: keep it as short as you can. %(link)s is a web address.
        return self._("%(school)s: a document is ready for you. %(link)s", school=school, link=link)

    def message_text(self, school: str, link: str) -> str:
        """Announce a personal message by text message."""
        # Translators: Text message: keep it as short as you can. %(link)s is a web address.
        return self._("%(school)s: you have a new message. %(link)s", school=school, link=link)

    # Texts that answer texts (R33).

    def texts_stopped(self, school: str) -> str:
        """Confirm STOP."""
        # Translators: Text message: keep it as short as you can. START is what people send: leave it as it is, or
        # Translators: write the word that gateway/rules/keywords.py has for it in your language.
        return self._(
            "%(school)s: you will receive no more text messages from us. To receive them again, reply START.",
            school=school,
        )

    def texts_start_again(self, school: str) -> str:
        """Confirm START."""
        # Translators: Text message: keep it as short as you can. STOP is what people send: leave it as it is, or
        # Translators: write the word that gateway/rules/keywords.py has for it in your language.
        return self._("%(school)s: you will receive our text messages again. To end them, reply STOP.", school=school)

    def texts_help(self, school: str, reached_at: str) -> str:
        """Answer HELP."""
        # Translators: Text message: keep it as short as you can. %(reached_at)s is an e-mail address or a telephone
        # Translators: number. STOP is what people send: leave it as it is, or write the word that
        # Translators: gateway/rules/keywords.py has for it in your language.
        return self._(
            "%(school)s sends you these text messages. You can reach us here: %(reached_at)s. To receive no more "
            "text messages, reply STOP.",
            school=school,
            reached_at=reached_at,
        )

    # Pages to staff on duty (R45).

    def decision_subject(self) -> str:
        """Head a page by mail."""
        # Translators: Subject of an e-mail to school staff. Some messages of an emergency alert wait for a decision.
        return self._("A decision is needed on an emergency message")

    def decision_text(self, school: str, link: str) -> str:
        """Page somebody on duty in writing."""
        # Translators: Text message and e-mail to school staff: keep it short. %(link)s is a web address.
        return self._(
            "%(school)s: a decision is needed on an emergency message. Open the list of decisions: %(link)s",
            school=school,
            link=link,
        )

    def decision_spoken(self) -> str:
        """Page somebody on duty by telephone."""
        # Translators: Spoken in a telephone call to school staff, after "This is a message from …".
        return self._("A decision is needed on an emergency message. Please open the list of decisions now.")

    # Voice calls.

    def voice_opening(self, school: str) -> str:
        """Say who calls."""
        # Translators: Spoken at the start of a telephone call.
        return self._("This is a message from %(school)s.", school=school)

    def voice_closing(self) -> str:
        """End a call."""
        # Translators: Spoken at the end of a telephone call.
        return self._("End of message. Thank you.")

    def voice_notice(self) -> str:
        """Stand for a text that must not be spoken to whoever answers."""
        # Translators: Spoken in a telephone call, after "This is a message from …".
        return self._("There is a message for you. Please contact the school office.")

    def voice_invitation(self) -> str:
        """Offer the whole text where nobody knows whether a person listens."""
        # Translators: Spoken in a telephone call, after "There is a message for you. …".
        return self._("To hear the message now, press any key.")

    def voice_keys(self) -> str:
        """Explain which key confirms and which repeats."""
        # Translators: Spoken in a telephone call, after the message. 1 and 2 are keys of the telephone.
        return self._("To confirm that you have heard this message, press 1. To hear it again, press 2.")

    def voice_thanks(self) -> str:
        """Thank who has confirmed, and end the call."""
        # Translators: Spoken in a telephone call, after the key 1 was pressed.
        return self._("Thank you. Your confirmation has been recorded. Goodbye.")

    def voice_apology(self) -> str:
        """End a call whose message may not be told any more, without a word of it or of who calls."""
        # Translators: Spoken in a telephone call whose message may not be told any more: the only words of it.
        return self._("We are sorry, this call cannot be continued. Goodbye.")

    # Letters.

    def page_of(self, page: str, pages: str) -> str:
        """Say which of how many pages this is."""
        # Translators: Foot of a letter, for instance "Page 1 of 2".
        return self._("Page %(page)s of %(pages)s", page=page, pages=pages)

    def confidential(self) -> str:
        """Mark a sealed letter."""
        # Translators: Printed on a letter, above the address.
        return self._("Private and confidential")

    def other_formats(self) -> str:
        """Offer a letter in another form."""
        # Translators: Foot of a letter. "Format" means for instance large print or braille.
        return self._("Please contact the school office if you need this letter in another language or format.")

    # The page on which a document is read.

    def page_title(self, school: str) -> str:
        """Head the page."""
        # Translators: Title of a web page.
        return self._("Your document from %(school)s", school=school)

    def confirm_identity(self, student: str) -> str:
        """Ask for what only the right reader knows."""
        # Translators: On a web page, above a field for a date. %(student)s is a child's name.
        return self._(
            "To confirm that it is you, please enter the date of birth of %(student)s.",
            student=student,
        )

    def date_of_birth(self) -> str:
        """Label the field."""
        # Translators: Label of a field on a web page.
        return self._("Date of birth")

    def open_document(self) -> str:
        """Label the button."""
        # Translators: Button on a web page.
        return self._("Open the document")

    def no_match(self) -> str:
        """Refuse a wrong date."""
        # Translators: On a web page, after a wrong date was entered.
        return self._("That did not match. Please try again.")

    def link_ended(self) -> str:
        """Say that the link was withdrawn or its time is over."""
        return self._("This link is no longer valid. Please contact the school office.")

    def too_many_attempts(self) -> str:
        """Say that no further date may be tried."""
        return self._("Too many attempts. Please contact the school office.")

    def day(self) -> str:
        """Label the first part of a date."""
        # Translators: Label of a field on a web page: the day of a date.
        return self._("Day")

    def month(self) -> str:
        """Label the second part of a date."""
        # Translators: Label of a field on a web page: the month of a date, as a number.
        return self._("Month")

    def year(self) -> str:
        """Label the third part of a date."""
        # Translators: Label of a field on a web page: the year of a date.
        return self._("Year")

    def for_example(self, example: str) -> str:
        """Show how the fields are filled in."""
        # Translators: Beside a field on a web page. %(example)s is an example of what to enter, for instance a date.
        return self._("For example: %(example)s", example=example)

    def confirm_by_postcode(self) -> str:
        """Ask for the reader's own postcode where no date of birth is known."""
        # Translators: On a web page, above a field for a postcode.
        return self._("To confirm that it is you, please enter the postcode of your postal address.")

    def postcode(self) -> str:
        """Label the field."""
        # Translators: Label of a field on a web page.
        return self._("Postcode")

    def wrong_postcode(self) -> str:
        """Refuse a wrong postcode."""
        # Translators: On a web page, after a wrong postcode was entered.
        return self._("That postcode did not match. Please try again.")

    # The page on which a reader refuses more messages of a kind.

    def unsubscribe_button(self) -> str:
        """Head the page and label its button."""
        # Translators: Title and button of a web page: to receive no more newsletters.
        return self._("Unsubscribe")

    def unsubscribe_question(self, school: str) -> str:
        """Ask before anything is changed."""
        # Translators: On a web page, above the button "Unsubscribe".
        return self._("Do you want to receive no more messages of this kind from %(school)s?", school=school)

    def unsubscribed(self) -> str:
        """Confirm the wish."""
        # Translators: On a web page, after the button "Unsubscribe" was pressed.
        return self._(
            "You will receive no more messages of this kind. If you change your mind, please contact the school office."
        )

    # Questions of consent and the page on which they are answered.

    def files_here(self, link: str) -> str:
        """Lead to the page with the files."""
        # Translators: Below a mail, letter or text. %(link)s is a web address.
        return self._("Files that belong to this message: %(link)s", link=link)

    def files(self) -> str:
        """Head the list of files."""
        # Translators: Heading on a web page, above a list of files to download.
        return self._("Files")

    def answer_here(self, link: str) -> str:
        """Lead to the page."""
        # Translators: Below a question in a mail or letter. %(link)s is a web address.
        return self._("Please answer here: %(link)s", link=link)

    def answer_at_office(self) -> str:
        """Offer another way to answer."""
        # Translators: Below a question in a mail or letter, after "Please answer here: …".
        return self._("You can also give your answer to the school office.")

    def consent_question(self, student: str) -> str:
        """Ask."""
        # Translators: On a web page, above the choices "Yes, I consent" and "No". %(student)s is a child's first name.
        return self._("Do you give your consent for %(student)s?", student=student)

    def consent_yes(self) -> str:
        """Label the choice."""
        # Translators: Choice on a web page, below "Do you give your consent for …?".
        return self._("Yes, I consent")

    def consent_no(self) -> str:
        """Label the choice."""
        # Translators: Choice on a web page, below "Do you give your consent for …?".
        return self._("No, I do not consent")

    def who_answers(self) -> str:
        """Ask a couple who read one mailbox."""
        # Translators: On a web page, above the names of two people who read one mailbox.
        return self._("Who is answering?")

    def send_answer(self) -> str:
        """Label the button."""
        # Translators: Button on a web page.
        return self._("Send my answer")

    def answer_by(self, date: str) -> str:
        """Tell the deadline."""
        # Translators: On a web page. %(date)s is a date with the time of day.
        return self._("Please answer by: %(date)s", date=date)

    def answer_so_far(self, answer: str) -> str:
        """Tell the reader's own earlier answer."""
        # Translators: On a web page. %(answer)s is "Yes, I consent" or "No, I do not consent".
        return self._("Your answer so far: %(answer)s", answer=answer)

    def choose_answer(self) -> str:
        """Refuse a form that is not filled in."""
        # Translators: On a web page, after the button was pressed and something was left out.
        return self._("Please make your choice, then send your answer again.")

    def answer_recorded(self) -> str:
        """Confirm."""
        # Translators: On a web page, after an answer was sent.
        return self._("Thank you. We have recorded your answer.")

    def answer_again(self) -> str:
        """Say that a mind may be changed."""
        # Translators: On a web page, after an answer was sent.
        return self._("If you change your mind, please answer again or contact the school office.")

    def answers_closed(self) -> str:
        """Say that no further answer is taken on the page."""
        # Translators: On a web page, in place of the question.
        return self._("This question can no longer be answered here. Please contact the school office.")

    # Test messages (`gateway test-send`).

    def test_subject(self) -> str:
        """Say at first sight that it is only a test."""
        # Translators: Subject of a mail or letter that somebody sends to see whether messages arrive.
        return self._("Test message")

    def test_text(self) -> str:
        """Ask nothing of who receives it by mistake."""
        # Translators: The whole text of a test message, by mail, text message, letter or in a telephone call.
        return self._("This is a test message. You do not need to do anything.")

    # The sheet in front of a file of letters, for the people at the printer.

    def print_run(self, date: str) -> str:
        """Name a print run."""
        # Translators: Heading of the sheet in front of printed letters, read by office and print staff.
        return self._("Print run of %(date)s", date=date)

    def print_file(self, number: str, total: str) -> str:
        """Say which of how many files of a class this is."""
        # Translators: A print run has several files; %(number)s and %(total)s are figures.
        return self._("File %(number)s of %(total)s", number=number, total=total)

    def print_letters(self, count: str) -> str:
        """Say how many letters follow."""
        # Translators: A label with a figure.
        return self._("Letters: %(count)s", count=count)

    def print_sides(self, *, duplex: bool) -> str:
        """Say how the sheets are printed."""
        return self._("Printed on both sides") if duplex else self._("Printed on one side")

    def print_sealed(self) -> str:
        """Mark letters that nobody but the addressee may read."""
        # Translators: A mark that print staff must not overlook.
        return self._("Confidential: seal each letter in an envelope of its own")

    def postage(self, postage: str) -> str:
        """Name a class of the post."""
        names = {
            "first": self._("First class post"),
            "second": self._("Second class post"),
            "economy": self._("Economy post"),
            "europe": self._("Post to Europe"),
            "rest-of-world": self._("Post to the rest of the world"),
        }
        return names[postage]
