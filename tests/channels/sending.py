"""Sending as most tests want it: all envelopes at once, the answers in the order of the envelopes."""

from collections.abc import Sequence
from contextlib import aclosing

from channels.base import Channel, Envelope, Handover


async def sent(channel: Channel, envelopes: Sequence[Envelope]) -> list[Handover]:
    """Hand over; every envelope must be answered exactly once."""
    async with aclosing(channel.send(envelopes)) as answers:
        handovers = [answer async for answer in answers]
    found = {handover.delivery: handover for handover in handovers}
    assert len(handovers) == len(found) == len(envelopes)
    return [found[envelope.delivery] for envelope in envelopes]
