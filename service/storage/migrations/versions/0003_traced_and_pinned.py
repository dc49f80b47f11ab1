"""Where a stage's trace comes from, and which model an assessment has begun with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("stage") as stage:
        stage.add_column(sa.Column("traceparent", sa.String(length=64), nullable=True))
    with op.batch_alter_table("assessment") as assessment:
        assessment.add_column(sa.Column("model_digest", sa.String(length=128), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("assessment") as assessment:
        assessment.drop_column("model_digest")
    with op.batch_alter_table("stage") as stage:
        stage.drop_column("traceparent")
