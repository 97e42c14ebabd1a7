"""The image, checked without an engine: linted, reproducible, without rights and without secrets."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
RUNTIME_STAGE = DOCKERFILE.rpartition("\nFROM ")[2]


def test_the_linter_has_nothing_to_say() -> None:
    """Hadolint knows what makes images large, unsafe or unrepeatable."""
    hadolint = Path(sys.executable).with_name("hadolint")
    run = subprocess.run(  # a fixed command
        [hadolint, "--no-color", "--failure-threshold", "style", ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout + run.stderr, run.returncode) == ("", 0)


def test_packages_are_checked_against_their_hashes() -> None:
    """The image holds what was locked, as wheels: nothing is built from unpinned sources."""
    (install,) = re.findall(r"pip install (.*)", DOCKERFILE)
    assert {"--require-hashes", "--only-binary", "requirements.txt"} <= set(install.split())


def test_the_process_has_no_rights() -> None:
    """A numeric user, so that Kubernetes can see that it is not root, who owns nothing but var."""
    assert re.findall(r"^USER (.*)$", RUNTIME_STAGE, re.MULTILINE) == ["10001:10001"]
    assert "--owner=gateway --group=gateway /app/var" in RUNTIME_STAGE
    assert RUNTIME_STAGE.index("USER ") > RUNTIME_STAGE.rindex("COPY ")


def test_the_image_works_read_only() -> None:
    """Byte code is compiled while building and never written later."""
    assert "compileall" in DOCKERFILE
    assert "PYTHONDONTWRITEBYTECODE=1" in RUNTIME_STAGE


def test_it_serves_and_tells_whether_it_lives() -> None:
    """Without further words the container serves the API on the port its health check asks."""
    assert 'ENTRYPOINT ["python", "-m", "gateway"]' in RUNTIME_STAGE
    assert 'CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]' in RUNTIME_STAGE
    assert "http://127.0.0.1:8080/health/live" in RUNTIME_STAGE


def test_the_build_sees_only_what_it_copies() -> None:
    """Data, secrets and history stay outside: the build is shown a list of what it needs, all of it here."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    shown = {pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")}
    copied = {words.split()[0] for words in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)}
    assert patterns[0] == "*"
    assert shown == copied
    assert all((ROOT / name).exists() for name in copied)
