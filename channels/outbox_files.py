"""The outbox's files: a file is whole or absent, a line is whole or absent, also after a crash or on a full disk.

Nothing is synced to disk: the outbox outlives a killed process, not a power cut.
"""

import errno
import fcntl
import os
import threading
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec


class _Line(msgspec.Struct):
    """The part of a line that tells whose it is."""

    delivery: str


_LINES = msgspec.json.Decoder(_Line)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that readers see the old content or the new, never a part; raises OSError."""
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def append_lines(path: Path, lines: Sequence[bytes]) -> None:
    """Append whole lines in one write, all or none; a torn last line gets its newline first; raises OSError."""
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        # The lock makes the size below ours until we are done: other processes append to the same file.
        fcntl.flock(file, fcntl.LOCK_EX)
        size = os.fstat(file).st_size
        torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        content = b"".join([b"\n" if torn else b"", *lines])
        if os.write(file, content) < len(content):
            os.ftruncate(file, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(file)


def deliveries_in(path: Path, wanted: Collection[str]) -> set[str]:
    """Tell which of the wanted deliveries have a line in the file; torn and foreign lines count for nobody."""
    found: set[str] = set()
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    found.add(_LINES.decode(line).delivery)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue
    except FileNotFoundError:
        return set()
    return found.intersection(wanted)
