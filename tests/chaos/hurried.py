"""Runs `gateway` with shorter waiting times, so that a schedule takes seconds; loaded once and forked for each process.

The product has no setting for these times, and needs none: an operator gains nothing from other ones. Leases, retries
and pauses keep their proportions but for the retries, which end within seconds.
"""

import ctypes
import datetime as dt
import os
import signal
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from channels.sms_twilio import TwilioSettings
from channels.smtp_settings import SmtpSettings
from gateway import assembly, cli
from gateway.cli import processes  # noqa: F401  # loaded here, once, instead of in each process
from gateway.dispatch import claiming, clock, flushing, lease, outcomes, planner, retrying, sender, wakeups
from gateway.dispatch.coordination import on_redis
from gateway.dispatch.requests import Lane
from gateway.tracking import breaker

LEASE_SECONDS = 4.0
"""Instead of 60."""


def _seconds(number: float) -> dt.timedelta:
    return dt.timedelta(seconds=number)


_TIMES: Sequence[tuple[Any, str, Any]] = (
    (lease, "LEASE", _seconds(LEASE_SECONDS)),
    (lease, "_RENEWAL_SECONDS", LEASE_SECONDS / 3),
    (lease, "_MARGIN", _seconds(LEASE_SECONDS / 4)),
    (claiming, "PUT_OFF", _seconds(1)),
    (sender, "PUT_OFF", _seconds(1)),
    (flushing, "PATIENCE_SECONDS", LEASE_SECONDS * 3 / 4),
    (planner, "LEASE", _seconds(LEASE_SECONDS / 2)),
    (outcomes, "RECOVERY_DELAY", _seconds(0.5)),
    (retrying, "_SECONDS", dict.fromkeys(Lane, (0.3, 0.6, 1, 1, 2, 2, 4, 4, 8))),
    (clock, "PATIENCE", _seconds(1)),
    (clock, "GRACE", _seconds(0.5)),
    (wakeups, "_HEARTBEAT_MS", 1_500),
    (on_redis, "AWAY", _seconds(0.5)),
    (breaker, "LONGEST_PAUSE", _seconds(2)),
    (breaker, "STEADY", _seconds(2)),
)

_DEFAULTS: Sequence[tuple[type, str, float]] = (
    (SmtpSettings, "timeout", 2.0),
    (SmtpSettings, "pause_after_failure", 0.5),
    (TwilioSettings, "timeout", 1.5),
)

_PR_SET_PDEATHSIG = 1

CHUNK = 12
"""Contacts a chunk of planning: a killed planner leaves a plan half done."""


def run(arguments: Sequence[str], settings: Mapping[str, str], log: Path, *, hurried: bool) -> None:
    """Become one gateway process; its exit status is the process's."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # should the test run be killed, nothing stays behind
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        del os.environ[name]
    os.environ.update(settings)
    if hurried:
        _hurry()
    cli.main(arguments)


def _hurry() -> None:
    for module, name, value in _TIMES:
        assert hasattr(module, name), f"{module.__name__} has no {name} any more"
        setattr(module, name, value)
    for kind, name, value in _DEFAULTS:
        defaults = kind.__init__.__kwdefaults__  # type: ignore[misc]  # a class's own, never an instance's
        assert name in defaults, f"{kind.__name__} has no {name} any more"
        defaults[name] = value
    assembly.Planner = partial(assembly.Planner, chunk=CHUNK)  # type: ignore[misc,assignment]  # a public parameter
