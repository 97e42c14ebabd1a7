"""A folder with one file a delivery: whether it can be written, and which envelopes may have a file in it."""

import os
import re
import threading
from pathlib import Path

from channels.base import Envelope, Mail, Sheet
from channels.errors import Retry, SendError
from channels.handing_over import WRONG_PAYLOAD

_SAFE_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")

_UNSAFE_ID = SendError(
    retry=Retry.NEVER,
    code="unsafe_delivery_id",
    explanation="The delivery's id cannot name a file; the operator must look at the gateway's ids.",
    ours=True,
)


def file_refusal(envelope: Envelope, wanted: type[Mail] | type[Sheet]) -> SendError | None:
    """Tell why an envelope can have no file, if so."""
    if not isinstance(envelope.payload, wanted):
        return WRONG_PAYLOAD
    return None if _SAFE_ID.fullmatch(envelope.delivery) else _UNSAFE_ID


def folder_fault(folder: Path, *, name: str, setting: str, mode: int = 0o777) -> str | None:
    """Make the folder, try a small file in it, and say in one sentence what is wrong."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=mode)
        probe = folder / f".probe.{os.getpid()}-{threading.get_ident()}"
        probe.write_bytes(b"probe")
        probe.unlink()
    except OSError as error:
        return (
            f"The {name} {folder} cannot be written ({error.strerror}): "
            f"set {setting} to a folder the gateway may write to."
        )
    return None
