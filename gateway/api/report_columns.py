"""The columns of the reports as CSV files: one line for what one person has to read or do."""

from collections.abc import Iterable, Iterator, Sequence

from gateway.directory.quality import Finding
from gateway.rules.contact_map import ContactMap, KnownPoint
from gateway.rules.treatment import Difference, Reason
from gateway.rules.unreachable import Unreached

Line = Sequence[object]

PARITY = (
    "student", "category", "aspects", "explained", "contact", "outcome", "rule", "reason", "channels", "language",
    "step", "not_before", "deliveries", "why",
)  # fmt: skip

CONTACT_MAP = (
    "student", "contact", "title", "given_name", "family_name", "relation", "current", "parent", "lives_with",
    "emergency_contact", "language", "formats", "points", "restrictions", "category", "outcome", "rule", "reason",
    "if_named",
)  # fmt: skip

UNREACHABLE = (
    "category", "contact", "title", "given_name", "family_name", "students", "kind", "rule", "reason", "obstacles",
    "phones",
)  # fmt: skip

DATA_QUALITY = ("kind", "entity", "id", "field", "state", "rule", "sentence", "student", "contact")


def parity_lines(differences: Iterable[Difference]) -> Iterator[Line]:
    """Write a line for each parent of each difference."""
    for one in differences:
        for parent in one.parents:
            yield (
                one.student,
                one.category,
                one.aspects,
                one.explained,
                parent.contact,
                parent.outcome,
                parent.rule,
                parent.reason,
                parent.channels,
                parent.language,
                parent.step,
                parent.not_before,
                tuple(f"{trace.channel}: {trace.state}" for trace in parent.traces),
                tuple(_why(reason) for reason in parent.reasons),
            )


def _why(reason: Reason) -> str:
    channel = f" {reason.channel}" if reason.channel else ""
    return f"{reason.aspect} {reason.rule}{channel}: {reason.sentence}"


def contact_map_lines(one: ContactMap) -> Iterator[Line]:
    """Write a line for each contact and category."""
    for contact in one.contacts:
        for entitlement in contact.entitlements:
            yield (
                one.student,
                contact.contact,
                contact.title,
                contact.given_name,
                contact.family_name,
                contact.relation,
                contact.current,
                contact.parent,
                contact.lives_with,
                contact.emergency_contact,
                contact.language,
                contact.formats,
                tuple(map(_point, contact.points)),
                contact.restrictions,
                entitlement.category,
                entitlement.outcome,
                entitlement.rule,
                entitlement.reason,
                entitlement.if_named,
            )


def unreachable_lines(found: Iterable[Unreached]) -> Iterator[Line]:
    """Write a line for each contact, category and reason."""
    for one in found:
        yield (
            one.category,
            one.contact,
            one.title,
            one.given_name,
            one.family_name,
            one.students,
            one.kind,
            one.rule,
            one.reason,
            tuple(f"{obstacle.channel} {obstacle.rule}: {obstacle.sentence}" for obstacle in one.obstacles),
            tuple(map(_point, one.phones)),
        )


def data_quality_lines(findings: Iterable[Finding]) -> Iterator[Line]:
    """Write a line for each finding."""
    for one in findings:
        yield tuple(getattr(one, column) for column in DATA_QUALITY)


def _point(point: KnownPoint) -> str:
    return f"{point.channel} {point.address} ({point.state})"
