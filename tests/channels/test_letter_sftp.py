"""Print runs on their way to a print house: a real SFTP server on loopback that checks keys and can misbehave."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from channels.letter_sftp import SftpCourier, SftpSettings, UploadError

NAMES = ("second-0001.pdf", "totals.json", "SHA256SUMS", "manifest.csv")


@dataclass
class PrintHouse:
    """The server: what it has, in which order it came, what it will refuse."""

    folder: Path
    settings: SftpSettings
    opened: list[str] = field(default_factory=list)
    taken: dict[str, bytes] = field(default_factory=dict)
    """What it has moved away to be printed."""
    refuses: Callable[[str], bool] = lambda _name: False
    takes: Callable[[str], bool] = lambda _name: False
    """Whether a file is taken away as soon as it has this name."""
    hangs_up: Callable[[str], bool] = lambda _name: False
    """Whether the connection is lost before a file has got this name, or right after it, unanswered."""
    connections: int = 0

    def files(self) -> dict[str, bytes]:
        """Read what is there, by path below the root."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }


@asynccontextmanager
async def print_house(folder: Path) -> AsyncIterator[PrintHouse]:
    """Run a server that lets one key in."""
    root = folder / "house"
    (root / "incoming").mkdir(parents=True)
    host_key, client_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    client_key.write_private_key(folder / "key")
    client_key.write_public_key(folder / "authorized")
    houses: list[PrintHouse] = []

    class Server(asyncssh.SFTPServer):
        def __init__(self, channel: Any) -> None:
            super().__init__(channel, chroot=str(root).encode())
            houses[0].connections += 1

        def open(self, path: bytes, pflags: int, attrs: Any) -> Any:
            name = path.decode().rpartition("/")[2]
            if houses[0].refuses(name):
                raise asyncssh.SFTPFailure("disk full")
            houses[0].opened.append(name)
            return super().open(path, pflags, attrs)

        def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
            name, house = newpath.decode().rpartition("/")[2], houses[0]
            if house.hangs_up(f"before {name}"):
                raise asyncssh.SFTPConnectionLost("gone")
            super().posix_rename(oldpath, newpath)
            if house.takes(name):
                path = root / newpath.decode().lstrip("/")
                house.taken[name] = path.read_bytes()
                path.unlink()
            if house.hangs_up(f"after {name}"):
                raise asyncssh.SFTPConnectionLost("gone")

    listener = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[host_key],
        authorized_client_keys=str(folder / "authorized"),
        sftp_factory=Server,
    )
    settings = SftpSettings(
        host="127.0.0.1",
        port=listener.get_port(),
        username="school",
        host_key=host_key.export_public_key().decode().strip(),
        key_file=folder / "key",
        path="/incoming",
    )
    houses.append(PrintHouse(root, settings))
    try:
        yield houses[0]
    finally:
        listener.close()
        await listener.wait_closed()


def a_run(folder: Path) -> Path:
    """Make the folder of a run."""
    run = folder / "run"
    run.mkdir()
    for number, name in enumerate(NAMES):
        (run / name).write_bytes(name.encode() * (1 + number * 50_000))
    return run


async def test_a_run_arrives_whole_and_in_order(tmp_path: Path) -> None:
    """Into a folder of its own, the manifest last, nothing left under a provisional name."""
    run = a_run(tmp_path)
    async with print_house(tmp_path) as house:
        await SftpCourier(house.settings).bring(run, "r1", NAMES)
        assert house.files() == {f"incoming/r1/{name}": (run / name).read_bytes() for name in NAMES}
        assert house.opened == [f".{name}.part" for name in NAMES]
        assert await SftpCourier(house.settings).check() is None


