"""The channels."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

IDENTIFIER = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "attachments",
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("content_type", sa.String(length=40), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("searchable", sa.Boolean(), nullable=False),
        sa.Column("created_by", IDENTIFIER, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("school", "id", name=op.f("pk_attachments")),
    )
    op.create_table(
        "hand_reports",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("task", IDENTIFIER, nullable=False),
        sa.Column("delivery", IDENTIFIER, nullable=False),
        sa.Column("outcome", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=True),
        sa.Column("spoken_with", sa.String(length=200), nullable=True),
        sa.Column("identity_checked", sa.Boolean(), nullable=True),
        sa.Column("follow_up", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by", IDENTIFIER, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hand_reports")),
    )
    with op.batch_alter_table("hand_reports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hand_reports_task"), ["task"], unique=False)

    op.create_table(
        "print_letters",
        sa.Column("delivery", IDENTIFIER, nullable=False),
        sa.Column("run", IDENTIFIER, nullable=False),
        sa.Column("file", sa.String(length=100), nullable=True),
        sa.Column("first_page", sa.Integer(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("sheets", sa.Integer(), nullable=True),
        sa.Column("postage", sa.String(length=40), nullable=True),
        sa.Column("sealed", sa.Boolean(), nullable=True),
        sa.Column("country", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("delivery", name=op.f("pk_print_letters")),
    )
    with op.batch_alter_table("print_letters", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_print_letters_run"), ["run"], unique=False)

    op.create_table(
        "print_runs",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("created_by", IDENTIFIER, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("letters", sa.Integer(), nullable=False),
        sa.Column("sheets", sa.Integer(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("folder", IDENTIFIER, nullable=True),
        sa.Column("posted_on", sa.String(length=10), nullable=True),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("owner", IDENTIFIER, nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_print_runs")),
    )
    with op.batch_alter_table("print_runs", schema=None) as batch_op:
        batch_op.create_index(
            "ix_print_runs_due",
            ["due_at"],
            unique=False,
            postgresql_where=sa.text("due_at IS NOT NULL"),
            sqlite_where=sa.text("due_at IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_print_runs_school_id"), ["school", "id"], unique=False)
        batch_op.create_index(
            "ix_print_runs_wanted",
            ["school"],
            unique=True,
            postgresql_where=sa.text("status = 'wanted'"),
            sqlite_where=sa.text("status = 'wanted'"),
        )

    op.create_table(
        "provider_use",
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "month", name=op.f("pk_provider_use")),
    )
    op.create_table(
        "replies",
        sa.Column("id", IDENTIFIER, nullable=False),
        sa.Column("school", IDENTIFIER, nullable=False),
        sa.Column("notification", IDENTIFIER, nullable=True),
        sa.Column("message", IDENTIFIER, nullable=True),
        sa.Column("contact", IDENTIFIER, nullable=True),
        sa.Column("delivery", IDENTIFIER, nullable=True),
        sa.Column("thread", sa.String(length=40), nullable=True),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("writer", sa.String(length=320), nullable=False),
        sa.Column("genuine_sender", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("cut", sa.Boolean(), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("handled_by", IDENTIFIER, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replies")),
    )
    with op.batch_alter_table("replies", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_replies_delivery_received_at"), ["delivery", "received_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_replies_notification_contact"), ["notification", "contact"], unique=False)
        batch_op.create_index(batch_op.f("ix_replies_provider_event_id"), ["provider", "event_id"], unique=True)
        batch_op.create_index(batch_op.f("ix_replies_school_id"), ["school", "id"], unique=False)

    op.create_table(
        "reply_enclosures",
        sa.Column("reply", IDENTIFIER, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("content_type", sa.String(length=255), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("reply", "number", name=op.f("pk_reply_enclosures")),
    )
    op.create_table(
        "text_wishes",
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("event_id", sa.String(length=255), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("wish", sa.String(length=40), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "event_id", name=op.f("pk_text_wishes")),
    )
    with op.batch_alter_table("text_wishes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_text_wishes_number_at"), ["number", "at"], unique=False)

    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("missed_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(
            "ix_attempts_missed",
            ["provider_id"],
            unique=False,
            postgresql_where=sa.text("missed_at IS NOT NULL"),
            sqlite_where=sa.text("missed_at IS NOT NULL"),
        )

    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("ask_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(
            "ix_deliveries_ask",
            ["ask_at"],
            unique=False,
            postgresql_where=sa.text("state = 'sent' AND ask_at IS NOT NULL"),
            sqlite_where=sa.text("state = 'sent' AND ask_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_deliveries_spooled",
            ["provider", "school", "directory_version"],
            unique=False,
            postgresql_where=sa.text("channel = 'letter' AND state = 'sent' AND code IS NULL AND merged_into IS NULL"),
            sqlite_where=sa.text("channel = 'letter' AND state = 'sent' AND code IS NULL AND merged_into IS NULL"),
        )

    with op.batch_alter_table("receipts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("refused", sa.String(length=40), nullable=True))
        batch_op.add_column(
            sa.Column(
                "look_at", sa.DateTime(timezone=True), server_default=sa.text("'2000-01-01 00:00:00'"), nullable=False
            )
        )
        batch_op.drop_index(batch_op.f("ix_receipts_parked"), sqlite_where=sa.text("applied_at IS NULL"))
        batch_op.create_index(batch_op.f("ix_receipts_delivery"), ["delivery"], unique=False)
        batch_op.create_index(
            "ix_receipts_waiting",
            ["look_at"],
            unique=False,
            postgresql_where=sa.text("applied_at IS NULL"),
            sqlite_where=sa.text("applied_at IS NULL"),
        )


def downgrade() -> None:
    """Take the schema back."""
    with op.batch_alter_table("receipts", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_receipts_waiting",
            postgresql_where=sa.text("applied_at IS NULL"),
            sqlite_where=sa.text("applied_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_receipts_delivery"))
        batch_op.create_index(
            batch_op.f("ix_receipts_parked"), ["provider_id"], unique=False, sqlite_where=sa.text("applied_at IS NULL")
        )
        batch_op.drop_column("look_at")
        batch_op.drop_column("refused")

    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_deliveries_spooled",
            postgresql_where=sa.text("channel = 'letter' AND state = 'sent' AND code IS NULL AND merged_into IS NULL"),
            sqlite_where=sa.text("channel = 'letter' AND state = 'sent' AND code IS NULL AND merged_into IS NULL"),
        )
        batch_op.drop_index(
            "ix_deliveries_ask",
            postgresql_where=sa.text("state = 'sent' AND ask_at IS NOT NULL"),
            sqlite_where=sa.text("state = 'sent' AND ask_at IS NOT NULL"),
        )
        batch_op.drop_column("ask_at")

    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_attempts_missed",
            postgresql_where=sa.text("missed_at IS NOT NULL"),
            sqlite_where=sa.text("missed_at IS NOT NULL"),
        )
        batch_op.drop_column("missed_at")

    with op.batch_alter_table("text_wishes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_text_wishes_number_at"))

    op.drop_table("text_wishes")
    op.drop_table("reply_enclosures")
    with op.batch_alter_table("replies", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_replies_school_id"))
        batch_op.drop_index(batch_op.f("ix_replies_provider_event_id"))
        batch_op.drop_index(batch_op.f("ix_replies_notification_contact"))
        batch_op.drop_index(batch_op.f("ix_replies_delivery_received_at"))

    op.drop_table("replies")
    op.drop_table("provider_use")
    with op.batch_alter_table("print_runs", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_print_runs_wanted",
            postgresql_where=sa.text("status = 'wanted'"),
            sqlite_where=sa.text("status = 'wanted'"),
        )
        batch_op.drop_index(batch_op.f("ix_print_runs_school_id"))
        batch_op.drop_index(
            "ix_print_runs_due",
            postgresql_where=sa.text("due_at IS NOT NULL"),
            sqlite_where=sa.text("due_at IS NOT NULL"),
        )

    op.drop_table("print_runs")
    with op.batch_alter_table("print_letters", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_print_letters_run"))

    op.drop_table("print_letters")
    with op.batch_alter_table("hand_reports", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_hand_reports_task"))

    op.drop_table("hand_reports")
    op.drop_table("attachments")
