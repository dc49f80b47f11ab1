"""The settings of one command, and how a command exits when it cannot run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Never

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from service.errors.tree import ConfigurationRefused
from service.settings import Settings


def read_settings(**overrides: object) -> Settings:
    """The settings of the environment, overridden by those that are not None; exits with the reasons if invalid."""
    try:
        return Settings.model_validate({name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        reasons = [
            f"{'.'.join(map(str, problem['loc'])) or 'settings'}: {problem['msg']}" for problem in error.errors()
        ]
        exit_with("\n".join(reasons))
    except SettingsError as error:  # its message names the setting without its value
        exit_with(f"{error}: the value has to be JSON.")


@contextmanager
def exit_on_refusal() -> Iterator[None]:
    """Exit with the reason when the block raises ConfigurationRefused."""
    try:
        yield
    except ConfigurationRefused as error:
        exit_with(error.detail)


def exit_with(reason: str) -> Never:
    """Print the reason on standard error and exit with EX_CONFIG."""
    Console(stderr=True, soft_wrap=True).print(reason, markup=False, highlight=False)
    raise typer.Exit(os.EX_CONFIG)


def raise_interrupt(_number: int, _frame: object) -> None:
    """Signal handler: end the command as Ctrl-C does."""
    raise KeyboardInterrupt
