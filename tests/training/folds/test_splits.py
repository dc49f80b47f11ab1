import pytest

from training.errors import FamilyLeakError
from training.folds.splits import Split, refuse_leaks


def test_a_family_across_parts_is_refused():
    leaky = Split(train=(0, 2), validation=(1,), test=())
    with pytest.raises(FamilyLeakError, match="1 families"):
        refuse_leaks(leaky, ["a", "a", "b"])


def test_whole_families_may_be_in_any_part():
    refuse_leaks(Split(train=(0, 1), validation=(2,), test=(3,)), ["a", "a", "b", "c"])
