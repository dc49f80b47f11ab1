"""The version of the service."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def service_version() -> str:
    """The installed version; 0.0.0 when the package is not installed."""
    try:
        return version("hilbert-service")
    except PackageNotFoundError:
        return "0.0.0"
