"""What a client says about its recording: participant, interviewer, audio track, channel."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("assessment") as assessment:
        assessment.add_column(sa.Column("recording", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("assessment") as assessment:
        assessment.drop_column("recording")
