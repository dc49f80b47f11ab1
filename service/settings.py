"""Everything an operator can set, read from the environment (prefix `HILBERT_`) here and nowhere else.

A setting that the environment lacks is looked for as a file of `HILBERT_SECRETS_DIR`, so that secrets need not stand in
the environment, which a process hands on and a container engine shows.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, IPvAnyNetwork, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

REPOSITORY = Path(__file__).resolve().parent.parent
PEM = "-----BEGIN "
SECRETS_DIR = "HILBERT_SECRETS_DIR"
LEAST_PEPPER_LENGTH = 32
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

RENAMED = {
    "presence": "worker_heartbeat_interval",
    "heartbeat": "lease_renew_interval",
    "lease": "stage_lease",
    "silence": "worker_timeout",
    "deaf_after": "consumer_stall_timeout",
    "stage_limit": "stage_timeout",
    "attempts": "stage_max_attempts",
    "sweep": "sweep_interval",
    "window": "publish_window",
    "visibility": "broker_visibility_timeout",
    "longest_queue": "max_queue_wait",
    "most_queued": "max_queue_depth",
    "tenant_share": "tenant_max_pending",
    "longest_wait": "max_prefer_wait",
    "linger": "batch_max_delay",
    "drain": "drain_delay",
    "finish": "shutdown_timeout",
    "database_patience": "database_retry_timeout",
    "traces_share": "traces_sample_ratio",
    "idempotency_age": "idempotency_ttl",
    "upload_age": "upload_ttl",
    "feature_cache_age": "feature_cache_ttl",
    "keep_audio": "audio_retention",
    "keep_transcripts": "transcript_retention",
    "keep_results": "result_retention",
    "webhook_keep": "webhook_retention",
    "webhook_patience": "webhook_disable_after",
    "webhook_rotation": "webhook_secret_overlap",
    "webhook_slots": "webhook_concurrency",
    "key": "client_api_key",
}
"""Old name of a setting to its name today. Release 0.2 reads both and warns; release 0.3 reads the new name alone."""


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


def read_renamed(values: Mapping[str, str]) -> dict[str, Any]:
    """Values that stand under an old name (`HILBERT_LEASE`), by the field that reads them today. Warns of each."""
    present = {
        name.lower().removeprefix("hilbert_"): value
        for name, value in values.items()
        if name.lower().startswith("hilbert_")
    }
    for old in sorted(present.keys() & RENAMED):
        message = (
            f"HILBERT_{old.upper()} is now HILBERT_{RENAMED[old].upper()}; release 0.3 no longer reads the old name"
        )
        # A place in the code would tell an operator nothing.
        warnings.warn_explicit(message, FutureWarning, "HILBERT settings", 0)
    return {RENAMED[old]: present[old] for old in present.keys() & RENAMED}


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


class Settings(
    StorageSettings,
    ModelSettings,
    ApiSettings,
    AdmissionSettings,
    QueueSettings,
    RetentionSettings,
    WebhookSettings,
    ProcessSettings,
    BaseSettings,
):
    """The service's settings. `embedded` needs none of them; `production` refuses unsafe defaults."""

    model_config = SettingsConfigDict(env_prefix="HILBERT_", frozen=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic names them all
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of precedence: arguments, environment, files of the secrets folder; a new name before its old one."""
        environment = os.environ  # noqa: TID251 - this is the one place
        sources = [init_settings, env_settings, InitSettingsSource(settings_cls, read_renamed(environment))]
        if (folder := environment.get(SECRETS_DIR)) is not None:
            old = [path for name in RENAMED if (path := Path(folder, f"hilbert_{name}")).is_file()]
            sources.append(SecretsSettingsSource(settings_cls, secrets_dir=folder))
            sources.append(
                InitSettingsSource(settings_cls, read_renamed({path.name: path.read_text().strip() for path in old}))
            )
        return tuple(sources)

    @field_validator("secrets_dir")
    @classmethod
    def _secrets_are_there(cls, folder: Path | None) -> Path | None:
        if folder is not None and not folder.is_dir():
            raise ValueError("is no folder that can be read")
        return folder

    @model_validator(mode="after")
    def _production_is_explicit(self) -> Self:
        if self.environment == "production" and (reasons := self._unsafe_defaults()):
            raise ValueError("production refuses its defaults: " + "; ".join(reasons))
        return self

    def _unsafe_defaults(self) -> list[str]:
        reasons = []
        if not self.database.startswith("postgresql"):
            reasons.append("set HILBERT_DATABASE_URL to a postgresql+psycopg:// URL")
        if not self.broker.startswith(("redis://", "rediss://")):
            reasons.append("set HILBERT_BROKER_URL to a redis:// URL")
        if self.object_store_url is None:
            reasons.append("set HILBERT_OBJECT_STORE_URL")
        if not self.trusted_keys:
            reasons.append('set HILBERT_TRUSTED_KEYS to ["<file of the public key that signs your bundles>"]')
        if not self.peppers:
            reasons.append('set HILBERT_PEPPERS to {"1": "<random secret>"}')
        elif any(len(pepper.get_secret_value()) < LEAST_PEPPER_LENGTH for pepper in self.peppers.values()):
            reasons.append(f"each pepper needs at least {LEAST_PEPPER_LENGTH} characters")
        return reasons

    @property
    def folder(self) -> Path:
        """The data folder, absolute."""
        return self.data_dir.expanduser().absolute()

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the database; may hold a password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.folder / 'hilbert.sqlite'}"

    @property
    def broker(self) -> str:
        """URL of the queue; may hold a password. `spool://localhost/path` is the file queue."""
        if self.broker_url is not None:
            return self.broker_url.get_secret_value()
        return f"spool://localhost{self.folder / 'queue'}"

    @property
    def object_store(self) -> str:
        """URL of the object store."""
        if self.object_store_url is not None:
            return self.object_store_url.get_secret_value()
        return (self.folder / "objects").as_uri()

    @property
    def feature_cache(self) -> Path:
        """File in which workers of this machine keep features."""
        return self.folder / "features.sqlite"

    @property
    def alive(self) -> Path:
        """File that workers of this machine touch with each sign of life."""
        return self.folder / "alive"

    def child_environment(self) -> dict[str, str]:
        """The environment in which a child process reads exactly these settings."""
        own = {
            f"HILBERT_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in self._plain().items()
        }
        environment = os.environ  # noqa: TID251 - this is the one place
        inherited = {name: value for name, value in environment.items() if not name.upper().startswith("HILBERT_")}
        return {**inherited, **own}

    def _plain(self) -> dict[str, object]:
        values = self.model_dump(mode="json", exclude_none=True)
        secrets = ("database_url", "broker_url", "object_store_url", "s3_key_id", "s3_secret_key", "traces_url")
        for name in secrets:
            if (secret := getattr(self, name)) is not None:
                values[name] = secret.get_secret_value()
        values["peppers"] = {version: pepper.get_secret_value() for version, pepper in self.peppers.items()}
        values.pop("client_api_key", None)  # a client's: no child needs it
        values.pop("secrets_dir", None)  # its files have been read
        values["data_dir"] = str(self.folder)
        values["bundle"] = str(self.bundle.expanduser().absolute())
        values["trusted_keys"] = [
            key if key.lstrip().startswith(PEM) else str(Path(key).expanduser().absolute()) for key in self.trusted_keys
        ]
        return values
