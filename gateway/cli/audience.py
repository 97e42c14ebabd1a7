"""`gateway audience`: answers a request by the recipient rules, from two files and nothing else."""

import sys
from pathlib import Path

import msgspec

from gateway.rules.documents import decide_documents


def answer_audience(directory: Path, request: Path) -> int:
    """Print the answer as JSON; a question that the rules refuse (P0) is answered with `error`."""
    answer = decide_documents(directory.read_bytes(), request.read_bytes())
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(answer), indent=1).decode() + "\n")
    return 0
