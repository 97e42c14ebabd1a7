"""`make bench`: every benchmark in turn, each a command of its own."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = ("flow", "planning", "mails", "rules")

for name in sys.argv[1:] or BENCHMARKS:
    sys.stdout.write(f"\n{name}\n")
    sys.stdout.flush()
    subprocess.run([sys.executable, str(Path(__file__).with_name(f"{name}.py"))], check=True)  # our own files
