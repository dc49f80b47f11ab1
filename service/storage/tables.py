"""The tables. Words, not numbers, in every state column, so that a row can be read by eye."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, String, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Instant(TypeDecorator[datetime]):
    """A moment in UTC: `timestamptz` on PostgreSQL, sortable text on SQLite, which knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse moments without a zone; store the others in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class Table(DeclarativeBase):
    """Base of the tables; constraints have names, so that migrations can speak of them."""

    type_annotation_map = {datetime: Instant, list[str]: JSON, dict[str, str]: JSON}  # noqa: RUF012


Table.metadata.naming_convention = {
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class AssessmentRow(Table):
    """One recording to be scored. The final states (succeeded, abstained, failed, cancelled) never change."""

    __tablename__ = "assessment"
    __table_args__ = (
        Index("ix_assessment_page", "tenant", "created_at", "id"),
        Index("ix_assessment_state", "state"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    task: Mapped[str] = mapped_column(String(64))
    reference: Mapped[str | None] = mapped_column(String(64))
    priority: Mapped[str] = mapped_column(String(16))
    bundle: Mapped[str] = mapped_column(String(128))
    request_id: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    audio_key: Mapped[str | None] = mapped_column(String(256))
    transcript_key: Mapped[str | None] = mapped_column(String(256))
    segments_done: Mapped[int]
    segments_total: Mapped[int | None]
    result_key: Mapped[str | None] = mapped_column(String(256))
    failure_code: Mapped[str | None] = mapped_column(String(64))
    failure_detail: Mapped[str | None] = mapped_column(String(512))
    failure_advice: Mapped[str | None] = mapped_column(String(512))
    failure_retryable: Mapped[bool | None]
    material_removed_at: Mapped[datetime | None]


class StageRow(Table):
    """One piece of work; the row is the queue and the outbox. `fence` rises with every claim."""

    __tablename__ = "stage"
    __table_args__ = (
        UniqueConstraint("assessment_id", "kind", "index"),
        Index("ix_stage_queue", "kind", "state", "enqueued_at"),
        Index("ix_stage_lease", "state", "lease_until"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    assessment_id: Mapped[str] = mapped_column(ForeignKey("assessment.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16))
    index: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    segments: Mapped[int]
    fence: Mapped[int]
    attempt: Mapped[int]
    owner: Mapped[str | None] = mapped_column(String(128))
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    enqueued_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    input_key: Mapped[str | None] = mapped_column(String(256))
    output_key: Mapped[str | None] = mapped_column(String(256))


class ApiKeyRow(Table):
    """An API key: its visible part and the HMAC of the whole."""

    __tablename__ = "api_key"

    id: Mapped[str] = mapped_column(String(8), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(128))
    digest: Mapped[str] = mapped_column(String(64))
    pepper_version: Mapped[int]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class ModelRow(Table):
    """A bundle that a worker has loaded; `tasks` holds name and outcomes."""

    __tablename__ = "model"

    digest: Mapped[str] = mapped_column(String(128), primary_key=True)
    bundle: Mapped[str] = mapped_column(String(128))
    version: Mapped[str] = mapped_column(String(64))
    demonstration: Mapped[bool]
    tasks: Mapped[dict[str, list[str]]] = mapped_column(JSON)
    encoders: Mapped[dict[str, str]]
    loaded_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class WorkerRow(Table):
    """A worker's sign of life; `forward_at` is its model's last real forward pass."""

    __tablename__ = "worker"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    queues: Mapped[list[str]]
    model_digest: Mapped[str] = mapped_column(String(128))
    started_at: Mapped[datetime]
    beat_at: Mapped[datetime]
    forward_at: Mapped[datetime | None]


class LeadershipRow(Table):
    """Who does a job that one process at a time should do."""

    __tablename__ = "leadership"

    role: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(128))
    lease_until: Mapped[datetime]
