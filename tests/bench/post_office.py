"""The reference in Python: django-post_office with two processes on the same PostgreSQL, into the same sink.

`python -m tests.bench.post_office` tries its settings one after the other, to find those that suit it best.
"""

import itertools
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.bench.client import NotWorkingError
from tests.bench.environments import python_with
from tests.bench.installation import Servers, servers
from tests.bench.mail import SampleMail, sample_mail
from tests.bench.servers import new_database
from tests.bench.table import say

REQUIREMENTS = ("django-post_office==3.12.0", "Django==5.2.*", "psycopg[binary]==3.3.*")
_PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True, kw_only=True)
class PostOffice:
    """One way to set it up."""

    batch: int = 5_000
    """Mails taken from the database at once: each batch forks its two processes anew."""
    threads: int = 5
    """Connections of each process, each kept for a batch. Both values were the best of nine tried (see `main`)."""


def post_office(running: Servers, database: str, mail: SampleMail, mails: int, way: PostOffice) -> dict[str, float]:
    """Send so many mails; gives `queued` and `sent` in seconds."""
    environment = os.environ | {
        "PYTHONPATH": str(_PEERS),
        "BENCH_DATABASE": database,
        "BENCH_DATABASE_PORT": str(running.postgresql.port),
        "BENCH_SMTP_PORT": str(running.sink.port),
        "BENCH_BATCH": str(way.batch),
        "BENCH_THREADS": str(way.threads),
    }
    asked = {"subject": mail.subject, "plain": mail.plain, "html": mail.html, "mails": mails}
    python = python_with("post_office", *REQUIREMENTS)
    answer = subprocess.run(
        [python, _PEERS / "post_office_run.py"],
        input=json.dumps(asked).encode(),
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
    )
    told: dict[str, float] = json.loads(answer.stdout)
    if told["mails"] != mails:
        raise NotWorkingError(f"django-post_office sent {told['mails']} of {mails} mails.")
    return told


def main() -> None:
    """Try batches and threads, 2,000 mails each."""
    mail, mails = sample_mail(), 2_000
    with servers() as running:
        new_database(running.postgresql, "post_office")
        for batch, threads in itertools.product((100, 500, 5_000), (1, 2, 5)):
            took = post_office(running, "post_office", mail, mails, PostOffice(batch=batch, threads=threads))
            total = took["queued"] + took["sent"]
            say(f"batch {batch:5}, threads {threads}: {mails / total:6.0f}/s ({mails / took['sent']:6.0f}/s sending)")


if __name__ == "__main__":
    main()
