"""From the providers' common vocabulary to news of a delivery: pure."""

from collections.abc import Mapping

from channels.base import ReceiptStatus
from gateway.tracking.states import News

NEWS: Mapping[ReceiptStatus, News | None] = {
    ReceiptStatus.QUEUED: News.ACCEPTED,
    ReceiptStatus.SENT: News.ACCEPTED,
    ReceiptStatus.DEFERRED: News.ACCEPTED,
    ReceiptStatus.DELIVERED: News.DELIVERED,
    ReceiptStatus.READ: News.DELIVERED,
    ReceiptStatus.ACKNOWLEDGED: News.DELIVERED,
    ReceiptStatus.BOUNCED: News.BOUNCED,
    ReceiptStatus.REJECTED: News.BOUNCED,
    ReceiptStatus.FAILED: News.BOUNCED,
    ReceiptStatus.RETURNED: News.BOUNCED,
    ReceiptStatus.EXPIRED: News.EXPIRED,
    ReceiptStatus.CANCELED: News.BOUNCED,
    ReceiptStatus.COMPLAINED: None,
    ReceiptStatus.OPTED_OUT: None,
    ReceiptStatus.UNKNOWN: None,
}
"""What each status means for the delivery's state; None where it changes no state and is only kept.

Whoever read it has received it; whoever deferred it has accepted it.
"""
