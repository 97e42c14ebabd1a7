"""`gateway doctor`: checks everything a send needs and says what to do about what is missing."""

import contextlib
import datetime as dt
import os
from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from channels.base import Channel
from channels.dkim_signing import PublicRecord
from channels.email_smtp import SmtpChannel
from channels.errors import ChannelSettingsError
from gateway.assembly import Gateway, assembled
from gateway.cli.channel_advice import channel_findings, txt_record
from gateway.cli.specimen import letter_fault
from gateway.directory.model import ChannelName
from gateway.dispatch.providers import Provider, Standing
from gateway.operations import Finding, findings
from gateway.printing import make_courier
from gateway.settings import Settings, unknown_settings


async def examine(settings: Settings) -> int:
    """Check settings, database, queue, providers, fonts and catalogues; 1 when something a send needs is missing."""
    paper = _Paper()
    for name in unknown_settings(os.environ):
        paper.write("unknown", "yellow", f"{name} is read by nothing: correct its name or remove it")
    async with assembled(settings) as gateway:
        lacking = await gateway.services.readiness.faults()
        for part, fault in lacking.items():
            paper.check(part, fault)
        usable = not any(lacking.values())
        if usable:
            await _advise(gateway, paper)
        used = await _used(gateway) if usable else {}
        await _examine_providers(gateway, used, paper)
        await _examine_letters(gateway, paper)
        for finding in channel_findings(settings, gateway.services.choice.terms(used)):
            paper.advise(finding)
        await _publish(gateway, paper)
        languages = gateway.catalogue_languages
        fault = None if languages else "no catalogue was found in locales/"
        paper.check(f"catalogues: {', '.join(sorted(languages))}", fault)
    return 1 if paper.faults else 0


class _Paper:
    """Takes the findings down, one to a line, however long."""

    def __init__(self) -> None:
        self._console = Console()
        self.faults = 0

    def check(self, what: str, fault: str | None) -> None:
        """Say that something a send needs is there, or why it is not."""
        self.faults += fault is not None
        self._judge(what, fault, "missing", "red")

    def advise(self, finding: Finding) -> None:
        """Say that something is as it should be, or what to change."""
        self._judge(finding.what, finding.advice, "advice", "yellow")

    def _judge(self, what: str, sentence: str | None, mark: str, style: str) -> None:
        if sentence is None:
            self.write("ok", "green", what)
        else:
            self.write(mark, style, f"{what}: {sentence}")

    def write(self, mark: str, style: str, line: str) -> None:
        """Write one line."""
        self._console.print(Text.assemble((mark, style), f"  {line}"), soft_wrap=True)


async def _used(gateway: Gateway) -> Mapping[str, int]:
    async with gateway.database.reading() as connection:
        return await gateway.services.choice.used(connection)


async def _advise(gateway: Gateway, paper: _Paper) -> None:
    """Say what works today and may not work on a bad day."""
    looked_at = findings(
        gateway.database, gateway.settings.redis_url, gateway.services.backlog, now=gateway.services.now
    )
    for finding in await looked_at:
        paper.advise(finding)


async def _examine_providers(gateway: Gateway, used: Mapping[str, int], paper: _Paper) -> None:
    """Talk to each provider, and look at its approval and budget."""
    unapproved = gateway.services.choice.unapproved()
    today = gateway.services.now().date()
    for name, of_channel in gateway.providers.items():
        for provider in of_channel:
            standing = unapproved.get(provider.key)
            if standing is None and provider.budget is not None and used.get(provider.key, -1) >= provider.budget:
                standing = Standing.OVER_BUDGET
            fault = await _fault_of(provider.channel) if standing is not Standing.UNAPPROVED else None
            if standing is not None:
                fault = fault or _NOT_TO_BE_USED[standing]
            paper.check(f"{name} by {provider.channel.name}{_terms(provider, used.get(provider.key), today)}", fault)


_NOT_TO_BE_USED = {
    Standing.UNAPPROVED: "its approval is over, so nothing is given to it: renew it and GATEWAY_APPROVED_UNTIL",
    Standing.OVER_BUDGET: "its budget of this month is used up, so that it gets alerts only: raise GATEWAY_BUDGETS",
}


def _terms(provider: Provider, used: int | None, today: dt.date) -> str:
    """Say what binds a provider, in brackets; nothing when nothing does."""
    terms = []
    if provider.approved_until is not None:
        terms.append(f"approved until {provider.approved_until}, {(provider.approved_until - today).days} days")
    if provider.budget is not None and used is not None:
        terms.append(f"{used:,} of {provider.budget:,} used this month")
    return f" ({'; '.join(terms)})" if terms else ""


async def _fault_of(channel: Channel) -> str | None:
    try:
        await channel.open()
        return await channel.check()
    except ChannelSettingsError as error:
        return str(error)


async def _examine_letters(gateway: Gateway, paper: _Paper) -> None:
    """Typeset one, and talk to the print house that takes print runs."""
    paper.check("letters: fonts and typesetter", await letter_fault())
    if courier := make_courier(gateway.settings):
        paper.check("print house over SFTP", await courier.check())


async def _publish(gateway: Gateway, paper: _Paper) -> None:
    """Say what to put into the DNS, once for each key that signs mails."""
    records: dict[PublicRecord, str] = {}
    for provider in gateway.providers[ChannelName.EMAIL]:
        if isinstance(provider.channel, SmtpChannel):
            with contextlib.suppress(ChannelSettingsError):  # which was said above
                records |= dict.fromkeys(await provider.channel.records(), provider.channel.name)
    for record, name in records.items():
        paper.write("publish", "cyan", f"so that receivers can check mails by {name}: {txt_record(record)}")
