"""The mail everybody sends in the benchmarks: written once by the gateway itself, and sent by all."""

import asyncio
import tempfile
from dataclasses import dataclass
from email import message_from_bytes, policy
from functools import cache
from pathlib import Path
from typing import Any

from tests.bench.client import Client, NotWorkingError, make_key
from tests.bench.families import school_document
from tests.bench.servers import end
from tests.chaos.running import Folder
from tests.servers import _free_port

_PARAGRAPH = (
    "the hall has a new roof, the choir sings on Thursday at six, and the library looks for old picture books. "
    "Please send children with a coat: the days are getting cold, and we go out in every break. "
)
NEWSLETTER: dict[str, Any] = {
    "category": "newsletter",
    "purpose": "information",
    "audience": {"everyone": True},
    "content": {
        "language": "en",
        "subject": "News from ((school_name))",
        "body": "\n\n".join(["Dear ((contact_name)),", *(["This is about ((student_names)): " + _PARAGRAPH] * 6)]),
    },
}


@dataclass(frozen=True, kw_only=True)
class SampleMail:
    """One mail of the newsletter, whole and in the parts that mail programs take."""

    content: bytes
    subject: str
    plain: str
    html: str


@cache
def sample_mail() -> SampleMail:
    """Let an embedded gateway write one mail into its outbox and read it back."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-mail-") as name:
        folder = Folder(Path(name), LOG_LEVEL="ERROR")
        directory = folder.path / "directory.json"
        directory.write_bytes(school_document(2))
        folder.run("import", str(directory))
        asyncio.run(_write_one(folder))
        content = next((folder.outbox / "email").glob("*.eml")).read_bytes()
    message = message_from_bytes(content, policy=policy.default)
    plain, html = (message.get_body(preferencelist=(kind,)) for kind in ("plain", "html"))
    return SampleMail(
        content=content,
        subject=str(message["Subject"]),
        plain=plain.get_content() if plain else "",
        html=html.get_content() if html else "",
    )


async def _write_one(folder: Folder) -> None:
    client = Client(port=_free_port(), key=make_key(folder))
    process = folder.start("serve", "--port", str(client.port))

    def check_alive() -> None:
        if process.poll() is not None:
            raise NotWorkingError(f"serve ended: {folder.last_words()}")

    try:
        await client.until_ready(check_alive)
        await client.post(NEWSLETTER)
        await asyncio.to_thread(folder.wait_for, 2, process)
    finally:
        end(process)
