"""How a benchmark is run: sizes, rounds, and whether it is profiled."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line asked for."""

    names: tuple[str, ...] = ()
    quick: bool = False
    """Prove in seconds that the benchmark runs; its figures mean nothing."""
    full: bool = False
    """Take the sizes that need many minutes, such as a million deliveries."""
    profile: bool = False
    """One round of ours alone, with a profile of every process left in var/bench."""
    rounds: int = 5
    workers: int = 2
    """Worker processes of the bulk lane."""

    def size(self, usual: int, *, quick: int, full: int | None = None) -> int:
        """Choose a size."""
        if self.quick:
            return quick
        return full if self.full and full is not None else usual


def read_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure the gateway against others.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which benchmarks; all when none is named")
    parser.add_argument("--quick", action="store_true", help="only prove that they run")
    parser.add_argument("--full", action="store_true", help="with the sizes that take many minutes")
    parser.add_argument("--profile", action="store_true", help="one round of ours, profiled into var/bench")
    parser.add_argument("--rounds", type=int, help="medians of so many rounds (5)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes of the bulk lane (2)")
    given = parser.parse_args(arguments)
    rounds = given.rounds or (1 if given.quick or given.profile else 5)
    return Options(
        names=tuple(given.names),
        quick=given.quick,
        full=given.full,
        profile=given.profile,
        rounds=rounds,
        workers=given.workers,
    )
