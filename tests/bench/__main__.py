"""`make bench`: every benchmark in turn, then one table of goals and figures.

python -m tests.bench [NAME…] [--quick | --full] [--profile] [--rounds N] [--workers N]
"""

import subprocess
import sys
from importlib import import_module

from tests.bench.installation import servers
from tests.bench.options import Options, read_options
from tests.bench.table import Result, print_table, say

AGAINST_GOALS = ("fanout", "delayed", "intake", "emergency", "texts", "receipts", "million", "letters")
"""Each has `measure`, which gives lines of the table."""
PARTS = ("rules", "mails", "signing", "smtp", "planning", "flow")
"""Programs that print figures of one part of the gateway."""


def main() -> None:
    """Run what was asked for."""
    options = read_options()
    if unknown := [name for name in options.names if name not in AGAINST_GOALS + PARTS]:
        sys.exit(f"There is no benchmark {unknown[0]}: choose from {', '.join(AGAINST_GOALS + PARTS)}.")
    names = options.names or (AGAINST_GOALS if options.quick or options.profile else AGAINST_GOALS + PARTS)
    results = [result for name in names for result in _run(name, options)]
    print_table(results)


def _run(name: str, options: Options) -> list[Result]:
    say(f"\n{name}")
    if name in PARTS:
        subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=True)
        return []
    with servers() as running:
        results: list[Result] = import_module(f"tests.bench.{name}").measure(options, running)
    return results


if __name__ == "__main__":
    main()
