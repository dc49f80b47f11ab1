"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service.storage.tables import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(length=8), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("pepper_version", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("revoked_at", Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
    )
    op.create_table(
        "assessment",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("task", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=True),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("bundle", sa.String(length=128), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("updated_at", Instant(timezone=True), nullable=False),
        sa.Column("finished_at", Instant(timezone=True), nullable=True),
        sa.Column("audio_key", sa.String(length=256), nullable=True),
        sa.Column("transcript_key", sa.String(length=256), nullable=True),
        sa.Column("segments_done", sa.Integer(), nullable=False),
        sa.Column("segments_total", sa.Integer(), nullable=True),
        sa.Column("result_key", sa.String(length=256), nullable=True),
        sa.Column("failure_code", sa.String(length=64), nullable=True),
        sa.Column("failure_detail", sa.String(length=512), nullable=True),
        sa.Column("failure_advice", sa.String(length=512), nullable=True),
        sa.Column("failure_retryable", sa.Boolean(), nullable=True),
        sa.Column("material_removed_at", Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
    )
    op.create_index("ix_assessment_page", "assessment", ["tenant", "created_at", "id"], unique=False)
    op.create_index("ix_assessment_state", "assessment", ["state"], unique=False)

    op.create_table(
        "leadership",
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("lease_until", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("role", name=op.f("pk_leadership")),
    )
    op.create_table(
        "model",
        sa.Column("digest", sa.String(length=128), nullable=False),
        sa.Column("bundle", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("demonstration", sa.Boolean(), nullable=False),
        sa.Column("tasks", sa.JSON(), nullable=False),
        sa.Column("encoders", sa.JSON(), nullable=False),
        sa.Column("loaded_at", Instant(timezone=True), nullable=False),
        sa.Column("seen_at", Instant(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_model")),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("queues", sa.JSON(), nullable=False),
        sa.Column("model_digest", sa.String(length=128), nullable=False),
        sa.Column("started_at", Instant(timezone=True), nullable=False),
        sa.Column("beat_at", Instant(timezone=True), nullable=False),
        sa.Column("forward_at", Instant(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
    )
    op.create_table(
        "stage",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("assessment_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("segments", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=True),
        sa.Column("lease_until", Instant(timezone=True), nullable=True),
        sa.Column("created_at", Instant(timezone=True), nullable=False),
        sa.Column("enqueued_at", Instant(timezone=True), nullable=True),
        sa.Column("not_before", Instant(timezone=True), nullable=True),
        sa.Column("input_key", sa.String(length=256), nullable=True),
        sa.Column("output_key", sa.String(length=256), nullable=True),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessment.id"], name=op.f("fk_stage_assessment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage")),
        sa.UniqueConstraint("assessment_id", "kind", "index", name=op.f("uq_stage_assessment_id_kind_index")),
    )
    op.create_index("ix_stage_lease", "stage", ["state", "lease_until"], unique=False)
    op.create_index("ix_stage_queue", "stage", ["kind", "state", "enqueued_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_stage_queue", table_name="stage")
    op.drop_index("ix_stage_lease", table_name="stage")

    op.drop_table("stage")
    op.drop_table("worker")
    op.drop_table("model")
    op.drop_table("leadership")
    op.drop_index("ix_assessment_state", table_name="assessment")
    op.drop_index("ix_assessment_page", table_name="assessment")

    op.drop_table("assessment")
    op.drop_table("api_key")
