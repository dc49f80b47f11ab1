"""Errors that end `hilbert batch`, with their message and exit status (sysexits.h)."""

from __future__ import annotations

import os


class BatchCommandError(Exception):
    """Ends the command; `message` is printed as it is and `status` is the exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


def invalid_input(message: str) -> BatchCommandError:
    """The input of the user has to be corrected."""
    return BatchCommandError(message, os.EX_DATAERR)


def unreachable(message: str) -> BatchCommandError:
    """The service did not answer within the retry timeout."""
    return BatchCommandError(message, os.EX_UNAVAILABLE)


def busy(message: str) -> BatchCommandError:
    """The service answered with retryable errors for the whole retry timeout."""
    return BatchCommandError(message, os.EX_TEMPFAIL)
