"""The settings in groups, each with its default, its bounds and its description; `service.settings` composes them."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, IPvAnyNetwork, SecretStr

REPOSITORY = Path(__file__).resolve().parent.parent
RETRIES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The schedule that the Standard Webhooks specification proposes, after an attempt at once."""


def seconds_or_iso(value: object) -> object:
    """A bare number is seconds, also as text; the rest (`PT90S`, `00:01:30`) is left to pydantic."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Duration = Annotated[timedelta, BeforeValidator(seconds_or_iso)]


def available_cores() -> int:
    """How many cores this process may use, at least one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class StorageSettings(BaseModel):
    """Where the service keeps its state: data folder, database, broker, object store."""

    environment: Literal["embedded", "production"] = Field(
        default="embedded",
        description="`production` refuses SQLite, the file queue, a generated pepper and unsigned bundles",
    )
    secrets_dir: Path | None = Field(
        default=None,
        description="folder of files named as settings in lower case, such as hilbert_database_url; default: none",
    )
    data_dir: Path = Field(
        default=Path("~/.local/share/hilbert"),
        description="folder of the embedded database, queue, objects, pepper and logs",
    )
    database_url: SecretStr | None = Field(
        default=None, description="postgresql+psycopg://... ; default: SQLite in the data folder"
    )
    database_retry_timeout: Duration = Field(
        default=timedelta(0),
        ge=timedelta(0),
        description="how long a request waits for a database that takes no connections or does not say whether it has "
        "committed, before it fails",
    )
    broker_url: SecretStr | None = Field(
        default=None, description="redis://... ; default: a file queue in the data folder"
    )
    object_store_url: SecretStr | None = Field(
        default=None, description="s3://bucket/prefix or file:///path ; default: the data folder"
    )
    s3_endpoint: str | None = Field(
        default=None, description="URL of an S3 server other than Amazon's, such as https://objects.example:9000"
    )
    s3_region: str | None = Field(default=None, description="region of the bucket; default: AWS_REGION or us-east-1")
    s3_key_id: SecretStr | None = Field(
        default=None, description="id of the access key; default: as AWS's own tools find one"
    )
    s3_secret_key: SecretStr | None = Field(default=None, description="the secret of that key")


class ModelSettings(BaseModel):
    """The bundle that workers load, and the processor that its encoders run on."""

    bundle: Path = Field(
        default=REPOSITORY / "examples" / "bundle", description="folder of the bundle that workers load"
    )
    trusted_keys: tuple[str, ...] = Field(
        default=(),
        description="as JSON: public keys, each a PEM file or its text; when set, only bundles signed by one load",
    )
    threads: int = Field(
        default_factory=available_cores,
        gt=0,
        description="threads a worker computes with; default: the cores",
    )
    concurrency: int = Field(
        default=1, gt=0, description="stages that a worker process works on at once; their segments share batches"
    )
    batch_max_delay: Duration = Field(
        default=timedelta(0),
        ge=timedelta(0),
        description="how long an encoder's batch with room waits for more segments",
    )
    device: Literal["cpu", "cuda", "tensorrt", "auto"] = Field(
        default="cpu",
        description="where encoders run; `auto` is CUDA where it works, else the CPU; a named device never falls back",
    )
    device_id: int = Field(default=0, ge=0, description="which GPU")
    device_memory_mb: int | None = Field(
        default=None, gt=0, description="most that each encoder may take of the GPU's memory, in MB; default: no bound"
    )
    cuda_graphs: bool = Field(
        default=False, description="record and replay full batches on the GPU, where an encoder allows it"
    )
    feature_cache_mb: int = Field(
        default=0, ge=0, description="most that kept features of segments take on disk, in MB; 0 keeps none"
    )
    feature_cache_ttl: Duration = Field(
        default=timedelta(hours=1), gt=timedelta(0), description="features kept for longer than this are deleted"
    )


class ApiSettings(BaseModel):
    """The HTTP server: address, keys, shutdown, limits of a request."""

    peppers: dict[int, SecretStr] = Field(
        default={},
        description="secrets API keys are hashed with, by version, as JSON; the highest hashes new keys",
    )
    host: str = Field(default="127.0.0.1", description="address the API listens on")
    port: int = Field(default=8000, ge=0, le=65535, description="port the API listens on; 0 takes a free one")
    drain_delay: Duration = Field(
        default=timedelta(0),
        ge=timedelta(0),
        description="after SIGTERM the API goes on taking requests for this long, while `/readyz` sends others away",
    )
    shutdown_timeout: Duration = Field(
        default=timedelta(seconds=3),
        ge=timedelta(0),
        description="time that requests under way have to end, once the API takes no more",
    )
    upload_limit: int = Field(default=2_000_000_000, gt=0, description="largest accepted request, in bytes")
    transcript_limit: int = Field(default=5_000_000, gt=0, description="largest accepted transcript, in bytes")
    batch_lines: int = Field(default=50_000, gt=0, description="most lines that one batch may have")
    batch_limit: int = Field(
        default=20_000_000_000, gt=0, description="largest accepted batch sent as one archive, in bytes"
    )
    request_lease: Duration = Field(
        default=timedelta(seconds=30),
        gt=timedelta(0),
        description="a request silent for this long loses its idempotency key, or its upload, to another one",
    )
    idempotency_ttl: Duration = Field(
        default=timedelta(hours=24), gt=timedelta(0), description="how long an Idempotency-Key repeats its answer"
    )
    upload_ttl: Duration = Field(
        default=timedelta(hours=24),
        gt=timedelta(0),
        description="an upload that nothing uses is deleted when nothing came for this long",
    )
    max_prefer_wait: Duration = Field(
        default=timedelta(seconds=30), ge=timedelta(0), description="most that a request waits with `Prefer: wait`"
    )


