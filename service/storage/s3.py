"""Opening a bucket: where it is, whose keys open it, and how long it is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.store import ObjectStore as Store
from obstore.store import S3Store
from pydantic import SecretStr

if TYPE_CHECKING:
    from obstore.store import ClientConfig

CONNECT_TIMEOUT = timedelta(seconds=5)
MAX_RETRIES = 4
RETRY_TIMEOUT = timedelta(seconds=15)
"""After this no request is tried again: a client is told that the store is away, a stage is put off."""
PROBE_TIMEOUT = timedelta(seconds=2)
"""Most that is waited for a bucket of which one only wants to know whether it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """What leads into a bucket. What is None is found as AWS's own tools find it."""

    endpoint: str | None = None
    region: str | None = None
    key_id: SecretStr | None = None
    secret_key: SecretStr | None = None


def open_bucket(url: str, access: S3Access, *, retry: bool = True) -> Store:
    """The bucket of `s3://bucket/prefix`; nothing is asked of it yet."""
    keys = {"access_key_id": access.key_id, "secret_access_key": access.secret_key}
    config = {name: key.get_secret_value() for name, key in keys.items() if key is not None}
    if access.region is not None:
        config["region"] = access.region
    if access.endpoint is not None:
        config["endpoint"] = access.endpoint
    plain = access.endpoint is not None and access.endpoint.startswith("http://")
    return S3Store.from_url(
        url,
        config=config,  # type: ignore[arg-type]
        client_options={**_timeouts(retry), **({"allow_http": True} if plain else {})},
        retry_config={"max_retries": MAX_RETRIES if retry else 0, "retry_timeout": RETRY_TIMEOUT},
    )


def _timeouts(retry: bool) -> ClientConfig:
    return (
        {"connect_timeout": CONNECT_TIMEOUT} if retry else {"connect_timeout": PROBE_TIMEOUT, "timeout": PROBE_TIMEOUT}
    )
