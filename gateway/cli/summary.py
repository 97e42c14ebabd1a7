"""The account of one notification in tables: what left, in which language, and who got nothing and why."""

from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.store.notifications import count
from gateway.store.views import count_by_channel, count_by_reason, count_candidates

_NOT_SENT = {"hold": "held", "exclude": "excluded", "unreachable": "not reached"}


async def print_summary(connection: AsyncConnection, console: Console, name: str, identifier: str) -> bool:
    """Print the account; says whether every candidate is in it."""
    counts = await count(connection, identifier)
    candidates = sum(counts[outcome] for outcome in ("sent", "held", "excluded", "unreachable"))
    console.rule(name)
    deliveries = Table("channel", "language", "state", "deliveries")
    for row in await count_by_channel(connection, identifier):
        deliveries.add_row(row.channel, row.language, row.state, str(row.number))
    console.print(deliveries)
    reasons = Table("outcome", "rule", "pairs", "why")
    for row in await count_by_reason(connection, identifier):
        reasons.add_row(_NOT_SENT[row.outcome], row.rule, str(row.number), row.reason)
    console.print(reasons)
    decided = await count_candidates(connection, identifier)
    console.print(
        f"{counts['messages']} messages. Of {decided} candidates (student and contact): "
        f"{counts['sent']} sent + {counts['held']} held + {counts['excluded']} excluded + "
        f"{counts['unreachable']} unreachable = {candidates}"
    )
    return bool(candidates == decided)
