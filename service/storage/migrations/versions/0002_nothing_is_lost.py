"""Batches, uploads in pieces, idempotency keys, reservations and webhooks; versions, times and slots."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service.storage.tables import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batch",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("finished_at", Instant(timezone=True), nullable=True),
        sa.Column("output_key", sa.String(length=256), nullable=True),
        sa.Column("errors_key", sa.String(length=256), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
    )
    op.create_index("ix_batch_page", "batch", ["tenant", "created_at", "id"], unique=False)
    op.create_index("ix_batch_state", "batch", ["state"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("route", sa.String(length=128), nullable=False),
        sa.Column("holder", sa.String(length=36), nullable=False),
        sa.Column("held_until", Instant(timezone=True), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("location", sa.String(length=256), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_age", "idempotency", ["created_at"], unique=False)
    op.create_table(
        "message",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=36), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
    )
    op.create_index("ix_message_age", "message", ["created_at"], unique=False)
    op.create_table(
        "reservation",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("identity", sa.String(length=64), nullable=False),
        sa.Column("due_at", Instant(timezone=True), nullable=False),
        sa.Column("expires_at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation")),
    )
    op.create_index("ix_reservation_identity", "reservation", ["tenant", "identity", "due_at"], unique=False)
    op.create_table(
        "upload",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("completed_at", Instant(timezone=True), nullable=True),
        sa.Column("holder", sa.String(length=36), nullable=True),
        sa.Column("held_until", Instant(timezone=True), nullable=True),
        sa.Column("used_by", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
    )
    op.create_index("ix_upload_age", "upload", ["updated_at"], unique=False)
    op.create_table(
        "webhook",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("disabled_reason", sa.String(length=64), nullable=True),
        sa.Column("secret", sa.String(length=128), nullable=False),
        sa.Column("previous_secret", sa.String(length=128), nullable=True),
        sa.Column("previous_until", Instant(timezone=True), nullable=True),
        sa.Column("failing_since", Instant(timezone=True), nullable=True),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )
    op.create_index("ix_webhook_tenant", "webhook", ["tenant"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=40), nullable=False),
        sa.Column("webhook_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=True),
        sa.Column("lease_until", Instant(timezone=True), nullable=True),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("enqueued_at", Instant(timezone=True), nullable=True),
        sa.Column("not_before", Instant(timezone=True), nullable=True),
        sa.Column("finished_at", Instant(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_delivery_message_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name=op.f("fk_delivery_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("message_id", "webhook_id", name=op.f("uq_delivery_message_id_webhook_id")),
    )
    op.create_index("ix_delivery_queue", "delivery", ["state", "enqueued_at"], unique=False)
    op.create_index("ix_delivery_webhook", "delivery", ["webhook_id", "state"], unique=False)
    op.create_table(
        "delivery_attempt",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("delivery_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", Instant(timezone=True), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_delivery_attempt_delivery_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_attempt")),
    )
    op.create_index("ix_delivery_attempt_delivery", "delivery_attempt", ["delivery_id", "attempt"], unique=False)
    # With a default in the database, because processes of the older release insert rows without it (decision 0042).
    op.add_column("assessment", sa.Column("version", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("assessment", sa.Column("work_removed_at", Instant(timezone=True), nullable=True))
    op.add_column("assessment", sa.Column("audio_seconds", sa.Double(), nullable=True))
    op.add_column("assessment", sa.Column("batch_id", sa.String(length=36), nullable=True))
    op.add_column("assessment", sa.Column("batch_line", sa.Integer(), nullable=True))
    op.add_column("assessment", sa.Column("custom_id", sa.String(length=128), nullable=True))
    op.create_index("ix_assessment_batch", "assessment", ["batch_id", "state"], unique=False)
    op.create_index("ix_assessment_line", "assessment", ["batch_id", "batch_line"], unique=False)
    op.add_column("stage", sa.Column("claimed_at", Instant(timezone=True), nullable=True))
    op.add_column("stage", sa.Column("finished_at", Instant(timezone=True), nullable=True))
    op.create_index("ix_stage_pace", "stage", ["kind", "finished_at"], unique=False)
    op.add_column("worker", sa.Column("slots", sa.Integer(), nullable=False, server_default="1"))
    with op.batch_alter_table("worker") as worker:
        # A worker for webhooks has no model.
        worker.alter_column("model_digest", existing_type=sa.String(length=128), nullable=True)


def downgrade() -> None:
    with op.batch_alter_table("worker") as worker:
        worker.alter_column("model_digest", existing_type=sa.String(length=128), nullable=False)
    op.drop_column("worker", "slots")
    op.drop_index("ix_stage_pace", table_name="stage")
    op.drop_column("stage", "finished_at")
    op.drop_column("stage", "claimed_at")
    op.drop_index("ix_assessment_line", table_name="assessment")
    op.drop_index("ix_assessment_batch", table_name="assessment")
    op.drop_column("assessment", "custom_id")
    op.drop_column("assessment", "batch_line")
    op.drop_column("assessment", "batch_id")
    op.drop_column("assessment", "audio_seconds")
    op.drop_column("assessment", "work_removed_at")
    op.drop_column("assessment", "version")
    op.drop_index("ix_delivery_attempt_delivery", table_name="delivery_attempt")
    op.drop_table("delivery_attempt")
    op.drop_index("ix_delivery_webhook", table_name="delivery")
    op.drop_index("ix_delivery_queue", table_name="delivery")
    op.drop_table("delivery")
    op.drop_index("ix_webhook_tenant", table_name="webhook")
    op.drop_table("webhook")
    op.drop_index("ix_upload_age", table_name="upload")
    op.drop_table("upload")
    op.drop_index("ix_reservation_identity", table_name="reservation")
    op.drop_table("reservation")
    op.drop_index("ix_message_age", table_name="message")
    op.drop_table("message")
    op.drop_index("ix_idempotency_age", table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_index("ix_batch_state", table_name="batch")
    op.drop_index("ix_batch_page", table_name="batch")
    op.drop_table("batch")
