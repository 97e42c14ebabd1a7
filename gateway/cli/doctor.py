"""`gateway doctor`: checks everything a send needs and says what to do about what is missing."""

import os

from rich.console import Console

from channels.base import Channel
from channels.errors import ChannelSettingsError
from gateway.assembly import assembled
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
        lacking = await gateway.services.ready()
        say("database, schema and queue", " ".join(lacking) or None)
        for name, channel in gateway.channels.items():
            say(f"{name} by {channel.name}", await _fault_of(channel))
        languages = gateway.catalogue_languages
        say(f"catalogues: {', '.join(sorted(languages))}", None if languages else "no catalogue was found in locales/")
        say("letters: fonts and typesetter", await gateway.letter_fault())
    return 1 if faults else 0


async def _fault_of(channel: Channel) -> str | None:
    try:
        await channel.open()
        return await channel.check()
    except ChannelSettingsError as error:
        return str(error)
