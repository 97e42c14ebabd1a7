"""Opens an uploaded zip without trusting it: its names, its sizes and its bytes may all be hostile."""

import struct
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO

from gateway.directory.importing import ImportRefusedError

MOST_ENTRIES = 50
MOST_BYTES = 200 * 1024 * 1024
"""Of all entries together, unpacked."""
MOST_INFLATION = 100
"""Unpacked size over packed size; lists of people measure 4 to 20."""
INFLATION_COUNTS_FROM = 1024 * 1024
"""Bytes unpacked; a small file may well be repetitive."""

_ENCRYPTED = 0x1
_READABLE_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What the standard library's reader raises on bytes that only look like a zip."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unpacked:
    """The wanted files of an archive, and the names of those nobody asked for."""

    contents: dict[str, bytes]
    ignored: tuple[str, ...]


def unpack(archive: bytes, *, wanted: Collection[str]) -> Unpacked:
    """Read the wanted files at the root of a zip.

    Raises ImportRefusedError with one sentence when it is no zip, is encrypted, damaged or unreasonably large,
    or holds folders or one name twice.
    """
    try:
        with zipfile.ZipFile(BytesIO(archive)) as opened:
            entries = opened.infolist()
            _check(entries)
            contents = {entry.filename: opened.read(entry) for entry in entries if entry.filename in wanted}
    except _DAMAGE as error:
        raise ImportRefusedError("The upload is not a zip file, or it is damaged; export it again.") from error
    return Unpacked(contents=contents, ignored=tuple(sorted({entry.filename for entry in entries} - contents.keys())))


def _check(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive by what its list of entries says, before anything is unpacked."""
    if len(entries) > MOST_ENTRIES:
        raise ImportRefusedError(f"The zip holds more than {MOST_ENTRIES} files; send only the files of one export.")
    for entry in entries:
        _check_entry(entry)
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise ImportRefusedError(
            f"The zip unpacks to more than {MOST_BYTES // 1024**2} MB; send the export of one school."
        )
    names = [entry.filename.casefold() for entry in entries]
    if len(set(names)) < len(names):
        raise ImportRefusedError("The zip holds two files of the same name; leave only the right one.")


def _check_entry(entry: zipfile.ZipInfo) -> None:
    if any(mark in entry.filename for mark in ("/", "\\", ":", "\0")) or entry.filename in {"", ".", ".."}:
        raise ImportRefusedError("The zip holds folders; zip the files themselves, not the folder they are in.")
    if entry.flag_bits & _ENCRYPTED:
        raise ImportRefusedError("The zip is protected by a password; send it without one over the secure connection.")
    if entry.compress_type not in _READABLE_METHODS:
        raise ImportRefusedError("The zip is packed by an unusual method; use the standard one, deflate.")
    inflated = entry.file_size > max(INFLATION_COUNTS_FROM, entry.compress_size * MOST_INFLATION)
    if inflated:
        raise ImportRefusedError("The zip unpacks to far more than lists of people do; send the export itself.")
