"""From the providers' common vocabulary to news of a delivery: pure."""

from collections.abc import Mapping

from channels.base import Receipt, ReceiptStatus
from gateway.tracking.states import News

NEWS: Mapping[ReceiptStatus, News | None] = {
    ReceiptStatus.QUEUED: News.ACCEPTED,
    ReceiptStatus.SENT: News.ACCEPTED,
    ReceiptStatus.DEFERRED: News.ACCEPTED,
    ReceiptStatus.DELIVERED: News.DELIVERED,
    ReceiptStatus.READ: News.DELIVERED,
    ReceiptStatus.ACKNOWLEDGED: News.DELIVERED,
    ReceiptStatus.ANSWERED: News.ACCEPTED,
    ReceiptStatus.PRINTED: News.ACCEPTED,
    ReceiptStatus.IN_TRANSIT: News.ACCEPTED,
    ReceiptStatus.BUSY: News.BOUNCED,
    ReceiptStatus.NO_ANSWER: News.BOUNCED,
    ReceiptStatus.BOUNCED: News.BOUNCED,
    ReceiptStatus.REJECTED: News.BOUNCED,
    ReceiptStatus.FAILED: News.BOUNCED,
    ReceiptStatus.RETURNED: News.BOUNCED,
    ReceiptStatus.EXPIRED: News.EXPIRED,
    ReceiptStatus.CANCELED: News.BOUNCED,
    ReceiptStatus.COMPLAINED: None,
    ReceiptStatus.OPTED_OUT: None,
    ReceiptStatus.OPTED_IN: None,
    ReceiptStatus.AUTORESPONDED: None,
    ReceiptStatus.UNKNOWN: None,
}
"""What each status means for the delivery's state; None where it changes no state and is only kept.

Whoever read it has received it; whoever deferred it has accepted it.
"""

_RANK: Mapping[News | None, int] = {
    None: 0,
    News.ACCEPTED: 1,
    News.MISSED: 2,
    News.EXPIRED: 3,
    News.DELIVERED: 4,
    News.BOUNCED: 5,
}
"""Of two pieces of news of one instant the higher is the later: what came back had arrived before."""


def news_of(receipt: Receipt) -> News | None:
    """Say what an event means for the state of its delivery; None when it is only kept."""
    news = NEWS[receipt.status]
    return News.MISSED if receipt.again and news is News.BOUNCED else news


def in_order(receipt: Receipt) -> tuple[object, ...]:
    """Give the key by which events are told to their deliveries: the same, in whatever order they came."""
    return receipt.at, _RANK[news_of(receipt)], receipt.event_id
