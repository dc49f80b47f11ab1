"""The service as `make up` started it: these tests look at it from outside and are run by `make journey`."""

import functools
from collections.abc import Iterator

import httpx
import pytest

from tests.docker.stack import Stack


@functools.cache
def started() -> Stack:
    stack = Stack()
    if missing := stack.missing():
        pytest.exit(f"`make up` starts what these tests look at; not running: {', '.join(missing)}", returncode=2)
    return stack


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The running stack."""
    return started()


@pytest.fixture(scope="session")
def client(stack: Stack) -> Iterator[httpx.Client]:
    """A client of the proxy with a key of its own tenant."""
    with stack.client(stack.new_key("journey")) as http:
        yield http
