"""A school's own settings as a document: what differs from the defaults, described and merged into a `Policy`."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.directory.model import Category, ChannelName
from gateway.rules.answer import Mode
from gateway.rules.categories import Audience, CategoryRow
from gateway.rules.policy import Policy

CLOCK_TIME = r"^([01]\d|2[0-3]):[0-5]\d$"
JURISDICTION = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"
"""The beginning of a jurisdiction: a country, or one of its parts (ISO 3166)."""

Time = Annotated[str, Meta(extra_json_schema={"pattern": CLOCK_TIME})]
"""A time of day, `HH:MM`; `policy_faults` checks the form, as it has the better words for it."""

Prefix = Annotated[str, Meta(extra_json_schema={"pattern": JURISDICTION})]
"""What a jurisdiction starts with, such as `US` or `GB-ENG`; checked by `policy_faults`."""

Days = Annotated[int, Meta(ge=1, le=3650)]

Minutes = Annotated[int, Meta(ge=1, le=120)]
"""Longer steps would outlast an alert, which is tried for twelve hours."""


class _Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Settings, of which each may be left out."""


class CategorySettings(_Settings, frozen=True):
    """What a school sets of one category; the fields are those of the table."""

    sensitivity: int | UnsetType = UNSET
    """Fixed: it may be repeated, not changed."""
    audience: Audience | UnsetType = UNSET
    statutory: bool | UnsetType = UNSET
    may_opt_out: bool | UnsetType = UNSET
    must_opt_in: bool | UnsetType = UNSET
    own_channels: bool | UnsetType = UNSET
    """Whether the contact's own order of channels counts; in fallback mode only."""
    quiet_hours: bool | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    channels: Annotated[tuple[ChannelName, ...], Meta(min_length=1)] | UnsetType = UNSET
    """In order."""
    first_of_each: bool | UnsetType = UNSET
    """Whether only the first contact point of each channel is used."""
    unsubscribe: bool | UnsetType = UNSET
    """Whether its mails carry one-click unsubscribe."""
    ladder_minutes: Minutes | UnsetType = UNSET
    """Without acknowledgement, before the next step of the ladder starts (R31)."""


class CategoryTable(_Settings, frozen=True):
    """Settings by category."""

    emergency: CategorySettings | UnsetType = UNSET
    child_safety: CategorySettings | UnsetType = UNSET
    attendance: CategorySettings | UnsetType = UNSET
    safeguarding: CategorySettings | UnsetType = UNSET
    report: CategorySettings | UnsetType = UNSET
    progress: CategorySettings | UnsetType = UNSET
    behaviour: CategorySettings | UnsetType = UNSET
    send: CategorySettings | UnsetType = UNSET
    meeting: CategorySettings | UnsetType = UNSET
    consent: CategorySettings | UnsetType = UNSET
    billing: CategorySettings | UnsetType = UNSET
    routine: CategorySettings | UnsetType = UNSET
    newsletter: CategorySettings | UnsetType = UNSET
    celebration: CategorySettings | UnsetType = UNSET
    fundraising: CategorySettings | UnsetType = UNSET
    account: CategorySettings | UnsetType = UNSET
    reply: CategorySettings | UnsetType = UNSET


class PolicyDocument(_Settings, frozen=True):
    """A school's settings; what is left out stays as the rules have it. The fields are those of `Policy`."""

    united_states_prefixes: tuple[Prefix, ...] | UnsetType = UNSET
    """Jurisdictions that start so take the US rules, all others the England rules."""
    quiet_hours: tuple[Time, Time] | UnsetType = UNSET
    """Start and end, for contacts who have set none of their own; two equal times are none."""
    safeguarding_review_days: Days | UnsetType = UNSET
    lapsed_escalation_days: Days | UnsetType = UNSET
    draft_escalation_days: Days | UnsetType = UNSET
    hold_page_minutes: Minutes | UnsetType = UNSET
    categories: CategoryTable | UnsetType = UNSET


def merged(document: PolicyDocument, default: Policy) -> Policy:
    """Lay a document over the defaults; it must be free of faults."""
    settings = category_settings(document)
    rows = {
        category: dataclasses.replace(row, **_given(settings[category], CategoryRow)) if category in settings else row
        for category, row in default.categories.items()
    }
    minutes = {
        category: given.ladder_minutes
        for category, given in settings.items()
        if not isinstance(given.ladder_minutes, UnsetType)
    }
    ladders = {
        category: value
        for category, value in {**default.ladder_minutes, **minutes}.items()
        if rows[category].mode is Mode.LADDER
    }
    others = {name: value for name, value in _given(document, Policy).items() if name != "categories"}
    return dataclasses.replace(default, **others, categories=rows, ladder_minutes=ladders)


def described(policy: Policy) -> PolicyDocument:
    """Write a whole policy as a document that leaves nothing out."""
    table = {
        category.value: CategorySettings(
            **dataclasses.asdict(row),
            ladder_minutes=policy.ladder_minutes[category] if row.mode is Mode.LADDER else UNSET,
        )
        for category, row in policy.categories.items()
    }
    own = {name: getattr(policy, name) for name in PolicyDocument.__struct_fields__ if name != "categories"}
    return PolicyDocument(**own, categories=CategoryTable(**table))


def difference(policy: Policy, default: Policy) -> PolicyDocument:
    """Write what a policy sets otherwise than the defaults do: the shortest document that gives it."""
    own, usual = (msgspec.to_builtins(described(each)) for each in (policy, default))
    return msgspec.convert(_differing(own, usual), PolicyDocument)


def category_settings(document: PolicyDocument) -> dict[Category, CategorySettings]:
    """Give the settings of those categories that the document names."""
    return {Category(name): settings for name, settings in _set_fields(document.categories)}


def _given(document: _Settings, kind: type[Any]) -> dict[str, Any]:
    """Give the values that were not left out and that this kind has."""
    known = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in _set_fields(document) if name in known}


def _set_fields(document: _Settings | UnsetType) -> Iterator[tuple[str, Any]]:
    if not isinstance(document, UnsetType):
        pairs = ((name, getattr(document, name)) for name in document.__struct_fields__)
        yield from (pair for pair in pairs if pair[1] is not UNSET)


def _differing(own: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what is not the same in both; of inner objects only their differing parts."""
    kept: dict[str, Any] = {}
    for name, value in own.items():
        if isinstance(value, dict):
            if inner := _differing(value, usual.get(name, {})):
                kept[name] = inner
        elif name not in usual or usual[name] != value:
            kept[name] = value
    return kept
