"""Answers a request given as JSON documents: directory, request (recipient rules, section 2), a school's settings."""

import datetime as dt
import re
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from gateway.directory.indexing import DirectoryIndex
from gateway.directory.model import Directory
from gateway.directory.validation import find_problems, is_zone
from gateway.rules.answer import Answer, Refusal, Request
from gateway.rules.asking import check_instant
from gateway.rules.audience import DEFAULT_POLICY, decide
from gateway.rules.occasion import RefusedError
from gateway.rules.policy import Policy
from gateway.rules.policy_document import PolicyDocument, merged
from gateway.rules.policy_faults import policy_faults

_Document = TypeVar("_Document", Directory, Request, PolicyDocument)

_PLACED = re.compile(r"(?P<fault>.*?)(?: - at (?P<key>`key` in )?`\$\.?(?P<path>[^`]*)`)?", re.DOTALL)
_WORDS = (
    (re.compile(r"Invalid RFC3339 encoded datetime"), "must be an instant with offset, such as 2026-06-15T10:00:00Z"),
    (re.compile(r"Invalid RFC3339 encoded date"), "must be a date such as 2026-06-15"),
    (re.compile(r"Invalid enum value .*"), "must be one of the values the recipient rules list"),
    (re.compile(r"Expected `str` matching regex .*"), "must be a text of the form the recipient rules give"),
    (re.compile(r"Object missing required field (`\w+`)"), r"must have the field \1"),
    (re.compile(r"Object contains unknown field (`[^`]*`)"), r"must not have the unknown field \1"),
    (re.compile(r"Expected (.*), got (.*)"), r"must be \1, not \2"),
    (re.compile(r"Expected (.*)"), r"must be \1"),
)
"""The decoder's faults in words that name the fix, and never what stood in the field."""
_UNSAID = "must be as the recipient rules describe it"


def decide_documents(
    directory_json: bytes, request_json: bytes, policy_json: bytes | None = None, *, policy: Policy = DEFAULT_POLICY
) -> Answer:
    """Decode the documents strictly, check them and decide; whatever P0 refuses gives `error` and empty lists.

    `policy_json` is a school's settings, laid over `policy`.
    """
    try:
        if policy_json is not None:
            policy = _laid_over(_read(policy_json, PolicyDocument, "policy"), policy)
        directory = _read(directory_json, Directory, "directory")
        request = _read(request_json, Request, "request")
        _check(directory, request)
    except RefusedError as refusal:
        return Answer(decisions=(), messages=(), error=Refusal(reason=str(refusal)))
    return decide(DirectoryIndex(directory), request, policy=policy)


def sentence_for(error: msgspec.DecodeError, document: str) -> str:
    """Say in one sentence what a document lacks, naming the field but never what stood in it."""
    if not isinstance(error, msgspec.ValidationError):
        return f"The {document} is not valid JSON."
    parts = _PLACED.fullmatch(str(error))
    if parts is None:
        return f"The {document} {_UNSAID}."
    field = f"`{parts['path']}` " if parts["path"] else ""
    key = "each key of " if parts["key"] else ""
    faults = (pattern.fullmatch(parts["fault"]) for pattern, _ in _WORDS)
    said = next((fault.expand(words) for fault, (_, words) in zip(faults, _WORDS, strict=True) if fault), _UNSAID)
    return f"In the {document}, {key}{field or 'the document itself '}{said}."


def _read(document: bytes, form: type[_Document], name: str) -> _Document:
    try:
        return msgspec.json.decode(document, type=form)
    except msgspec.DecodeError as error:
        raise RefusedError(sentence_for(error, name)) from error
    except (RecursionError, UnicodeDecodeError) as error:
        raise RefusedError(f"The {name} is not valid JSON.") from error


def _laid_over(document: PolicyDocument, policy: Policy) -> Policy:
    faults = policy_faults(document, policy)
    if faults:
        raise RefusedError(f"In the policy, {faults[0].pointer}: {faults[0].sentence}")
    return merged(document, policy)


def _check(directory: Directory, request: Request) -> None:
    """P0 for the directory as a whole, on the day of the request at the school."""
    check_instant(request.at)
    zone = directory.school.timezone
    today = request.at.astimezone(ZoneInfo(zone) if is_zone(zone) else dt.UTC).date()
    problems = find_problems(directory, today)
    if problems:
        more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
        raise RefusedError(f"In the directory, {problems[0]}{more}")
