"""What the doctor finds in the database, on either one."""

import datetime as dt

from gateway.dispatch.print_rounds import wanted
from gateway.operations import findings
from gateway.store.print_runs import take_run, update_run, want_run
from tests.flow.installation import Installation


async def advice(gateway: Installation) -> str:
    """Give what the doctor advises on print runs, or nothing."""
    services = gateway.front.services
    found = await findings(gateway.front.database, gateway.front.settings.redis_url, services.backlog, now=gateway.time)
    (finding,) = [each for each in found if each.what == "print runs are done within the hour"]
    return finding.advice or ""


async def test_a_print_run_that_is_stuck_is_told_of(idle: Installation) -> None:
    """Also while it waits to be tried again or a worker is at it; no more when it is done."""
    began = idle.time()
    run = wanted("oak", "cut_off", None, began)
    async with idle.front.database.writing() as connection:
        await want_run(connection, run)
    assert await advice(idle) == ""
    idle.time.now = now = began + dt.timedelta(hours=2)
    assert (await advice(idle)).startswith("1 not done, the oldest for 2 h. No worker has taken it up")
    async with idle.front.database.writing() as connection:
        lease = now + dt.timedelta(seconds=60)
        assert await take_run(connection, run["id"], owner="me", now=now, until=lease)
        later = {"due_at": now + dt.timedelta(hours=1), "fault": "The SFTP server cannot be reached."}
        assert await update_run(connection, run["id"], later, owner="me")
    assert (await advice(idle)).endswith("2 h. The SFTP server cannot be reached.")
    async with idle.front.database.writing() as connection:
        assert await update_run(connection, run["id"], {"due_at": None, "status": "uploaded"}, owner="me")
    assert await advice(idle) == ""
