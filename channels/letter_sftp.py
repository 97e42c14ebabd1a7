"""Brings print runs to a print house over SFTP: the server's key is always checked, nothing appears half written.

A house may take a file away as soon as it has its name. So each name is noted before it is given: when the answer was
lost, a provisional file that is still there says that the name was not given, one that is gone that it was.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import asyncssh

from channels.errors import ChannelSettingsError

_CONNECT_SECONDS = 20.0
_FILE_SECONDS = 300.0


class UploadError(Exception):
    """A run could not be brought; holds one sentence for staff, and no secret."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SftpSettings:
    """Where runs go, and how both sides know each other."""

    host: str
    username: str
    host_key: str = field(repr=False)
    """The server's public key, as in `known_hosts` without the host's name."""
    key_file: Path
    """Our private key."""
    port: int = 22
    path: str = "."


class SftpCourier:
    """Uploads each run into a folder of its own."""

    def __init__(self, settings: SftpSettings) -> None:
        self._settings = settings

    async def bring(self, folder: Path, run: str, names: Sequence[str]) -> None:
        """Upload files in this order, each under another name until it is whole; those the house has had are left out.

        What was given its name is noted beside the folder. Raises `UploadError`.
        """
        notes = folder.with_name(f".{run}.brought")
        try:
            named = await asyncio.to_thread(_names_in, notes)
            async with self._connected() as connection, connection.start_sftp_client() as sftp:
                target = PurePosixPath(self._settings.path) / run
                for name in names:
                    async with asyncio.timeout(_FILE_SECONDS):
                        if name in named and not await sftp.exists(str(_provisional(target / name))):
                            continue
                        await sftp.makedirs(str(target), exist_ok=True)
                        await _put(sftp, folder / name, target / name, notes)
        except ChannelSettingsError as error:
            raise UploadError(str(error)) from None
        except asyncssh.HostKeyNotVerifiable:
            raise UploadError("The print house's SFTP server has another key than agreed; nothing was sent.") from None
        except asyncssh.PermissionDenied:
            raise UploadError("The print house's SFTP server does not accept the gateway's key.") from None
        except (asyncssh.Error, TimeoutError) as error:
            kind = type(error).__name__
            raise UploadError(f"The print house's SFTP server did not take the run ({kind}).") from None
        except OSError as error:
            if error.filename is None:
                raise UploadError(
                    f"The print house's SFTP server cannot be reached ({type(error).__name__})."
                ) from None
            raise

    async def check(self) -> str | None:
        """Say in one sentence what keeps runs from being brought, or None."""
        try:
            async with self._connected() as connection, connection.start_sftp_client() as sftp:
                if not await sftp.isdir(self._settings.path):
                    return "The folder of GATEWAY_LETTER_SFTP_URL is not on the SFTP server."
        except ChannelSettingsError as error:
            return str(error)
        except asyncssh.HostKeyNotVerifiable:
            return "The SFTP server has another key than GATEWAY_LETTER_SFTP_HOST_KEY says."
        except (asyncssh.Error, OSError, TimeoutError) as error:
            return f"The SFTP server of GATEWAY_LETTER_SFTP_URL cannot be used ({type(error).__name__})."
        return None

    def _connected(self) -> asyncssh.misc._ACMWrapper[asyncssh.SSHClientConnection]:
        settings = self._settings
        try:
            client_keys = [asyncssh.read_private_key(settings.key_file)]
            host_key = asyncssh.import_public_key(settings.host_key)
        except OSError as error:
            raise ChannelSettingsError(f"GATEWAY_LETTER_SFTP_KEY_FILE cannot be read ({error.strerror}).") from None
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
            raise ChannelSettingsError(
                "GATEWAY_LETTER_SFTP_KEY_FILE must be an unencrypted private key, "
                "GATEWAY_LETTER_SFTP_HOST_KEY a public one."
            ) from None
        return asyncssh.connect(
            settings.host,
            settings.port,
            username=settings.username,
            client_keys=client_keys,
            known_hosts=([host_key], [], []),
            agent_path=None,
            config=None,
            connect_timeout=_CONNECT_SECONDS,
            login_timeout=_CONNECT_SECONDS,
            keepalive_interval=15,
        )


async def _put(sftp: asyncssh.SFTPClient, source: Path, target: PurePosixPath, notes: Path) -> None:
    """Upload one file, unless it is there: a name is only ever given to what is whole."""
    size = (await asyncio.to_thread(source.stat)).st_size
    if await sftp.exists(str(target)) and (await sftp.stat(str(target))).size == size:
        return
    part = _provisional(target)
    await sftp.put(str(source), str(part))
    if (await sftp.stat(str(part))).size != size:
        raise UploadError("The print house's SFTP server has kept less than was sent.")
    await asyncio.to_thread(_note, notes, target.name)
    try:
        await sftp.posix_rename(str(part), str(target))
    except asyncssh.SFTPOpUnsupported:
        if await sftp.exists(str(target)):
            await sftp.remove(str(target))
        await sftp.rename(str(part), str(target))


def _provisional(target: PurePosixPath) -> PurePosixPath:
    return target.with_name(f".{target.name}.part")


def _names_in(notes: Path) -> frozenset[str]:
    """Read which names were about to be given; a line that a crash has cut off was not noted in time."""
    try:
        lines = notes.read_text().splitlines(keepends=True)
    except FileNotFoundError:
        return frozenset()
    return frozenset(line.rstrip("\n") for line in lines if line.endswith("\n"))


def _note(notes: Path, name: str) -> None:
    """Note a name durably; raises OSError."""
    with notes.open("a") as file:
        file.write(f"\n{name}\n")  # on a line of its own, whatever a crash has left before it
        file.flush()
        os.fsync(file.fileno())
