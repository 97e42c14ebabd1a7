"""An uploaded zip is read only when it is harmless."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.directory.archive import MOST_ENTRIES, unpack
from gateway.directory.importing import ImportRefusedError
from tests.unit.directory.exports import zipped

WANTED = {"users.csv"}


def test_only_wanted_files_are_unpacked() -> None:
    """Files nobody asked for are named, not read."""
    unpacked = unpack(zipped({"users.csv": "a", "photo.jpg": "b"}), wanted=WANTED)
    assert unpacked.contents == {"users.csv": b"a"}
    assert unpacked.ignored == ("photo.jpg",)


def _encrypted() -> bytes:
    archive = bytearray(zipped({"users.csv": "a"}))
    archive[archive.index(b"PK\x01\x02") + 8] |= 1  # the flag in the central directory
    return bytes(archive)


def _twice() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("users.csv", "a")
        archive.writestr("Users.csv", "b")
    return buffer.getvalue()


def _packed(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("users.csv", "a" * 100)
    return buffer.getvalue()


def _claiming(size: int) -> bytes:
    """Return a zip whose central directory claims an unpacked and packed size."""
    archive = bytearray(zipped({"users.csv": "a"}))
    at = archive.index(b"PK\x01\x02")
    archive[at + 20 : at + 28] = size.to_bytes(4, "little") * 2
    return bytes(archive)


def _damaged() -> bytes:
    archive = bytearray(_packed(zipfile.ZIP_STORED))
    archive[archive.index(b"aaaa")] ^= 1
    return bytes(archive)


@pytest.mark.parametrize(
    ("archive", "sentence"),
    [
        (b"", "not a zip file"),
        (b"sourcedId,givenName", "not a zip file"),
        (_damaged(), "damaged"),
        (_encrypted(), "protected by a password"),
        (_twice(), "two files of the same name"),
        (_packed(zipfile.ZIP_BZIP2), "unusual method"),
        (_claiming(201 * 1024 * 1024), "more than 200 MB"),
        (zipped({"users.csv": "a" * 2_000_000}), "far more than lists of people"),
        (zipped({f"{number}.csv": "a" for number in range(MOST_ENTRIES + 1)}), "more than 50 files"),
        (zipped({"export/users.csv": "a"}), "holds folders"),
        (zipped({"/users.csv": "a"}), "holds folders"),
        (zipped({"..\\users.csv": "a"}), "holds folders"),
        (zipped({"C:users.csv": "a"}), "holds folders"),
    ],
)
def test_a_dangerous_or_broken_archive_is_refused(archive: bytes, sentence: str) -> None:
    """The refusal is one sentence that says what to do."""
    with pytest.raises(ImportRefusedError) as refusal:
        unpack(archive, wanted=WANTED)
    assert sentence in refusal.value.sentence
    assert refusal.value.sentence.endswith(".")


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(content: bytes) -> None:
    """Whatever is uploaded, the answer is a refusal and never another error."""
    with pytest.raises(ImportRefusedError):
        unpack(content, wanted=WANTED)
