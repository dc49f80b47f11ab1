"""Every thread of the tests draws from a generator of its own.

Hypothesis seeds the generator behind the module `random` before each example, and puts it back afterwards. When its
state changes while a strategy draws, Hypothesis warns that the strategy used `random`. It cannot tell which thread did.
Our own threads do: beartype checks one item of a list or a tuple at each call, and asks `random` which one. The thread
of an encoder lives for some seconds after the last test that used the encoder, and makes such calls when it ends. So
any test with Hypothesis could fail for what another test had left behind.

The main thread keeps the generator that Hypothesis watches, and a strategy that uses `random` is still told. Other
threads can neither change that generator nor repeat what they drew when Hypothesis puts it back.
"""

import functools
import random
import threading
from collections.abc import Callable


class _Own(threading.local):
    """A generator for each thread that asks, seeded by the operating system."""

    def __init__(self) -> None:
        self.generator = random.Random()


def give_threads_their_own_generators() -> None:
    """Replace the functions of `random`; before a library takes one of them with `from random import ...`."""
    own = _Own()
    for name in random.__all__:
        function = getattr(random, name)
        if getattr(function, "__self__", None) is random._inst:
            setattr(random, name, _by_thread(function, own))


def _by_thread(function: Callable[..., object], own: _Own) -> Callable[..., object]:
    @functools.wraps(function)
    def draw(*args: object, **kwargs: object) -> object:
        if threading.get_ident() == threading.main_thread().ident:
            return function(*args, **kwargs)
        return getattr(own.generator, function.__name__)(*args, **kwargs)

    return draw