class AdmissionSettings(BaseModel):
    """When a submission is refused because too many are queued."""

    max_queue_wait: Duration = Field(
        default=timedelta(minutes=30),
        gt=timedelta(0),
        description="routine submissions are refused while those before them would take longer than this",
    )
    max_queue_depth: int = Field(
        default=10_000, gt=0, description="submissions are refused while their lane holds this many assessments"
    )
    tenant_max_pending: int = Field(
        default=0, ge=0, description="most unfinished routine assessments that one tenant may have; 0 sets no bound"
    )


class QueueSettings(BaseModel):
    """Stages and workers: leases, heartbeats, retries, publishing."""

    workers: tuple[str, ...] = Field(
        default=("prepare,encode,score", "deliver"),
        description="as JSON: one entry for each worker that `hilbert serve` starts, naming its queues",
    )
    stage_max_attempts: int = Field(default=5, gt=0, description="attempts at a stage before its assessment fails")
    retry_delay: Duration = Field(
        default=timedelta(seconds=5), description="wait before the second attempt; it doubles with each one"
    )
    stage_lease: Duration = Field(
        default=timedelta(seconds=60), description="a stage silent for this long is given away"
    )
    lease_renew_interval: Duration = Field(
        default=timedelta(seconds=20), description="how often a worker renews its lease"
    )
    stage_timeout: Duration = Field(
        default=timedelta(minutes=30),
        gt=timedelta(0),
        description="a worker ends itself when a stage takes longer; the stage is tried again",
    )
    worker_heartbeat_interval: Duration = Field(
        default=timedelta(seconds=5), description="how often a worker says that it lives"
    )
    worker_timeout: Duration = Field(
        default=timedelta(seconds=30), description="a worker silent for this long no longer counts as ready"
    )
    consumer_stall_timeout: Duration = Field(
        default=timedelta(seconds=30),
        gt=timedelta(0),
        description="a worker ends itself when it hears no messages for this long though work waits",
    )
    sweep_interval: Duration = Field(default=timedelta(seconds=3), description="how often lost work is looked for")
    republish_after: Duration = Field(
        default=timedelta(seconds=60),
        description="a published stage nobody claimed is published again after this",
    )
    publish_window: int = Field(
        default=4,
        gt=0,
        description="stages of a queue and lane published ahead for each that its workers can work on at once",
    )
    broker_visibility_timeout: Duration = Field(
        default=timedelta(hours=1),
        gt=timedelta(0),
        description="Redis gives a message out again that no worker has acknowledged within this",
    )


class RetentionSettings(BaseModel):
    """How long data is kept after the end of its assessment."""

    audio_retention: Duration = Field(
        default=timedelta(0), ge=timedelta(0), description="how long audio is kept after the end of its assessment"
    )
    transcript_retention: Duration = Field(
        default=timedelta(0),
        ge=timedelta(0),
        description="how long transcripts are kept after the end of their assessment",
    )
    result_retention: Duration | None = Field(
        default=None,
        description="how long assessments with their results are kept after their end; default: until erased",
    )


class WebhookSettings(BaseModel):
    """Deliveries to webhooks: attempts, secrets, where they may go."""

    webhook_timeout: Duration = Field(
        default=timedelta(seconds=10),
        gt=timedelta(0),
        description="time that an attempt at a delivery may take in all",
    )
    webhook_retries: tuple[Duration, ...] = Field(
        default=RETRIES,
        description="as JSON: waits after each failed attempt at a delivery, each a fifth shorter or longer by chance",
    )
    webhook_secret_overlap: Duration = Field(
        default=timedelta(hours=24), description="how long the old secret of a webhook signs beside its new one"
    )
    webhook_disable_after: Duration = Field(
        default=timedelta(days=5), description="a webhook that has failed for this long without a success is disabled"
    )
    webhook_retention: Duration = Field(
        default=timedelta(days=30), description="how long messages and their delivery logs are kept"
    )
    webhook_concurrency: int = Field(
        default=8, gt=0, description="deliveries that a worker of `deliver` works on at once"
    )
    webhook_allow_http: bool = Field(
        default=False,
        description="let webhooks have http:// URLs; without TLS anyone on the way can read them",
    )
    webhook_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="as JSON: networks, such as 10.1.0.0/16, that webhooks may reach though they are not public",
    )


class ProcessSettings(BaseModel):
    """Metrics, traces, the shutdown of `hilbert serve`, and the key of the command-line client."""

    metrics_host: str = Field(default="127.0.0.1", description="address each process serves its metrics on")
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="port each process serves its metrics on; 0 takes a free one, default: none",
    )
    traces_url: SecretStr | None = Field(
        default=None, description="where traces are sent, such as http://collector:4318/v1/traces ; default: nowhere"
    )
    traces_sample_ratio: float = Field(default=1.0, ge=0, le=1, description="share of the requests that are traced")
    stop_grace: Duration = Field(
        default=timedelta(seconds=4),
        description="time that `hilbert serve` gives its children to end by themselves",
    )
    client_api_key: SecretStr | None = Field(default=None, description="the API key that `hilbert batch` sends")
