"""The spool: a letter is there whole or not at all, and once, however often it is handed over."""

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path

import pytest

from channels.base import Envelope
from channels.errors import ChannelSettingsError, Retry
from channels.letter_spool import SpoolLetters, clear_away, left_behind, letter_path, read_letter
from tests.channels.sending import sent
from tests.channels.test_letter_sheet import LETTER

NOW = dt.datetime(2026, 11, 23, 8, 30, tzinfo=dt.UTC)


async def test_a_letter_comes_back_as_it_was_given(tmp_path: Path) -> None:
    """Every field, every block, every sign of it."""
    spool = SpoolLetters(tmp_path)
    await spool.open()
    await sent(spool, [Envelope(delivery="d1", payload=LETTER)])
    assert read_letter(tmp_path, "d1") == LETTER


async def test_the_last_hand_over_counts(tmp_path: Path) -> None:
    """The same delivery takes its own place."""
    spool = SpoolLetters(tmp_path)
    await spool.open()
    later = replace(LETTER, address=("Anna Sample", "99 New Road", "ZZ9 9ZZ"))
    for letter in (LETTER, later):
        [handover] = await sent(spool, [Envelope(delivery="d1", payload=letter)])
        assert handover.provider_id == "d1"
    assert read_letter(tmp_path, "d1") == later
    assert _files(tmp_path) == ["d1.json"]


async def test_a_full_disk_takes_nothing(tmp_path: Path) -> None:
    """The batch is refused for now, and goes later."""
    spool = SpoolLetters(tmp_path)
    await spool.open()
    letter_path(tmp_path, "d2").mkdir()  # nothing can take this name
    handovers = await sent(spool, [Envelope(delivery=each, payload=LETTER) for each in ("d1", "d2")])
    assert all(handover.error is not None and handover.error.retry is Retry.LATER for handover in handovers)
    assert all(handover.error is not None and handover.error.ours for handover in handovers)
    assert _files(tmp_path) == ["d1.json"]


@pytest.mark.parametrize("delivery", ["../d1", "a/b", "", ".", "x" * 300, "d\n1"])
async def test_an_id_never_leads_out_of_the_spool(tmp_path: Path, delivery: str) -> None:
    """Ids name files."""
    spool = SpoolLetters(tmp_path / "spool")
    await spool.open()
    [handover] = await sent(spool, [Envelope(delivery=delivery, payload=LETTER)])
    assert handover.error is not None
    assert handover.error.code == "unsafe_delivery_id"
    assert _files(tmp_path) == []


async def test_what_is_torn_or_gone_is_no_letter(tmp_path: Path) -> None:
    """A power cut in the wrong moment is not printed."""
    spool = SpoolLetters(tmp_path)
    await spool.open()
    await sent(spool, [Envelope(delivery="d1", payload=LETTER)])
    content = letter_path(tmp_path, "d1").read_bytes()
    for part in (b"", content[:10], content[:-1], b"\xff" * 20):
        letter_path(tmp_path, "d1").write_bytes(part)
        assert read_letter(tmp_path, "d1") is None
    assert read_letter(tmp_path, "d2") is None


async def test_letters_of_long_ago_are_found_and_cleared_away(tmp_path: Path) -> None:
    """A fresh one may just be handed over and is left alone."""
    spool = SpoolLetters(tmp_path)
    await spool.open()
    await sent(spool, [Envelope(delivery=each, payload=LETTER) for each in ("old", "new")])
    for name, age in (("old", 25), ("new", 23)):
        at = (NOW - dt.timedelta(hours=age)).timestamp()
        os.utime(letter_path(tmp_path, name), (at, at))
    assert left_behind(tmp_path, now=NOW) == ["old"]
    clear_away(tmp_path, ["old", "old", "never"])
    assert read_letter(tmp_path, "old") is None
    assert read_letter(tmp_path, "new") == LETTER


async def test_the_spool_is_nobody_elses_to_read(tmp_path: Path) -> None:
    """Names, addresses and reports, waiting and printed, are for the gateway's own account; an operator may open it."""
    spool = SpoolLetters(tmp_path / "var" / "spool")
    await spool.open()
    private = (tmp_path / "var" / "spool", tmp_path / "var" / "spool" / "waiting")
    assert [folder.stat().st_mode & 0o777 for folder in private] == [0o700, 0o700]
    private[0].chmod(0o750)
    await spool.open()
    assert private[0].stat().st_mode & 0o777 == 0o750


async def test_a_spool_that_has_gone_leaves_nothing_behind(tmp_path: Path) -> None:
    """What is printed is not held up by a folder that was cleared by hand."""
    assert left_behind(tmp_path / "nowhere", now=NOW) == []


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The sentence names the setting."""
    (tmp_path / "file").write_text("in the way")
    spool = SpoolLetters(tmp_path / "file" / "spool")
    with pytest.raises(ChannelSettingsError, match="GATEWAY_LETTER_SPOOL_DIR"):
        await spool.open()
    assert "GATEWAY_LETTER_SPOOL_DIR" in str(await spool.check())


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
