"""What `gateway doctor` advises on the channels: whatever works today and may not on a bad day."""

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from channels.dkim_signing import PublicRecord
from channels.smtp_settings import is_loopback
from gateway.directory.model import ChannelName
from gateway.dispatch.providers import Terms
from gateway.mail_server.listening import inbound_advice
from gateway.operations import Finding
from gateway.rules.categories import CATEGORIES, LIFE_SAFETY
from gateway.settings import Settings

SOON_DAYS = 60
"""Renewing an approval takes weeks: a contract, a data protection assessment, somebody's signature."""
NEARLY_USED = 0.8
"""The share of a budget at which there is time yet to raise it."""
LONGEST_STRING = 255
"""Bytes of one string of a TXT record (RFC 1035, section 3.3.14); a record may have several."""

_OUTBOX = "outbox"
_OURS = frozenset({_OUTBOX, "smtp", "smtp2", "spool", "staff"})
"""Providers that bring no news over HTTP, so that they need no address of ours."""
_ALERTS = tuple(
    channel for channel in ChannelName if any(channel in CATEGORIES[category].channels for category in LIFE_SAFETY)
)


def channel_findings(settings: Settings, terms: Sequence[Terms]) -> list[Finding]:
    """Judge the choice of providers, what binds them, and the addresses that mails and callbacks lead to."""
    chosen = {name: [share.provider for share in shares] for name, shares in settings.providers.items()}
    return [
        *term_findings(terms),
        *alert_findings(chosen, {each.provider for each in terms if (each.approved_days or 0) < 0}),
        address_finding(settings),
        Finding(what="mail that comes back is taken", advice=inbound_advice(settings)),
    ]


def term_findings(terms: Sequence[Terms]) -> Iterator[Finding]:
    """Judge approvals and budgets that will soon be over; for those that are, see the provider itself."""
    for each in terms:
        days = each.approved_days
        if days is not None and 0 <= days <= SOON_DAYS:
            until = "today is the last day" if days == 0 else f"{days} days are left"
            advice = f"{until}: renew it, and write its new end into GATEWAY_APPROVED_UNTIL."
            yield Finding(what=f"approval of {each.provider}", advice=advice)
        if each.budget and each.used is not None and NEARLY_USED <= each.used / each.budget < 1:
            advice = (
                f"{each.used:,} of {each.budget:,} used this month, then it gets alerts only: raise GATEWAY_BUDGETS."
            )
            yield Finding(what=f"budget of {each.provider}", advice=advice)


def alert_findings(chosen: Mapping[str, Sequence[str]], unusable: set[str]) -> Iterator[Finding]:
    """Judge who carries alerts: `chosen` names the providers of each channel, `unusable` those without approval."""
    carried = {
        channel: [name for name in chosen[channel] if f"{channel}/{name}" not in unusable] for channel in _ALERTS
    }
    unsent = [channel for channel, names in carried.items() if set(names) == {_OUTBOX}]
    advice = None
    if unsent:
        advice = f"{_listed(unsent)} only written to files: set {_settings(unsent)} to send them."
    yield Finding(what="alerts leave this installation", advice=advice)

    alone = [channel for channel, names in carried.items() if len(names) == 1 and names[0] not in {_OUTBOX, "staff"}]
    advice = None
    if alone:
        advice = f"{_listed(alone)} carried by one provider alone: name a second one in {_settings(alone)}."
    yield Finding(what="alerts go on when a provider fails", advice=advice)


def address_finding(settings: Settings) -> Finding:
    """Judge the address that is in mails and that providers call."""
    parts = urlsplit(settings.public_url)
    callers = _callers(settings)
    mails = any(share.provider != _OUTBOX for share in settings.email.email_provider)
    advice = None
    if is_loopback(parts.hostname or ""):
        if _reaches_others(settings):
            advice = "it leads to this machine alone, where no parent and no provider can follow it: set it."
    elif parts.scheme == "http" and (mails or callers):
        needed = ["one-click unsubscribe (RFC 8058)"] if mails else []
        needed += [f"news from {', '.join(callers)}"] if callers else []
        advice = f"{' and '.join(needed)} need https: put TLS in front of the gateway and correct it."
    return Finding(what="GATEWAY_PUBLIC_URL can be followed", advice=advice)


def txt_record(record: PublicRecord) -> str:
    """Write a record as zone files have it: a long value as several strings, which resolvers join."""
    pieces = [record.value[at : at + LONGEST_STRING] for at in range(0, len(record.value), LONGEST_STRING)]
    return " ".join([record.name, "TXT", *(f'"{piece}"' for piece in pieces)])


def _callers(settings: Settings) -> list[str]:
    """Name the providers that bring their news to an address of ours."""
    return [
        f"{channel}/{share.provider}"
        for channel, shares in settings.providers.items()
        for share in shares
        if share.provider not in _OURS
    ]


def _reaches_others(settings: Settings) -> bool:
    """Tell whether anything is handed to a machine other than this one."""
    relays = settings.email.relays
    hosts = {relays[share.provider].host for share in settings.email.email_provider if share.provider in relays}
    for caller in _callers(settings):
        setting = f"{caller.partition('/')[2]}_api_base_url"
        bases = [getattr(section, setting, None) for section in (settings.texts, settings.voice, settings.letters)]
        hosts |= {urlsplit(base).hostname or "" for base in bases if base} or {"the provider's own"}
    return not all(is_loopback(host) for host in hosts)


def _listed(channels: Sequence[ChannelName]) -> str:
    *others, last = channels
    return f"{', '.join(others)} and {last} are" if others else f"{last} is"


def _settings(channels: Sequence[ChannelName]) -> str:
    *others, last = [f"GATEWAY_{channel.upper()}_PROVIDER" for channel in channels]
    return f"{', '.join(others)} and {last}" if others else last
