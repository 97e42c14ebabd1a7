"""`gateway doctor`: checks everything a send needs and says what to do about what is missing."""

import os

from rich.console import Console

from channels.base import Channel
from channels.errors import ChannelSettingsError
from gateway.assembly import Gateway, assembled
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
        for name, channel in gateway.channels.items():
            say(f"{name} by {channel.name}", await _fault_of(channel))
        languages = gateway.catalogue_languages
        say(f"catalogues: {', '.join(sorted(languages))}", None if languages else "no catalogue was found in locales/")
        say("letters: fonts and typesetter", await gateway.letter_fault())
    return 1 if faults else 0


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
