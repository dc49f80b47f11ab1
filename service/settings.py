"""Everything an operator can set, read from the environment (prefix `HILBERT_`) here and nowhere else.

A setting that the environment lacks is looked for as a file of `HILBERT_SECRETS_DIR`, so that secrets need not stand in
the environment, which a process hands on and a container engine shows.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from service.setting_groups import (
    AdmissionSettings,
    ApiSettings,
    ModelSettings,
    ProcessSettings,
    QueueSettings,
    RetentionSettings,
    StorageSettings,
    WebhookSettings,
)

PEM = "-----BEGIN "
SECRETS_DIR = "HILBERT_SECRETS_DIR"
LEAST_PEPPER_LENGTH = 32
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


def read_renamed(values: Mapping[str, str]) -> dict[str, Any]:
    """Values that stand under an old name (`HILBERT_LEASE`), by the field that reads them today. Warns of each."""
    present = {
        name.lower().removeprefix("hilbert_"): value
        for name, value in values.items()
        if name.lower().startswith("hilbert_")
    }
    renamed = sorted(present.keys() & RENAMED)
    for old in renamed:
        message = (
            f"HILBERT_{old.upper()} is now HILBERT_{RENAMED[old].upper()}; release 0.3 no longer reads the old name"
        )
        # A place in the code would tell an operator nothing.
        warnings.warn_explicit(message, FutureWarning, "HILBERT settings", 0)
    return {RENAMED[old]: present[old] for old in renamed}


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

    # Errors of settings are printed, and the values in them may be passwords.
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
        # A dump masks secrets, and a child process needs their values.
        secrets = ("database_url", "broker_url", "object_store_url", "s3_key_id", "s3_secret_key", "traces_url")
        for name in secrets:
            if (secret := getattr(self, name)) is not None:
                values[name] = secret.get_secret_value()
        values["peppers"] = {version: pepper.get_secret_value() for version, pepper in self.peppers.items()}
        values.pop("client_api_key", None)  # a client's: no child needs it
        values.pop("secrets_dir", None)  # its files have been read
        # Absolute paths, because children run in another working directory.
        values["data_dir"] = str(self.folder)
        values["bundle"] = str(self.bundle.expanduser().absolute())
        values["trusted_keys"] = [
            key if key.lstrip().startswith(PEM) else str(Path(key).expanduser().absolute()) for key in self.trusted_keys
        ]
        return values
