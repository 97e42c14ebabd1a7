"""The embedded channels: they write what would have been sent to a folder, and can be told to fail."""

import asyncio
import datetime as dt
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec

from channels.base import Call, CallbackRequest, Envelope, Handover, Limits, Mail, Receipt, Recovery, Sheet, Text
from channels.delivery_folder import file_refusal, folder_fault
from channels.errors import ChannelSettingsError, ReceiptRefusedError, Retry, SendError
from channels.handing_over import WRONG_PAYLOAD, answer_each, answered
from channels.outbox_files import append_lines, deliveries_in, write_whole
from channels.typesetting import Typeset, pdf_or_error

Failures = Callable[[Envelope], SendError | None]
"""Tells which envelopes fail, for tests and demonstrations: dead addresses, opted-out numbers, outages."""


def never_fails(_envelope: Envelope) -> SendError | None:
    """Let every envelope through."""
    return None


class _Outbox:
    """What the four outbox channels have in common; `send` answers refusals itself and passes on the rest."""

    name = "outbox"
    recovery = Recovery.REPEAT
    limits = Limits(concurrency=1, batch=200)

    def __init__(self, folder: Path, failures: Failures) -> None:
        self._folder = folder
        self._failures = failures

    async def open(self) -> None:
        """Make the folder; raises `ChannelSettingsError` when it cannot be written."""
        if fault := await asyncio.to_thread(_fault_of, self._folder):
            raise ChannelSettingsError(fault)

    async def close(self) -> None:
        """Do nothing: no file stays open between batches."""

    async def send(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        """Write every envelope that is not told to fail; refusals are answered first."""
        fit: list[Envelope] = []
        for envelope in envelopes:
            refusal = self._failures(envelope) or self._refusal(envelope)
            if refusal is None:
                fit.append(envelope)
            else:
                yield answered(envelope, self.name, refusal)
        if fit:
            async with aclosing(self._write(fit)) as written:
                async for handover in written:
                    yield handover

    async def look_up(self, envelopes: Sequence[Envelope]) -> list[Handover | None]:
        """Know nothing: repeating a delivery overwrites its file with the same content."""
        return [None for _ in envelopes]

    def read_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """Refuse every callback: an outbox has no provider that could call."""
        del request
        raise ReceiptRefusedError(404, "The outbox sends no receipts.")

    async def check(self) -> str | None:
        """Say what is wrong with the folder, or None."""
        return await asyncio.to_thread(_fault_of, self._folder)

    def _refusal(self, envelope: Envelope) -> SendError | None:
        """Tell why this envelope cannot be written at all."""
        raise NotImplementedError

    def _write(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        """Write envelopes that have no refusal, and answer all."""
        raise NotImplementedError

    def _write_file(self, envelope: Envelope, suffix: str, content: bytes) -> Handover:
        path = self._folder / f"{envelope.delivery}{suffix}"
        try:
            write_whole(path, content)
        except OSError as error:
            return answered(envelope, self.name, _disk_error(error))
        return answered(envelope, self.name, path.name)


class OutboxMail(_Outbox):
    """Writes each mail to `{outbox}/email/{delivery}.eml`, byte for byte."""

    def __init__(self, outbox: Path, *, failures: Failures = never_fails) -> None:
        super().__init__(outbox / "email", failures)

    def _refusal(self, envelope: Envelope) -> SendError | None:
        return file_refusal(envelope, Mail)

    async def _write(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        for handover in await asyncio.to_thread(lambda: [self._write_mail(envelope) for envelope in envelopes]):
            yield handover

    def _write_mail(self, envelope: Envelope) -> Handover:
        if not isinstance(envelope.payload, Mail):
            return answered(envelope, self.name, WRONG_PAYLOAD)
        return self._write_file(envelope, ".eml", envelope.payload.content)


class OutboxLetters(_Outbox):
    """Typesets each letter to `{outbox}/letters/{delivery}.pdf`, a few at once in threads."""

    def __init__(
        self, outbox: Path, typeset: Typeset, *, failures: Failures = never_fails, typesetters: int = 2
    ) -> None:
        super().__init__(outbox / "letters", failures)
        self.limits = Limits(concurrency=typesetters, batch=50, timeout=60)
        self._typeset = typeset

    def _refusal(self, envelope: Envelope) -> SendError | None:
        return file_refusal(envelope, Sheet)

    def _write(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        return answer_each(envelopes, self._in_thread, concurrency=self.limits.concurrency)

    async def _in_thread(self, envelope: Envelope) -> Handover:
        return await asyncio.to_thread(self._write_letter, envelope)

    def _write_letter(self, envelope: Envelope) -> Handover:
        if not isinstance(envelope.payload, Sheet):
            return answered(envelope, self.name, WRONG_PAYLOAD)
        pdf = pdf_or_error(self._typeset, envelope.payload)
        if isinstance(pdf, SendError):
            return answered(envelope, self.name, pdf)
        return self._write_file(envelope, ".pdf", pdf)


class _Lines(_Outbox):
    """Appends one JSON line per envelope to one file, a batch in one write."""

    recovery = Recovery.LOOK_UP

    def __init__(self, path: Path, failures: Failures, now: Callable[[], dt.datetime]) -> None:
        super().__init__(path.parent, failures)
        self._path = path
        self._now = now

    async def open(self) -> None:
        """Make the folder and end a last line torn by a crash; raises `ChannelSettingsError`."""
        await super().open()
        await asyncio.to_thread(append_lines, self._path, ())

    async def look_up(self, envelopes: Sequence[Envelope]) -> list[Handover | None]:
        """Find the deliveries that have a line in the file."""
        found = await asyncio.to_thread(deliveries_in, self._path, {envelope.delivery for envelope in envelopes})
        return [
            answered(envelope, self.name, envelope.delivery) if envelope.delivery in found else None
            for envelope in envelopes
        ]

    async def _write(self, envelopes: Sequence[Envelope]) -> AsyncGenerator[Handover, None]:
        at = self._now()
        lines = [
            msgspec.json.encode({"delivery": envelope.delivery, **self._line(envelope), "at": at}) + b"\n"
            for envelope in envelopes
        ]
        failure = None
        try:
            await asyncio.to_thread(append_lines, self._path, lines)
        except OSError as error:
            failure = _disk_error(error)
        for envelope in envelopes:
            yield answered(envelope, self.name, failure or envelope.delivery)

    def _refusal(self, envelope: Envelope) -> SendError | None:
        return None if self._line(envelope) else WRONG_PAYLOAD

    def _line(self, envelope: Envelope) -> dict[str, Any]:
        """Give the line's own members, or none when the payload is of another kind."""
        raise NotImplementedError


class OutboxTexts(_Lines):
    """Appends each text message to `{outbox}/sms.jsonl`."""

    def __init__(self, outbox: Path, *, now: Callable[[], dt.datetime], failures: Failures = never_fails) -> None:
        super().__init__(outbox / "sms.jsonl", failures, now)

    def _line(self, envelope: Envelope) -> dict[str, Any]:
        match envelope.payload:
            case Text(recipient=to, body=body, segments=segments, language=language):
                return {"to": to, "body": body, "segments": segments, "language": language}
        return {}


class OutboxCalls(_Lines):
    """Appends each voice call to `{outbox}/voice.jsonl`."""

    def __init__(self, outbox: Path, *, now: Callable[[], dt.datetime], failures: Failures = never_fails) -> None:
        super().__init__(outbox / "voice.jsonl", failures, now)

    def _line(self, envelope: Envelope) -> dict[str, Any]:
        match envelope.payload:
            case Call(recipient=to, speech=speech, language=language):
                return {"to": to, "speech": speech, "language": language}
        return {}


def _fault_of(folder: Path) -> str | None:
    return folder_fault(folder, name="outbox folder", setting="GATEWAY_OUTBOX_DIR")


def _disk_error(error: OSError) -> SendError:
    return SendError(
        retry=Retry.LATER,
        code="outbox_not_writable",
        explanation="The outbox folder could not be written; the operator must make room or allow writing.",
        provider_code=error.strerror,
        ours=True,
    )
