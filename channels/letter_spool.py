"""The spool: letters kept on disk under their delivery's id until a print run takes them.

`{spool}/waiting/{delivery}.json` is one letter, `{spool}/runs/` holds what is ready for the printer. A letter that is
handed over again takes its own place: repeating is harmless, as a run takes each delivery once.
"""

import asyncio
import datetime as dt
import os
import threading
from collections.abc import AsyncGenerator, Collection, Sequence
from pathlib import Path

import msgspec

from channels.base import CallbackRequest, Envelope, Handover, Limits, Receipt, Recovery, Sheet
from channels.delivery_folder import file_refusal, folder_fault
from channels.errors import ChannelSettingsError, ReceiptRefusedError, Retry, SendError
from channels.handing_over import answered

WAITING = "waiting"

_SHEETS = msgspec.json.Decoder(Sheet)
_A_DAY = dt.timedelta(days=1)
"""A younger letter may just be handed over."""


class SpoolLetters:
    """Keeps letters for the next print run; what it has accepted outlives a power cut."""

    name = "spool"
    recovery = Recovery.REPEAT
    recall_window = None

    def __init__(self, folder: Path) -> None:
        self.limits = Limits(concurrency=1, batch=200, timeout=60)
        self._waiting = folder / WAITING

    async def open(self) -> None:
        """Make the folder; raises `ChannelSettingsError` when it cannot be written."""
        if fault := await asyncio.to_thread(_fault_of, self._waiting):
            raise ChannelSettingsError(fault)

    async def close(self) -> None:
        """Do nothing: no file stays open between batches."""

    async def send(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        """Keep every letter; the whole batch is on the disk before the first answer."""
        if not envelopes:
            return
        refused = {envelope.delivery: refusal for envelope in envelopes if (refusal := file_refusal(envelope, Sheet))}
        fit = [envelope for envelope in envelopes if envelope.delivery not in refused]
        failure = await asyncio.to_thread(self._keep, fit)
        for envelope in envelopes:
            yield answered(envelope, self.name, refused.get(envelope.delivery, failure) or envelope.delivery)

    async def look_up(self, envelopes: Sequence[Envelope]) -> list[Handover | None]:
        """Know nothing: repeating a delivery keeps the same letter once."""
        return [None for _ in envelopes]

    def read_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """Refuse every callback: news of a print run comes from the gateway itself."""
        del request
        raise ReceiptRefusedError(404, "The spool sends no receipts.")

    async def recall(self, provider_ids: Sequence[str]) -> set[str]:
        """Take letters back: which of them a run has taken, its record says; the next run clears away the files."""
        return set(provider_ids)

    async def check(self) -> str | None:
        """Say what is wrong with the folder, or None."""
        return await asyncio.to_thread(_fault_of, self._waiting)

    def _keep(self, envelopes: Sequence[Envelope]) -> SendError | None:
        try:
            for envelope in envelopes:
                write_durably(
                    letter_path(self._waiting.parent, envelope.delivery), msgspec.json.encode(envelope.payload)
                )
            sync_folder(self._waiting)
        except OSError as error:
            return SendError(
                retry=Retry.LATER,
                code="spool_not_writable",
                explanation="The letter spool could not be written; the operator must make room or allow writing.",
                provider_code=error.strerror,
                ours=True,
            )
        return None


def letter_path(spool: Path, delivery: str) -> Path:
    """Say where a letter waits."""
    return spool / WAITING / f"{delivery}.json"


def read_letter(spool: Path, delivery: str) -> Sheet | None:
    """Read a waiting letter; None when it is gone or not whole."""
    try:
        return _SHEETS.decode(letter_path(spool, delivery).read_bytes())
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def unreadable(spool: Path, deliveries: Collection[str]) -> set[str]:
    """Name the letters that are gone from the spool, or not whole."""
    return {delivery for delivery in deliveries if read_letter(spool, delivery) is None}


def clear_away(spool: Path, printed: Collection[str]) -> None:
    """Remove letters that nobody waits for any more."""
    for delivery in printed:
        letter_path(spool, delivery).unlink(missing_ok=True)


def left_behind(spool: Path, *, now: dt.datetime) -> list[str]:
    """Name letters that were handed over more than a day ago: some still wait, some were withdrawn since."""
    before = (now - _A_DAY).timestamp()
    try:
        with os.scandir(spool / WAITING) as entries:
            return [
                entry.name.removesuffix(".json")
                for entry in entries
                if entry.name.endswith(".json") and entry.stat().st_mtime < before
            ]
    except FileNotFoundError:  # another run has cleared away the same, or the folder has gone with all that was in it
        return []


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that it is whole or absent, also after a power cut once its folder is synced; raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Let the names of a folder's files outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fault_of(folder: Path) -> str | None:
    """Make spool and folder for our own account alone, and say in one sentence what is wrong.

    What is printed lies beside `folder`: whoever may read that is for the operator to say, on the spool.
    """
    faults = (
        folder_fault(each, name="letter spool", setting="GATEWAY_LETTER_SPOOL_DIR", mode=0o700)
        for each in (folder.parent, folder)
    )
    return next(filter(None, faults), None)
