"""The tables, by area; the store imports them from here."""

from gateway.store.tables.administration import api_keys, installation, policies, templates
from gateway.store.tables.directory import (
    chronology,
    contact_points,
    contacts,
    household_members,
    households,
    placement_plans,
    point_marks,
    relationships,
    restrictions,
    schools,
    student_groups,
    students,
)
from gateway.store.tables.parents import (
    consent_answers,
    document_openings,
    replies,
    reply_enclosures,
    text_wishes,
    wishes,
)
from gateway.store.tables.planning import (
    attachments,
    decisions,
    idempotency_keys,
    messages,
    notification_students,
    notifications,
)
from gateway.store.tables.printing import print_letters, print_runs
from gateway.store.tables.register import deny_snapshots, objections, restriction_steps, restriction_views
from gateway.store.tables.schema import metadata
from gateway.store.tables.sending import attempts, deliveries, delivery_events, provider_use, receipts, turns
from gateway.store.tables.staff import duty_contacts, hand_reports, pages, tasks
from gateway.store.tables.webhooks import (
    webhook_attempts,
    webhook_endpoints,
    webhook_events,
    webhook_posts,
    webhook_seeds,
)

__all__ = [
    "api_keys",
    "attachments",
    "attempts",
    "chronology",
    "consent_answers",
    "contact_points",
    "contacts",
    "decisions",
    "deliveries",
    "delivery_events",
    "deny_snapshots",
    "document_openings",
    "duty_contacts",
    "hand_reports",
    "household_members",
    "households",
    "idempotency_keys",
    "installation",
    "messages",
    "metadata",
    "notification_students",
    "notifications",
    "objections",
    "pages",
    "placement_plans",
    "point_marks",
    "policies",
    "print_letters",
    "print_runs",
    "provider_use",
    "receipts",
    "relationships",
    "replies",
    "reply_enclosures",
    "restriction_steps",
    "restriction_views",
    "restrictions",
    "schools",
    "student_groups",
    "students",
    "tasks",
    "templates",
    "text_wishes",
    "turns",
    "webhook_attempts",
    "webhook_endpoints",
    "webhook_events",
    "webhook_posts",
    "webhook_seeds",
    "wishes",
]
