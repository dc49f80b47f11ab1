"""The error handler of all verbs: a message and exit status 1 instead of a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console


def text_console() -> Console:
    """A console that neither wraps nor highlights, so that paths and digests can be copied."""
    return Console(soft_wrap=True, highlight=False)


@contextmanager
def refuse() -> Iterator[None]:
    """Turn an error of training or of the model into its message and exit status 1."""
    from model.errors import ModelError
    from training.cohort.report import print_problems
    from training.errors import CohortError, TrainingError

    try:
        yield
    except CohortError as error:
        print_problems(error.problems, Console())
        raise typer.Exit(1) from error
    except TrainingError as error:
        text_console().print(f"{error}.", markup=False)
        raise typer.Exit(1) from error
    except ModelError as error:
        text_console().print(f"{error.detail}. {error.advice}", markup=False)
        raise typer.Exit(1) from error
