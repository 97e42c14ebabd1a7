"""`gateway doctor`: checks everything a send needs and says what to do about what is missing."""

import datetime as dt
import os
from collections.abc import Callable

from rich.console import Console

from channels.base import Channel
from channels.errors import ChannelSettingsError
from gateway.assembly import Gateway, assembled
from gateway.dispatch.providers import Provider, Standing
from gateway.operations import findings
from gateway.settings import Settings, unknown_settings


async def examine(settings: Settings) -> int:
    """Check settings, database, queue, providers, fonts and catalogues; 1 when something a send needs is missing."""
    console = Console()
    faults = 0

    def say(what: str, fault: str | None) -> None:
        nonlocal faults
        faults += fault is not None
        mark = "[green]ok[/]" if fault is None else "[red]missing[/]"
        console.print(f"{mark}  {what}" + (f": {fault}" if fault else ""), highlight=False)

    for name in unknown_settings(os.environ):
        console.print(f"[yellow]unknown[/]  {name} is read by nothing: correct its name or remove it", highlight=False)
    async with assembled(settings) as gateway:
        lacking = await gateway.services.readiness.faults()
        for part, fault in lacking.items():
            say(part, fault)
        if not any(lacking.values()):
            await _advise(gateway, console)
        await _examine_providers(gateway, say)
        languages = gateway.catalogue_languages
        say(f"catalogues: {', '.join(sorted(languages))}", None if languages else "no catalogue was found in locales/")
        say("letters: fonts and typesetter", await gateway.letter_fault())
    return 1 if faults else 0


async def _examine_providers(gateway: Gateway, say: Callable[[str, str | None], None]) -> None:
    """Talk to each provider, and look at its approval and budget."""
    choice = gateway.services.choice
    async with gateway.database.reading() as connection:
        standings = await choice.over_budget(connection) | choice.unapproved()
        used = await choice.used(connection)
    today = gateway.services.now().date()
    for name, of_channel in gateway.providers.items():
        for provider in of_channel:
            standing = standings.get(provider.key)
            fault = await _fault_of(provider.channel) if standing is None else _NOT_TO_BE_USED[standing]
            say(f"{name} by {provider.channel.name}{_terms(provider, used.get(provider.key), today)}", fault)


_NOT_TO_BE_USED = {
    Standing.UNAPPROVED: "its approval is over, so nothing is given to it: renew it and GATEWAY_APPROVED_UNTIL",
    Standing.OVER_BUDGET: "its budget of this month is used up, so that it gets alerts only: raise GATEWAY_BUDGETS",
}


def _terms(provider: Provider, used: int | None, today: dt.date) -> str:
    """Say what binds a provider, in brackets; nothing when nothing does."""
    terms = []
    if provider.approved_until is not None:
        days = (provider.approved_until - today).days
        terms.append(f"approved until {provider.approved_until}" + (f", in {days} days" if 0 <= days <= 60 else ""))
    if provider.budget is not None:
        terms.append(f"{used or 0:,} of {provider.budget:,} used this month")
    return f" ({'; '.join(terms)})" if terms else ""


async def _advise(gateway: Gateway, console: Console) -> None:
    """Say what works today and may not work on a bad day."""
    looked_at = findings(
        gateway.database, gateway.settings.redis_url, gateway.services.backlog, now=gateway.services.now
    )
    for finding in await looked_at:
        mark = "[green]ok[/]" if finding.advice is None else "[yellow]advice[/]"
        console.print(f"{mark}  {finding.what}" + (f": {finding.advice}" if finding.advice else ""), highlight=False)


async def _fault_of(channel: Channel) -> str | None:
    try:
        await channel.open()
        return await channel.check()
    except ChannelSettingsError as error:
        return str(error)
