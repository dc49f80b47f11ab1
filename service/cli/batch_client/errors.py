"""Why `hilbert batch` stops before its end, with what to tell and the status to end with (sysexits.h)."""

from __future__ import annotations

import os


class BatchCommandError(Exception):
    """Told to the user as it is; `status` is the command's exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


def invalid_input(message: str) -> BatchCommandError:
    """Something that the user gave has to be corrected first."""
    return BatchCommandError(message, os.EX_DATAERR)


def unreachable(message: str) -> BatchCommandError:
    """The service was not there for as long as we wait."""
    return BatchCommandError(message, os.EX_UNAVAILABLE)


def busy(message: str) -> BatchCommandError:
    """The service was there, but took nothing for as long as we wait."""
    return BatchCommandError(message, os.EX_TEMPFAIL)
