"""R38: looks in what each recipient would read for names, numbers and addresses of the student's other contacts."""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from gateway.content.languages import choose
from gateway.content.template import Source
from gateway.directory.indexing import DirectoryIndex
from gateway.dispatch.chunks import message_id
from gateway.dispatch.requests import NotificationRequest, Values
from gateway.rules.answer import PlannedMessage
from gateway.rules.disclosure import DisclosureCheck

NO_FILES: Mapping[str, str] = MappingProxyType({})


def telling_messages(
    notification: str,
    messages: Collection[PlannedMessage],
    request: NotificationRequest,
    sources: Mapping[str, Source],
    index: DirectoryIndex,
    files: Mapping[str, str] = NO_FILES,
) -> dict[str, bool]:
    """Name the messages that would tell their reader about another contact, and whether of something confidential.

    `files` are the words of the request's attachments, by id.
    """
    check = DisclosureCheck(index)
    telling = {}
    alike: dict[str, str] = {}
    for message in messages:
        if request.student_values:
            text = "\n".join(_texts(message, request, sources, index))
        elif message.language in alike:
            text = alike[message.language]
        else:
            text = alike[message.language] = "\n".join(_texts(message, request, sources, index))
        # Files one by one: what many readers get is taken apart once.
        read = (text, *(files.get(key, "") for key in request.files_for(message.students)))
        found = [one for each in read for one in check.find(each, recipient=message.contact, students=message.students)]
        if found:
            telling[message_id(notification, message)] = any(disclosure.confidential for disclosure in found)
    return telling


def _texts(
    message: PlannedMessage,
    request: NotificationRequest,
    sources: Mapping[str, Source],
    index: DirectoryIndex,
) -> Iterator[str]:
    """Give everything of the message that its sender wrote: the text in its language, the values."""
    language, _ = choose(message.language, sources, index.school.language)
    source = sources[language]
    yield from (source.subject, source.body, source.short or "")
    yield from _words(request.values)
    for student in message.students:
        yield from _words(request.student_values.get(student, {}))


def _words(values: Values) -> Iterator[str]:
    for value in values.values():
        yield from value if isinstance(value, tuple) else (str(value),)
