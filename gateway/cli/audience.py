"""`gateway audience`: answers a request by the recipient rules, from files and nothing else."""

import sys
from pathlib import Path

import msgspec

from gateway.rules.documents import decide_documents


def answer_audience(directory: Path, request: Path, policy: Path | None = None) -> int:
    """Print the answer as JSON; a question that the rules refuse (P0) is answered with `error`.

    `policy` is a school's settings, as `PUT /v1/policy` takes them; without it the defaults apply.
    """
    settings = policy.read_bytes() if policy is not None else None
    answer = decide_documents(directory.read_bytes(), request.read_bytes(), settings)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer), indent=1).decode() + "\n")
    return 0
