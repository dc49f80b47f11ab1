"""Which version of the service this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def service_version() -> str:
    """The version of this installation; 0.0.0 where the source alone is there."""
    try:
        return version("hilbert-service")
    except PackageNotFoundError:
        return "0.0.0"
