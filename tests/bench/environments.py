"""Python environments of peers and tools, made once under var/bench: none of them is a dependency of the project."""

import subprocess
import sys
from pathlib import Path

from tests.bench.servers import CACHE
from tests.bench.table import say


def python_with(name: str, *requirements: str) -> Path:
    """Give the Python of an environment that has these packages; the first call installs them from the index."""
    folder = CACHE / name
    ready = folder / "requirements.txt"
    wanted = "\n".join(requirements)
    python = folder / "bin" / "python"
    if not (ready.exists() and ready.read_text() == wanted):
        say(f"installing {' '.join(requirements)} in {folder}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *requirements]
        subprocess.run(pip, check=True)
        ready.write_text(wanted)
    return python
