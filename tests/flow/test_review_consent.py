"""A review's findings about answers to questions of consent."""

from typing import Any

from gateway.dispatch.consent_answers import ConsentDesk
from gateway.dispatch.documents import DocumentDesk
from tests.flow.families import DAD, KID, MUM, TOGETHER, parents
from tests.flow.installation import Installation
from tests.unit.rules.households import directory, email

FAMILY: dict[str, Any] = {"students": [KID], "contacts": [MUM, DAD], "relationships": parents("mum", "dad")}


async def test_who_lives_apart_by_now_answers_for_nobody_else(gateway: Installation) -> None:
    """They shared a mailbox when they were asked; since then they have parted, and it is hers or his alone."""
    shared = [email("mum", "home@example.org"), email("dad", "home@example.org")]
    await gateway.put(directory(**FAMILY, contact_points=shared, households=[TOGETHER]))
    notification = await gateway.post("consent", purpose="consent")
    await gateway.at_rest()
    rows = await gateway.deliveries(notification)
    (carried,) = [row for row in rows if row.merged_into is not None]
    (carrier,) = [row for row in rows if row.merged_into is None]
    left = [point for point in shared if point["contact"] == carrier.contact]
    own = [email(carried.contact, "new@example.org")]
    await gateway.put(
        directory(**FAMILY, contact_points=[*left, *own], households=[{"id": "home", "members": [carrier.contact]}])
    )
    services = gateway.front.services
    documents = DocumentDesk(
        services.database, services.renderer, now=gateway.time, policy=services.policy, snapshots=services.snapshots
    )
    waiting = await documents.find(carrier.id)
    if waiting is None:
        return
    paper = await ConsentDesk(services.database, now=gateway.time, policy=services.policy).paper(
        waiting.notification, waiting.reader
    )
    assert [person.id for question in paper.questions for person in question.people] == [carrier.contact]
