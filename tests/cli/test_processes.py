"""How the processes share a machine."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("lanes", "niceness"),
    [("bulk", 10), ("letters webhooks", 10), ("emergency", 0), ("standard bulk", 0)],
)
def test_workers_whose_work_may_wait_make_way(lanes: str, niceness: int) -> None:
    """A worker for newsletters alone gets the processor when no other wants it."""
    script = (
        "import os, sys; from gateway.cli.processes import make_way; from gateway.dispatch.requests import Lane; "
        "before = os.nice(0); make_way([Lane(word) for word in sys.argv[1].split()]); print(os.nice(0) - before)"
    )
    run = subprocess.run([sys.executable, "-c", script, lanes], capture_output=True, text=True, check=True)
    assert int(run.stdout) == niceness
