"""Whose fault a refusal is: only the provider's and our own haste concern other hand-overs."""

import datetime as dt
from typing import Any

import pytest

from channels.base import Handover
from channels.errors import Retry, SendError
from channels.smtp_replies import Stage, lost_error, reply_error
from channels.twilio_errors import NOT_CONNECTED, UNANSWERED, refusal_error
from gateway.tracking.blame import Blame, Tally, blame, tally


def error(retry: Retry, code: str = "code", **fields: Any) -> SendError:
    """Make an error of an adapter that is yet to be written."""
    return SendError(retry=retry, code=code, explanation="A sentence.", **fields)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (None, Blame.NOBODY),
        (reply_error(Stage.RECIPIENT, 550, "5.1.1 no such user"), Blame.RECIPIENT),
        (reply_error(Stage.RECIPIENT, 452, "4.2.2 mailbox full"), Blame.RECIPIENT),
        (reply_error(Stage.RECIPIENT, 450, "4.2.0 greylisted"), Blame.RECIPIENT),
        (reply_error(Stage.RECIPIENT, 451, "4.7.1 greylisted, try again in 300 seconds"), Blame.RECIPIENT),
        (reply_error(Stage.FINAL_DOT, 554, "5.7.1 spam"), Blame.RECIPIENT),
        (reply_error(Stage.SENDER, 450, "4.7.28 unusual rate"), Blame.THROTTLED),
        (reply_error(Stage.RECIPIENT, 450, "4.7.10 slow down"), Blame.THROTTLED),
        (reply_error(Stage.SENDER, 421, "closing"), Blame.THROTTLED),
        (reply_error(Stage.CONNECT, 421, "4.7.0 too many connections"), Blame.THROTTLED),
        (reply_error(Stage.FINAL_DOT, 451, "local error"), Blame.PROVIDER),
        (reply_error(Stage.SENDER, 452, "4.3.1 disk full"), Blame.PROVIDER),
        (reply_error(Stage.CONNECT, 554, "go away"), Blame.PROVIDER),
        (reply_error(Stage.LOGIN, 535, "5.7.8 wrong password"), Blame.PROVIDER),
        (reply_error(Stage.LOGIN, 454, "4.3.0 later"), Blame.PROVIDER),
        (lost_error(Stage.CONNECT, timed_out=True), Blame.PROVIDER),
        (lost_error(Stage.CONTENT), Blame.PROVIDER),
        (lost_error(Stage.FINAL_DOT, timed_out=True), Blame.PROVIDER),
        (refusal_error(429, 20429, None), Blame.THROTTLED),
        (refusal_error(429, None, 7.0), Blame.THROTTLED),
        (refusal_error(400, 21611, None), Blame.THROTTLED),
        (refusal_error(503, None, 30.0), Blame.THROTTLED),
        (refusal_error(503, None, None), Blame.PROVIDER),
        (refusal_error(401, 20003, None), Blame.PROVIDER),
        (refusal_error(400, 21211, None), Blame.RECIPIENT),
        (refusal_error(400, 21610, None), Blame.RECIPIENT),
        (refusal_error(400, 30003, None), Blame.RECIPIENT),
        (refusal_error(400, 30008, None), Blame.RECIPIENT),
        (NOT_CONNECTED, Blame.PROVIDER),
        (UNANSWERED, Blame.PROVIDER),
        (error(Retry.LATER, "outbox_not_writable", ours=True), Blame.PROVIDER),
        (error(Retry.NEVER, "typesetting_failed", ours=True), Blame.RECIPIENT),
        (error(Retry.LATER, "busy"), Blame.RECIPIENT),
        (error(Retry.LATER, "busy", throttled=True), Blame.THROTTLED),
    ],
)
def test_whose_fault(answer: SendError | None, fault: Blame) -> None:
    """The adapters' own errors, judged one by one."""
    assert blame(answer) is fault


def test_tally_takes_the_longest_wait() -> None:
    """Refused recipients count as accepted; of several waiting times the longest holds."""
    answers = [
        None,
        refusal_error(400, 21610, None),
        UNANSWERED,
        refusal_error(429, 20429, 3.0),
        refusal_error(429, 20429, 7.0),
        refusal_error(429, 20429, None),
    ]
    counted = tally(Handover(delivery=str(i), provider="twilio", error=answer) for i, answer in enumerate(answers))
    assert counted == Tally(accepted=2, failed=1, throttled=3, retry_after=dt.timedelta(seconds=7))


def test_nobody_said_how_long() -> None:
    """Without a waiting time the breaker chooses its own."""
    assert tally([Handover(delivery="d", provider="p", error=refusal_error(429, None, None))]).retry_after is None
    assert tally([]) == Tally()
