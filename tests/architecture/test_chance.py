import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from beartype import beartype
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.errors import HypothesisDeprecationWarning

FUNCTIONS = [name for name in random.__all__ if not isinstance(getattr(random, name), type)]
ARGUMENTS: dict[str, tuple[object, ...]] = {
    "betavariate": (1.0, 1.0),
    "binomialvariate": (3,),
    "choice": ("ab",),
    "choices": ("ab",),
    "expovariate": (1.0,),
    "gammavariate": (1.0, 1.0),
    "gauss": (0.0, 1.0),
    "getrandbits": (8,),
    "lognormvariate": (0.0, 1.0),
    "normalvariate": (0.0, 1.0),
    "paretovariate": (1.0,),
    "randbytes": (3,),
    "randint": (1, 6),
    "randrange": (6,),
    "sample": ("abc", 2),
    "setstate": (random.Random(1).getstate(),),
    "triangular": (0.0, 1.0),
    "uniform": (0.0, 1.0),
    "vonmisesvariate": (0.0, 1.0),
    "weibullvariate": (1.0, 1.0),
}


def aside(function: Callable[..., object], *args: object) -> object:
    """What a function returns in another thread."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(function, *args).result()


def arguments_of(name: str) -> tuple[object, ...]:
    return ([1, 2, 3],) if name == "shuffle" else ARGUMENTS.get(name, ())


@beartype
def longest(texts: list[str]) -> int:
    return max(map(len, texts))


@st.composite
def numbers_beside(draw: st.DrawFn, function: Callable[..., object], *args: object) -> int:
    """Numbers; while one is drawn, another thread calls a function."""
    aside(function, *args)
    return draw(st.integers())


@given(numbers_beside(random.random), st.data())
def test_a_thread_that_draws_disturbs_no_strategy(number: int, data: st.DataObject) -> None:
    assert isinstance(number + data.draw(numbers_beside(random.random)), int)


@given(numbers_beside(longest, ["one", "three"]))
def test_nor_does_a_thread_whose_calls_are_checked(number: int) -> None:
    assert isinstance(number, int)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_of_another_thread_changes_what_hypothesis_watches(name: str) -> None:
    before = random.getstate()
    aside(getattr(random, name), *arguments_of(name))
    assert random.getstate() == before


def test_a_thread_does_not_repeat_what_it_drew_when_hypothesis_puts_its_generator_back() -> None:
    before = random.getstate()
    drawn = {aside(random.getrandbits, 128)}
    random.setstate(before)
    drawn.add(aside(random.getrandbits, 128))
    assert len(drawn) == 2


def test_a_strategy_that_uses_the_module_itself_is_told() -> None:
    @given(st.builds(random.random))
    def draw(number: float) -> None:
        assert number < 1

    with pytest.raises(HypothesisDeprecationWarning, match="random"):
        draw()
