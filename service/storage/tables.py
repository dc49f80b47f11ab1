"""The database tables. State columns hold words, so that a row can be read by eye."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Instant(TypeDecorator[datetime]):
    """A moment in UTC: `timestamptz` on PostgreSQL, sortable text on SQLite, which knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC. Raises ValueError for a moment without a time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Restore UTC: SQLite returns no time zone, and a server returns its own."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Table(DeclarativeBase):
    """Base of the tables; constraints are named, so that migrations can refer to them."""

    type_annotation_map = {datetime: Instant, list[str]: JSON, dict[str, str]: JSON}  # noqa: RUF012


Table.metadata.naming_convention = {
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class AssessmentRow(Table):
    """One recording to be scored. The final states (succeeded, abstained, failed, cancelled) never change.

    `version` rises with every change that a client can see. `audio_seconds` is estimated from the file size until the
    recording is decoded. `recording` is what the client said about it; it may hold names, so it is removed with the
    material. `model_digest` is the model of the prepare stage: only the same model may run later stages.
    """

    __tablename__ = "assessment"
    __table_args__ = (
        # In turn for a tenant's pages, unfinished work, the counts of a batch, and its output in line order.
        Index("ix_assessment_page", "tenant", "created_at", "id"),
        Index("ix_assessment_state", "state"),
        Index("ix_assessment_batch", "batch_id", "state"),
        Index("ix_assessment_line", "batch_id", "batch_line"),
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
    work_removed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=0)
    audio_seconds: Mapped[float | None]
    batch_id: Mapped[str | None] = mapped_column(String(36))
    batch_line: Mapped[int | None]
    custom_id: Mapped[str | None] = mapped_column(String(128))
    model_digest: Mapped[str | None] = mapped_column(String(128))
    # By default SQLAlchemy would store None as the JSON value null, which is not NULL to a query.
    recording: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class StageRow(Table):
    """One unit of work; the row is both queue and outbox. `fence` rises with every claim.

    `traceparent` (W3C Trace Context) names the span that the stage follows from.
    """

    __tablename__ = "stage"
    __table_args__ = (
        # Behind the lock of the assessment a second guard: the last two chunks cannot insert two score stages.
        UniqueConstraint("assessment_id", "kind", "index"),
        # In turn for publishing and claiming, for expired leases, and for the stages that throughput measures.
        Index("ix_stage_queue", "kind", "state", "enqueued_at"),
        Index("ix_stage_lease", "state", "lease_until"),
        Index("ix_stage_pace", "kind", "finished_at"),
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
    claimed_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    traceparent: Mapped[str | None] = mapped_column(String(64))


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
    """A worker and its last heartbeat; `forward_at` is its model's last forward pass, `slots` its parallel stages."""

    __tablename__ = "worker"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    queues: Mapped[list[str]]
    model_digest: Mapped[str | None] = mapped_column(String(128))
    slots: Mapped[int] = mapped_column(default=1)
    started_at: Mapped[datetime]
    beat_at: Mapped[datetime]
    forward_at: Mapped[datetime | None]


class LeadershipRow(Table):
    """The process that leads in a role that one process at a time may have."""

    __tablename__ = "leadership"

    role: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(128))
    lease_until: Mapped[datetime]


class UploadRow(Table):
    """A file that arrives in pieces (tus): `offset` of `length` bytes are stored.

    `owner` is the request that is writing, until `lease_until`; `fence` rises with each, and is part of the names of
    what it stores; `used_by` is the assessment or batch that took the upload.
    """

    __tablename__ = "upload"
    __table_args__ = (Index("ix_upload_age", "updated_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    length: Mapped[int] = mapped_column(BigInteger)
    offset: Mapped[int] = mapped_column(BigInteger)
    fence: Mapped[int]
    sha256: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    # The columns keep their first names: renaming a column takes three releases (decision 0042).
    owner: Mapped[str | None] = mapped_column("holder", String(36))
    lease_until: Mapped[datetime | None] = mapped_column("held_until")
    # Without a foreign key, since it names a row of one of two tables.
    used_by: Mapped[str | None] = mapped_column(String(36))


class IdempotencyRow(Table):
    """The idempotency key of a POST: in flight until `status` is set, then the answer to repeat.

    `owner` is the request at work; after `lease_until` it counts as dead and its key is free.
    """

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_age", "created_at"),)

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    route: Mapped[str] = mapped_column(String(128))
    # Columns under their first names, as in `UploadRow`.
    owner: Mapped[str] = mapped_column("holder", String(36))
    lease_until: Mapped[datetime] = mapped_column("held_until")
    digest: Mapped[str | None] = mapped_column(String(64))
    status: Mapped[int | None]
    location: Mapped[str | None] = mapped_column(String(256))
    body: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]


class ReservationRow(Table):
    """Capacity reserved for a refused client, which is admitted when it comes back after `due_at`.

    `identity` is a digest; a client that sends many requests under one API key may hold many reservations.
    """

    __tablename__ = "reservation"
    __table_args__ = (Index("ix_reservation_identity", "tenant", "identity", "due_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    identity: Mapped[str] = mapped_column(String(64))
    due_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class BatchRow(Table):
    """Many assessments submitted together; its lines are the assessments that name it.

    `updated_at` rises with every change of its files. The files of an ended batch are missing until they are written.
    """

    __tablename__ = "batch"
    __table_args__ = (Index("ix_batch_page", "tenant", "created_at", "id"), Index("ix_batch_state", "state"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    lines: Mapped[int]
    request_id: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    output_key: Mapped[str | None] = mapped_column(String(256))
    errors_key: Mapped[str | None] = mapped_column(String(256))


class WebhookRow(Table):
    """A URL that receives a tenant's events; `previous_secret` also signs until `previous_until`.

    `failing_since` is the first failure after the last success.
    """

    __tablename__ = "webhook"
    __table_args__ = (Index("ix_webhook_tenant", "tenant"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    url: Mapped[str] = mapped_column(String(2048))
    events: Mapped[list[str]]
    state: Mapped[str] = mapped_column(String(16))
    disabled_reason: Mapped[str | None] = mapped_column(String(64))
    secret: Mapped[str] = mapped_column(String(128))
    previous_secret: Mapped[str | None] = mapped_column(String(128))
    previous_until: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class MessageRow(Table):
    """An event, delivered to every webhook of the tenant that listens for it; it holds only ids and a state.

    `traceparent` (W3C Trace Context) names the span in which it happened.
    """

    __tablename__ = "message"
    __table_args__ = (Index("ix_message_age", "created_at"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    event: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(36))
    payload: Mapped[str] = mapped_column(Text)
    traceparent: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]


class DeliveryRow(Table):
    """One message for one webhook; the row is both queue and outbox, like that of a stage."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("message_id", "webhook_id"),
        Index("ix_delivery_queue", "state", "enqueued_at"),
        Index("ix_delivery_webhook", "webhook_id", "state"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    message_id: Mapped[str] = mapped_column(ForeignKey("message.id", ondelete="CASCADE"))
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(16))
    fence: Mapped[int]
    attempt: Mapped[int]
    owner: Mapped[str | None] = mapped_column(String(128))
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime]
    enqueued_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class DeliveryAttemptRow(Table):
    """The outcome of one attempt at a delivery: the log that a tenant can read."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (Index("ix_delivery_attempt_delivery", "delivery_id", "attempt"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    delivery_id: Mapped[str] = mapped_column(ForeignKey("delivery.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    at: Mapped[datetime]
    seconds: Mapped[float]
    status: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(String(64))
