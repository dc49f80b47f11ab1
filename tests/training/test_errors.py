import inspect
import re

import pytest

import training.errors as tree


def classes(base=tree.TrainingError):
    yield base
    for child in base.__subclasses__():
        yield from classes(child)


def test_the_drawing_names_every_error_of_training():
    names = {error.__name__ for error in classes() if error.__module__ == "training.errors"}
    assert set(re.findall(r"\b(\w+Error)\b", tree.__doc__)) == names


@pytest.mark.parametrize("error", list(classes()))
def test_every_error_is_declared_in_the_tree(error):
    assert error.__module__ == "training.errors"
    assert inspect.getdoc(error)
