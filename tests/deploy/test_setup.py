"""Set-up from nothing: pinned, hashed, from wherever the machine gets its packages, and clear when it cannot be."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")


def _pins(name: str) -> dict[str, str]:
    """Give each pinned package with its line's continuation, the hashes."""
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / name).read_text())
    return {entry.split()[0]: entry for entry in entries}


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_is_pinned_with_hashes(name: str) -> None:
    """A package that changed at its source is refused."""
    pins = _pins(name)
    assert len(pins) > 20
    assert [pin for pin, entry in pins.items() if "==" not in pin or "--hash=sha256:" not in entry] == []


def test_development_adds_to_the_runtime_and_changes_nothing() -> None:
    """What is tested is what runs: both files pin the same version of the same package."""
    assert _pins("requirements.txt").keys() <= _pins("requirements-dev.txt").keys()


@pytest.mark.parametrize("name", [*REQUIREMENTS, "Makefile", "Dockerfile", "scripts/setup.sh", ".ci/run"])
def test_no_package_host_is_named(name: str) -> None:
    """Packages come from where the machine is told to get them."""
    assert re.findall(r"https?://(?!127\.0\.0\.1)\S+|--(?:extra-)?index-url", (ROOT / name).read_text()) == []


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        (None, "python3 is missing"),
        ('case "$1" in -c) exit 1;; --version) echo Python 3.9.2;; esac', "python3 is Python 3.9.2"),
        ('case "$2" in *venv*) exit 1;; esac', "python3 cannot make virtual environments"),
    ],
    ids=["no python3", "old python3", "python3 without venv"],
)
def test_set_up_says_what_is_missing(tmp_path: Path, python: str | None, sentence: str) -> None:
    """One sentence with the fix, and nothing half done."""
    programs, copy = tmp_path / "bin", tmp_path / "copy"
    programs.mkdir()
    for name in ("dirname", "cmp", "mkdir", "cp", "rm"):
        (programs / name).symlink_to(str(shutil.which(name)))
    if python is not None:
        (programs / "python3").write_text(f"#!/bin/sh\n{python}\n")
        (programs / "python3").chmod(0o755)
    (copy / "scripts").mkdir(parents=True)
    for name in ("scripts/setup.sh", "requirements.txt"):
        shutil.copy(ROOT / name, copy / name)
    run = subprocess.run(  # a fixed command
        ["/bin/sh", "scripts/setup.sh", "requirements.txt"],
        cwd=copy,
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert sentence in run.stderr
    assert not (copy / ".venv").exists()


def test_set_up_asks_for_the_python_that_the_project_needs() -> None:
    """The oldest Python of the package's own declaration and of the set-up are one."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    (asked,) = re.findall(r"sys\.version_info < \((\d+), (\d+)\)", (ROOT / "scripts/setup.sh").read_text())
    assert declared == f">={'.'.join(asked)}"


def test_a_finished_set_up_is_left_alone(tmp_path: Path) -> None:
    """With the requirements unchanged nothing is installed again, and the runtime is part of development."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/installed").mkdir()
    (tmp_path / ".venv/bin/python").write_text("#!/bin/sh\n")
    (tmp_path / ".venv/bin/python").chmod(0o755)
    for name in REQUIREMENTS:
        shutil.copy(ROOT / name, tmp_path)
        shutil.copy(ROOT / name, tmp_path / ".venv/installed")
        command = ["/bin/sh", "scripts/setup.sh", name]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)  # fixed
        assert run.stdout == ""


def test_make_tells_what_it_can_do() -> None:
    """Every command that people may call has its line in `make help`."""
    makefile = (ROOT / "Makefile").read_text()
    run = subprocess.run(["/usr/bin/env", "make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    told = set(re.findall(r"^ {2}make ([a-z]+) +\S", run.stdout, re.MULTILINE))
    assert told == set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE)) - {"runtime", "development"}
    assert {"run", "test", "lint", "bench", "chaos", "serve", "lock", "clean", "help"} <= told


def test_the_programs_may_be_run() -> None:
    """The scripts kept their right to be executed."""
    assert all(os.access(ROOT / name, os.X_OK) for name in (".ci/run", "scripts/setup.sh"))
