"""Access to an S3 bucket: location, keys, timeouts and retries."""

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
"""No request is retried after this: a client gets 503, and a stage is postponed."""
PROBE_TIMEOUT = timedelta(seconds=2)
"""Timeout of a health check, which is not retried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Access:
    """Endpoint, region and keys of a bucket; for what is None, the defaults of AWS's own tools apply."""

    endpoint: str | None = None
    region: str | None = None
    key_id: SecretStr | None = None
    secret_key: SecretStr | None = None


def open_bucket(url: str, access: S3Access, *, retry: bool = True) -> Store:
    """The bucket of `s3://bucket/prefix`; sends no request yet."""
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
