from pathlib import Path

import numpy as np
import pytest

from training.cohort.cohort import MISSING, Cohort, CohortRow
from training.errors import ManifestError


def row(number, role=None, **rest):
    given = {"recording": f"{number}.flac", "transcript": None, **rest}
    return CohortRow(person=f"p{number}", family="f1", role=role, line=number + 2, **given)


COHORT = Cohort(
    root=Path("cohort"),
    rows=(
        row(0, "parent", labels={"spectrum": "none"}, age=50.0),
        row(1, "offspring", labels={"spectrum": "mild"}, recording=None, transcript="1.vtt"),
        row(2),
    ),
    tasks=("spectrum",),
)


def test_labels_follow_the_order_of_the_outcomes_and_a_missing_one_is_minus_one():
    labels = COHORT.labels("spectrum", ["mild", "none"])
    assert labels.dtype == np.int64
    assert labels.tolist() == [1, 0, MISSING]


def test_a_label_that_is_no_outcome_is_refused_with_its_line():
    with pytest.raises(ManifestError, match="line 3, column label_spectrum") as refusal:
        COHORT.labels("spectrum", ["none", "severe"])
    assert len(refusal.value.problems) == 1


def test_a_task_without_a_column_is_refused_with_those_there_are():
    with pytest.raises(ManifestError, match=r"column label_mood: .* label_spectrum"):
        COHORT.labels("mood", ["none"])


def test_parents_and_offspring_are_taken_apart():
    assert COHORT.with_role("parent").persons == ("p0",)
    assert COHORT.with_role("offspring").persons == ("p1",)
    assert COHORT.with_role(None) == COHORT


def test_rows_are_selected_in_the_requested_order():
    assert COHORT.take([2, 0]).persons == ("p2", "p0")
    assert COHORT.take([2, 0]).tasks == ("spectrum",)


def test_files_lie_below_the_manifest_and_a_missing_modality_has_none():
    assert COHORT.audio(0) == Path("cohort/0.flac")
    assert COHORT.transcript(0) is None
    assert (COHORT.audio(1), COHORT.transcript(1)) == (None, Path("cohort/1.vtt"))


def test_an_unknown_age_is_not_a_number():
    assert np.isnan(COHORT.ages).tolist() == [False, True, True]


def test_the_outcomes_that_occur_are_named():
    assert COHORT.outcomes("spectrum") == ("mild", "none")
