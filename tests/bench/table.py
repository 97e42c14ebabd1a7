"""What a benchmark says: figures against goals, printed as one table."""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Result:
    """One line of the table: a figure and what was asked of it."""

    what: str
    figure: float
    unit: str
    goal: float
    at_least: bool = True
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal was reached."""
        return self.figure >= self.goal if self.at_least else self.figure <= self.goal


def say(line: str = "") -> None:
    """Print a line at once, so that a long run shows where it is."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def median(values: Sequence[float]) -> float:
    """Give the middle one; a single round is its own median."""
    return statistics.median(values)


def print_table(results: Sequence[Result]) -> None:
    """Print goals, figures, and which goals were met."""
    if not results:
        return
    width = max(len(result.what) for result in results)
    say(f"\n{'what':{width}}  {'goal':>12}  {'measured':>12}")
    for result in results:
        sign = "≥" if result.at_least else "≤"
        goal, figure = (f"{_written(value)} {result.unit}" for value in (result.goal, result.figure))
        verdict = "met" if result.met else "MISSED"
        say(f"{result.what:{width}}  {sign + ' ' + goal:>12}  {figure:>12}  {verdict:6}  {result.note}".rstrip())


def _written(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
