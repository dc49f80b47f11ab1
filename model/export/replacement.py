"""Replacement of a folder by one that was made beside it."""

from __future__ import annotations

from pathlib import Path


def replace_folder(target: Path, made: Path) -> None:
    """Move `made` to `target`. What stood there is left beside `made`, or stands there again if the move fails.

    `made` is in a scratch folder of the same file system, which the caller removes.
    """
    if not target.exists():
        made.rename(target)
        return
    # A rename cannot replace a folder that holds files.
    replaced = target.rename(made.with_name("replaced"))
    try:
        made.rename(target)
    except OSError:
        replaced.rename(target)
        raise