async def test_it_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    """A full disk in the middle: what is there stays, what is not there has no name yet; only the rest goes again."""
    run = a_run(tmp_path)
    async with print_house(tmp_path) as house:
        courier = SftpCourier(house.settings)
        house.refuses = lambda name: "SHA256SUMS" in name
        with pytest.raises(UploadError):
            await courier.bring(run, "r1", NAMES)
        assert "incoming/r1/manifest.csv" not in house.files()
        house.refuses = lambda _name: False
        (house.folder / "incoming/r1/.SHA256SUMS.part").write_bytes(b"half")
        house.opened.clear()
        await courier.bring(run, "r1", NAMES)
        await courier.bring(run, "r1", NAMES)
        assert house.opened == [".SHA256SUMS.part", ".manifest.csv.part"]
        assert house.files() == {f"incoming/r1/{name}": (run / name).read_bytes() for name in NAMES}


@pytest.mark.parametrize("moment", [f"{when} {name}" for name in NAMES for when in ("before", "after")])
async def test_what_the_house_has_taken_away_is_not_brought_again(tmp_path: Path, moment: str) -> None:
    """It prints each file as it appears; an answer that was lost must not have a family's letter printed twice."""
    run = a_run(tmp_path)
    async with print_house(tmp_path) as house:
        courier = SftpCourier(house.settings)
        house.takes = lambda _name: True
        house.hangs_up = lambda now: now == moment
        with pytest.raises(UploadError):
            await courier.bring(run, "r1", NAMES)
        house.hangs_up = lambda _now: False
        first = dict(house.taken)
        await courier.bring(run, "r1", NAMES)
        await courier.bring(run, "r1", NAMES)
        assert house.taken == {name: (run / name).read_bytes() for name in NAMES}
        again = [name for name in house.opened if name.removeprefix(".").removesuffix(".part") in first]
        assert len(again) == len(first)
        assert house.files() == {}


async def test_a_folder_that_the_house_has_taken_away_is_not_made_again(tmp_path: Path) -> None:
    """The run was brought, and the gateway died before it could write that down: nothing goes a second time."""
    run = a_run(tmp_path)
    async with print_house(tmp_path) as house:
        await SftpCourier(house.settings).bring(run, "r1", NAMES)
        shutil.rmtree(house.folder / "incoming" / "r1")
        await SftpCourier(house.settings).bring(run, "r1", NAMES)
        assert list((house.folder / "incoming").iterdir()) == []


async def test_a_server_with_another_key_gets_nothing(tmp_path: Path) -> None:
    """Letters are never given to who is not known by key."""
    run = a_run(tmp_path)
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    async with print_house(tmp_path) as house:
        courier = SftpCourier(replace(house.settings, host_key=other))
        with pytest.raises(UploadError, match="another key"):
            await courier.bring(run, "r1", NAMES)
        assert "GATEWAY_LETTER_SFTP_HOST_KEY" in str(await courier.check())
        assert house.connections == 0
        assert house.files() == {}


async def test_each_fault_is_a_sentence(tmp_path: Path) -> None:
    """A key that is not let in, a key file that is not there, a server that is away, a folder that is not there."""
    run = a_run(tmp_path)
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "other")
    async with print_house(tmp_path) as house:
        settings = house.settings
        faults = {
            "does not accept": replace(settings, key_file=tmp_path / "other"),
            "GATEWAY_LETTER_SFTP_KEY_FILE": replace(settings, key_file=tmp_path / "nowhere"),
            "unencrypted": replace(settings, key_file=run / "manifest.csv"),
        }
        for words, wrong in faults.items():
            with pytest.raises(UploadError, match=words):
                await SftpCourier(wrong).bring(run, "r1", NAMES)
            assert await SftpCourier(wrong).check() is not None
        assert "folder" in str(await SftpCourier(replace(settings, path="/elsewhere")).check())
    with pytest.raises(UploadError, match="cannot be reached"):
        await SftpCourier(settings).bring(run, "r1", NAMES)


def test_the_host_key_is_no_secret_but_stays_out_of_reports(tmp_path: Path) -> None:
    """Settings end up in error reports: shown is where, not what."""
    settings = SftpSettings(host="print.example.org", username="school", host_key="ssh-ed25519 AAAA", key_file=tmp_path)
    assert "AAAA" not in repr(settings)
