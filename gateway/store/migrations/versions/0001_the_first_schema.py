"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

IDENTIFIER = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "api_keys",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("school", IDENTIFIER, nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("scopes", sa.String(length=200), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_table(
        "attempts",
        sa.Column("delivery", IDENTIFIER, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", IDENTIFIER, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.Column("provider", sa.String(length=40), nullable=True),
        sa.Column("provider_id", IDENTIFIER, nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("delivery", "number", name=op.f("pk_attempts")),
    )
    op.create_table(
        "chronology",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("student", IDENTIFIER, nullable=True),
        sa.Column("contact", IDENTIFIER, nullable=True),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chronology")),
    )
    with op.batch_alter_table("chronology", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_chronology_school_contact_at"), ["school", "contact", "at"], unique=False)
        batch_op.create_index(batch_op.f("ix_chronology_school_student_at"), ["school", "student", "at"], unique=False)

    op.create_table(
        "consent_answers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("notification", IDENTIFIER, nullable=False),
        sa.Column("student", IDENTIFIER, nullable=False),
        sa.Column("contact", IDENTIFIER, nullable=False),
        sa.Column("answer", sa.String(length=40), nullable=False),
        sa.Column("delivery", IDENTIFIER, nullable=True),
        sa.Column("origin", sa.String(length=40), nullable=False),
        sa.Column("taken_by", IDENTIFIER, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_answers")),
    )
    with op.batch_alter_table("consent_answers", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_consent_answers_notification_student"), ["notification", "student"], unique=False
        )

    op.create_table(
        "contact_points",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("contact", IDENTIFIER, nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("school", "id", name=op.f("pk_contact_points")),
    )
    with op.batch_alter_table("contact_points", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_contact_points_school_address_key"), ["school", "address_key"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_contact_points_school_contact"), ["school", "contact"], unique=False)

    op.create_table(
        "contacts",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("school", "id", name=op.f("pk_contacts")),
    )
    op.create_table(
        "decisions",
        sa.Column("notification", IDENTIFIER, nullable=False),
        sa.Column("student", IDENTIFIER, nullable=False),
        sa.Column("contact", IDENTIFIER, nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("message", IDENTIFIER, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("notification", "student", "contact", name=op.f("pk_decisions")),
    )
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_decisions_school_contact_at"), ["school", "contact", "at"], unique=False)
        batch_op.create_index(batch_op.f("ix_decisions_school_student_at"), ["school", "student", "at"], unique=False)

    op.create_table(
        "deliveries",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("notification", IDENTIFIER, nullable=False),
        sa.Column("message", IDENTIFIER, nullable=False),
        sa.Column("contact", IDENTIFIER, nullable=False),
        sa.Column("point", IDENTIFIER, nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("lane", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("batch", IDENTIFIER, nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("place", sa.String(length=64), nullable=True),
        sa.Column("language", sa.String(length=40), nullable=False),
        sa.Column("fell_back", sa.Boolean(), nullable=False),
        sa.Column("neutral", sa.Boolean(), nullable=False),
        sa.Column("bare", sa.Boolean(), nullable=False),
        sa.Column("directory_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner", IDENTIFIER, nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=True),
        sa.Column("provider_id", IDENTIFIER, nullable=True),
        sa.Column("segments", sa.Integer(), nullable=True),
        sa.Column("merged_into", IDENTIFIER, nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index(
            "ix_deliveries_batch",
            ["batch"],
            unique=False,
            postgresql_where=sa.text(
                "state IN ('queued', 'retrying', 'unknown') AND due_at IS NOT NULL AND merged_into IS NULL"
            ),
            sqlite_where=sa.text(
                "state IN ('queued', 'retrying', 'unknown') AND due_at IS NOT NULL AND merged_into IS NULL"
            ),
        )
        batch_op.create_index(
            "ix_deliveries_due",
            ["school", "lane", "due_at"],
            unique=False,
            postgresql_where=sa.text(
                "state IN ('queued', 'retrying', 'unknown') AND due_at IS NOT NULL AND merged_into IS NULL"
            ),
            sqlite_where=sa.text(
                "state IN ('queued', 'retrying', 'unknown') AND due_at IS NOT NULL AND merged_into IS NULL"
            ),
        )
        batch_op.create_index(
            "ix_deliveries_lease",
            ["lease_until"],
            unique=False,
            postgresql_where=sa.text("state = 'sending'"),
            sqlite_where=sa.text("state = 'sending'"),
        )
        batch_op.create_index(
            "ix_deliveries_merged",
            ["merged_into"],
            unique=False,
            postgresql_where=sa.text("merged_into IS NOT NULL"),
            sqlite_where=sa.text("merged_into IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_deliveries_message"), ["message"], unique=False)
        batch_op.create_index(batch_op.f("ix_deliveries_notification_state"), ["notification", "state"], unique=False)
        batch_op.create_index(
            "ix_deliveries_provider_id",
            ["provider_id"],
            unique=False,
            postgresql_where=sa.text("provider_id IS NOT NULL"),
            sqlite_where=sa.text("provider_id IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_deliveries_waiting",
            ["school", "lane", "directory_version"],
            unique=False,
            postgresql_where=sa.text("state IN ('held', 'queued', 'retrying')"),
            sqlite_where=sa.text("state IN ('held', 'queued', 'retrying')"),
        )

    op.create_table(
        "delivery_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("delivery", IDENTIFIER, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("news", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_events")),
    )
    with op.batch_alter_table("delivery_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delivery_events_delivery"), ["delivery"], unique=False)

    op.create_table(
        "deny_snapshots",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("school", name=op.f("pk_deny_snapshots")),
    )
    op.create_table(
        "document_openings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("contact", IDENTIFIER, nullable=False),
        sa.Column("delivery", IDENTIFIER, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document_openings")),
    )
    with op.batch_alter_table("document_openings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_document_openings_delivery_at"), ["delivery", "at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_document_openings_school_contact_at"), ["school", "contact", "at"], unique=False
        )

    op.create_table(
        "duty_contacts",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("school", "id", name=op.f("pk_duty_contacts")),
    )
    op.create_table(
        "household_members",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("household", IDENTIFIER, nullable=False),
        sa.Column("contact", IDENTIFIER, nullable=False),
        sa.PrimaryKeyConstraint("school", "household", "contact", name=op.f("pk_household_members")),
    )
    with op.batch_alter_table("household_members", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_household_members_school_contact_household"),
            ["school", "contact", "household"],
            unique=False,
        )

    op.create_table(
        "households",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("school", "id", name=op.f("pk_households")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("endpoint", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("school", "endpoint", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "installation",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation")),
    )
    op.create_table(
        "messages",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("notification", IDENTIFIER, nullable=False),
        sa.Column("contact", IDENTIFIER, nullable=False),
        sa.Column("students", sa.Text(), nullable=False),
        sa.Column("formats", sa.Text(), nullable=False),
        sa.Column("routes", sa.Text(), nullable=False),
        sa.Column("mode", sa.String(length=40), nullable=False),
        sa.Column("step", sa.Integer(), nullable=True),
        sa.Column("language", sa.String(length=40), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_messages_notification"), ["notification"], unique=False)

    op.create_table(
        "notification_students",
        sa.Column("notification", IDENTIFIER, nullable=False),
        sa.Column("student", IDENTIFIER, nullable=False),
        sa.PrimaryKeyConstraint("notification", "student", name=op.f("pk_notification_students")),
    )
    op.create_table(
        "notifications",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("lane", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.String(length=55), nullable=True),
        sa.Column("only_points", sa.Text(), nullable=True),
        sa.Column("reference", sa.String(length=1000), nullable=True),
        sa.Column("created_by", IDENTIFIER, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("send_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("respond_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cursor", IDENTIFIER, nullable=False),
        sa.Column("owner", IDENTIFIER, nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.create_index(
            "ix_notifications_open",
            ["send_at"],
            unique=False,
            postgresql_where=sa.text("status IN ('accepted', 'planning')"),
            sqlite_where=sa.text("status IN ('accepted', 'planning')"),
        )
        batch_op.create_index(batch_op.f("ix_notifications_school_created_at"), ["school", "created_at"], unique=False)

    op.create_table(
        "objections",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("student", IDENTIFIER, nullable=False),
        sa.Column("contact", IDENTIFIER, nullable=False),
        sa.Column("said_by", IDENTIFIER, nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("taken_by", IDENTIFIER, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_objections")),
    )
    op.create_table(
        "pages",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("notification", IDENTIFIER, nullable=False),
        sa.Column("task", IDENTIFIER, nullable=False),
        sa.Column("person", IDENTIFIER, nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("language", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner", IDENTIFIER, nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=True),
        sa.Column("provider_id", IDENTIFIER, nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pages")),
    )
    with op.batch_alter_table("pages", schema=None) as batch_op:
        batch_op.create_index(
            "ix_pages_due",
            ["due_at"],
            unique=False,
            postgresql_where=sa.text("state IN ('queued', 'sending', 'retrying', 'unknown') AND due_at IS NOT NULL"),
            sqlite_where=sa.text("state IN ('queued', 'sending', 'retrying', 'unknown') AND due_at IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_pages_notification_round"), ["notification", "round"], unique=False)

    op.create_table(
        "placement_plans",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("student", IDENTIFIER, nullable=False),
        sa.Column("contact", IDENTIFIER, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("school", "student", "contact", name=op.f("pk_placement_plans")),
    )
    op.create_table(
        "point_marks",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("address_key", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("school", "channel", "address_key", name=op.f("pk_point_marks")),
    )
    op.create_table(
        "policies",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("changed_by", IDENTIFIER, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("school", name=op.f("pk_policies")),
    )
    op.create_table(
        "receipts",
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("delivery", IDENTIFIER, nullable=True),
        sa.Column("provider_id", IDENTIFIER, nullable=True),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("provider", "event_id", name=op.f("pk_receipts")),
    )
    with op.batch_alter_table("receipts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_receipts_parked",
            ["provider_id"],
            unique=False,
            postgresql_where=sa.text("applied_at IS NULL"),
            sqlite_where=sa.text("applied_at IS NULL"),
        )

    op.create_table(
        "relationships",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("student", IDENTIFIER, nullable=False),
        sa.Column("contact", IDENTIFIER, nullable=False),
        sa.Column("started", sa.String(length=10), nullable=False),
        sa.Column("is_self", sa.Boolean(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("school", "student", "contact", "started", name=op.f("pk_relationships")),
    )
    with op.batch_alter_table("relationships", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_relationships_school_contact_student"), ["school", "contact", "student"], unique=False
        )

    op.create_table(
        "restriction_steps",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("restriction", IDENTIFIER, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("by", IDENTIFIER, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("proposed", sa.Text(), nullable=True),
        sa.Column("otherwise", sa.Text(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("successor", IDENTIFIER, nullable=True),
        sa.PrimaryKeyConstraint("school", "restriction", "number", name=op.f("pk_restriction_steps")),
    )
    op.create_table(
        "restriction_views",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("restriction", IDENTIFIER, nullable=False),
        sa.Column("viewer", IDENTIFIER, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_restriction_views")),
    )
    with op.batch_alter_table("restriction_views", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_restriction_views_school_restriction_id"), ["school", "restriction", "id"], unique=False
        )

    op.create_table(
        "restrictions",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("student", IDENTIFIER, nullable=False),
        sa.Column("contact", IDENTIFIER, nullable=False),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("created_by", IDENTIFIER, nullable=True),
        sa.Column("approved_by", IDENTIFIER, nullable=True),
        sa.PrimaryKeyConstraint("school", "id", name=op.f("pk_restrictions")),
    )
    with op.batch_alter_table("restrictions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_restrictions_school_contact"), ["school", "contact"], unique=False)
        batch_op.create_index(batch_op.f("ix_restrictions_school_student"), ["school", "student"], unique=False)

    op.create_table(
        "schools",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schools")),
    )
    op.create_table(
        "student_groups",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("group", IDENTIFIER, nullable=False),
        sa.Column("student", IDENTIFIER, nullable=False),
        sa.PrimaryKeyConstraint("school", "group", "student", name=op.f("pk_student_groups")),
    )
    op.create_table(
        "students",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("school", "id", name=op.f("pk_students")),
    )
    op.create_table(
        "tasks",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("notification", IDENTIFIER, nullable=True),
        sa.Column("student", IDENTIFIER, nullable=True),
        sa.Column("contact", IDENTIFIER, nullable=True),
        sa.Column("delivery", IDENTIFIER, nullable=True),
        sa.Column("owner", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", IDENTIFIER, nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by", IDENTIFIER, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("directory_version", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tasks_notification"), ["notification"], unique=False)
        batch_op.create_index(
            "ix_tasks_open",
            ["kind", "due_at"],
            unique=False,
            postgresql_where=sa.text("done_at IS NULL"),
            sqlite_where=sa.text("done_at IS NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_tasks_school_done_at_due_at"), ["school", "done_at", "due_at"], unique=False
        )

    op.create_table(
        "templates",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("name", IDENTIFIER, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("author", IDENTIFIER, nullable=False),
        sa.Column("approved_by", IDENTIFIER, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("school", "name", "version", name=op.f("pk_templates")),
    )
    op.create_table(
        "turns",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("lane", sa.String(length=40), nullable=False),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("school", "lane", name=op.f("pk_turns")),
    )
    op.create_table(
        "webhook_attempts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("endpoint", IDENTIFIER, nullable=False),
        sa.Column("event", IDENTIFIER, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_attempts")),
    )
    with op.batch_alter_table("webhook_attempts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_webhook_attempts_endpoint_id"), ["endpoint", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_webhook_attempts_event"), ["event"], unique=False)

    op.create_table(
        "webhook_endpoints",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("created_by", IDENTIFIER, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_because", sa.String(length=40), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rests_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner", IDENTIFIER, nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
    )
    with op.batch_alter_table("webhook_endpoints", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_webhook_endpoints_school"), ["school"], unique=False)

    op.create_table(
        "webhook_events",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
    )
    with op.batch_alter_table("webhook_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_webhook_events_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_webhook_events_school_at"), ["school", "at"], unique=False)

    op.create_table(
        "webhook_posts",
        sa.Column("endpoint", IDENTIFIER, nullable=False),
        sa.Column("event", IDENTIFIER, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("endpoint", "event", name=op.f("pk_webhook_posts")),
    )
    with op.batch_alter_table("webhook_posts", schema=None) as batch_op:
        batch_op.create_index(
            "ix_webhook_posts_due",
            ["endpoint", "due_at"],
            unique=False,
            postgresql_where=sa.text("due_at IS NOT NULL"),
            sqlite_where=sa.text("due_at IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_webhook_posts_event"), ["event"], unique=False)

    op.create_table(
        "webhook_seeds",
        sa.Column("endpoint", IDENTIFIER, nullable=False),
        sa.Column("seed", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signs_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("endpoint", "seed", name=op.f("pk_webhook_seeds")),
    )
    op.create_table(
        "wishes",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("contact", IDENTIFIER, nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("opted_out", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("origin", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("school", "contact", "category", name=op.f("pk_wishes")),
    )


def downgrade() -> None:
    """Take the schema back."""
    op.drop_table("wishes")
    op.drop_table("webhook_seeds")
    with op.batch_alter_table("webhook_posts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_webhook_posts_event"))
        batch_op.drop_index(
            "ix_webhook_posts_due",
            postgresql_where=sa.text("due_at IS NOT NULL"),
            sqlite_where=sa.text("due_at IS NOT NULL"),
        )

    op.drop_table("webhook_posts")
    with op.batch_alter_table("webhook_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_webhook_events_school_at"))
        batch_op.drop_index(batch_op.f("ix_webhook_events_at"))

    op.drop_table("webhook_events")
    with op.batch_alter_table("webhook_endpoints", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_webhook_endpoints_school"))

    op.drop_table("webhook_endpoints")
    with op.batch_alter_table("webhook_attempts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_webhook_attempts_event"))
        batch_op.drop_index(batch_op.f("ix_webhook_attempts_endpoint_id"))

    op.drop_table("webhook_attempts")
    op.drop_table("turns")
    op.drop_table("templates")
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_tasks_school_done_at_due_at"))
        batch_op.drop_index(
            "ix_tasks_open", postgresql_where=sa.text("done_at IS NULL"), sqlite_where=sa.text("done_at IS NULL")
        )
        batch_op.drop_index(batch_op.f("ix_tasks_notification"))

    op.drop_table("tasks")
    op.drop_table("students")
    op.drop_table("student_groups")
    op.drop_table("schools")
    with op.batch_alter_table("restrictions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_restrictions_school_student"))
        batch_op.drop_index(batch_op.f("ix_restrictions_school_contact"))

    op.drop_table("restrictions")
    with op.batch_alter_table("restriction_views", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_restriction_views_school_restriction_id"))

    op.drop_table("restriction_views")
    op.drop_table("restriction_steps")
    with op.batch_alter_table("relationships", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_relationships_school_contact_student"))

    op.drop_table("relationships")
    with op.batch_alter_table("receipts", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_receipts_parked",
            postgresql_where=sa.text("applied_at IS NULL"),
            sqlite_where=sa.text("applied_at IS NULL"),
        )

    op.drop_table("receipts")
    op.drop_table("policies")
    op.drop_table("point_marks")
    op.drop_table("placement_plans")
    with op.batch_alter_table("pages", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pages_notification_round"))
        batch_op.drop_index(
            "ix_pages_due",
            postgresql_where=sa.text("state IN ('queued', 'sending', 'retrying', 'unknown') AND due_at IS NOT NULL"),
            sqlite_where=sa.text("state IN ('queued', 'sending', 'retrying', 'unknown') AND due_at IS NOT NULL"),
        )

    op.drop_table("pages")
    op.drop_table("objections")
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_notifications_school_created_at"))
        batch_op.drop_index(
            "ix_notifications_open",
            postgresql_where=sa.text("status IN ('accepted', 'planning')"),
            sqlite_where=sa.text("status IN ('accepted', 'planning')"),
        )

    op.drop_table("notifications")
    op.drop_table("notification_students")
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_messages_notification"))

    op.drop_table("messages")
    op.drop_table("installation")
    op.drop_table("idempotency_keys")
    op.drop_table("households")
    with op.batch_alter_table("household_members", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_household_members_school_contact_household"))

    op.drop_table("household_members")
    op.drop_table("duty_contacts")
    with op.batch_alter_table("document_openings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_document_openings_school_contact_at"))
        batch_op.drop_index(batch_op.f("ix_document_openings_delivery_at"))

    op.drop_table("document_openings")
    op.drop_table("deny_snapshots")
    with op.batch_alter_table("delivery_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_delivery_events_delivery"))

    op.drop_table("delivery_events")
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_deliveries_waiting",
            postgresql_where=sa.text("state IN ('held', 'queued', 'retrying')"),
            sqlite_where=sa.text("state IN ('held', 'queued', 'retrying')"),
        )
        batch_op.drop_index(
            "ix_deliveries_provider_id",
            postgresql_where=sa.text("provider_id IS NOT NULL"),
            sqlite_where=sa.text("provider_id IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_deliveries_notification_state"))
        batch_op.drop_index(batch_op.f("ix_deliveries_message"))
        batch_op.drop_index(
            "ix_deliveries_merged",
            postgresql_where=sa.text("merged_into IS NOT NULL"),
            sqlite_where=sa.text("merged_into IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_deliveries_lease",
            postgresql_where=sa.text("state = 'sending'"),
            sqlite_where=sa.text("state = 'sending'"),
        )
        batch_op.drop_index(
            "ix_deliveries_due",
            postgresql_where=sa.text(
                "state IN ('queued', 'retrying', 'unknown') AND due_at IS NOT NULL AND merged_into IS NULL"
            ),
            sqlite_where=sa.text(
                "state IN ('queued', 'retrying', 'unknown') AND due_at IS NOT NULL AND merged_into IS NULL"
            ),
        )
        batch_op.drop_index(
            "ix_deliveries_batch",
            postgresql_where=sa.text(
                "state IN ('queued', 'retrying', 'unknown') AND due_at IS NOT NULL AND merged_into IS NULL"
            ),
            sqlite_where=sa.text(
                "state IN ('queued', 'retrying', 'unknown') AND due_at IS NOT NULL AND merged_into IS NULL"
            ),
        )

    op.drop_table("deliveries")
    with op.batch_alter_table("decisions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_decisions_school_student_at"))
        batch_op.drop_index(batch_op.f("ix_decisions_school_contact_at"))

    op.drop_table("decisions")
    op.drop_table("contacts")
    with op.batch_alter_table("contact_points", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_contact_points_school_contact"))
        batch_op.drop_index(batch_op.f("ix_contact_points_school_address_key"))

    op.drop_table("contact_points")
    with op.batch_alter_table("consent_answers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_consent_answers_notification_student"))

    op.drop_table("consent_answers")
    with op.batch_alter_table("chronology", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_chronology_school_student_at"))
        batch_op.drop_index(batch_op.f("ix_chronology_school_contact_at"))

    op.drop_table("chronology")
    op.drop_table("attempts")
    op.drop_table("api_keys")
