from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.segments.quality import RecordingFlag, RecordingQuality
from tests.training.planted import plant_document
from training.cohort.cohort import Cohort, CohortRow
from training.encoding.encoded_recording import EncodedRecording
from training.folds.nested import FoldSettings
from training.protocol.experiment import NoTrainingDocumentsError, make_experiment, selection_problems

TASKS = {"spectrum": ("none", "ill"), "sleep": ("good", "bad")}
POOR = RecordingFlag(code="too_little_speech", hard=True, message="Too little speech.")


def quality(*flags, snr=20.0):
    return RecordingQuality(
        duration_seconds=60.0, speech_seconds=40.0, segments=3, words=90, snr_db=snr, clipping=0.0, flags=flags
    )


def row(number, **changes):
    given = {
        "person": f"p{number}",
        "family": f"f{number // 2}",
        "recording": f"{number}.flac",
        "transcript": None,
        "labels": {"spectrum": TASKS["spectrum"][number // 2 % 2]},
        "role": "parent" if number % 2 else "offspring",
        "age": 20.0 + number,
        "sex": "female",
    }
    return CohortRow(**(given | changes))


def cohort(*rows):
    return Cohort(
        root=Path("nowhere"), rows=rows or tuple(row(number) for number in range(24)), tasks=("spectrum", "sleep")
    )


def encode(number, **changes):
    given = {"row": number, "features": plant_document(number).features, "quality": quality()}
    return EncodedRecording(**(given | changes))


def test_documents_carry_the_labels_of_every_task():
    given = cohort(row(0, labels={"spectrum": "ill", "sleep": "bad"}), row(1, labels={"sleep": "good"}))
    found = make_experiment(given, [encode(0), encode(1)], TASKS)
    assert [dict(one.labels) for one in found.documents] == [{"spectrum": 1, "sleep": 1}, {"spectrum": -1, "sleep": 0}]
    assert found.task == "spectrum"


def test_recordings_too_poor_to_score_are_left_out_and_counted_by_reason():
    poor = encode(0, features=None, quality=quality(POOR))
    found = make_experiment(cohort(row(0), row(1), row(2)), [poor, encode(1), encode(2)], TASKS)
    assert [one.person for one in found.documents] == ["p1", "p2"]
    assert found.cohort.persons == ("p1", "p2")
    assert found.excluded == {"too poor to score: too little speech": 1}


def test_what_is_known_beside_the_features_is_in_the_order_of_the_documents():
    found = make_experiment(cohort(row(0), row(1)), [encode(0), encode(1, quality=quality(snr=None))], TASKS)
    covariates = found.covariates()
    assert covariates.age.tolist() == [20.0, 21.0]
    assert covariates.duration.tolist() == [60.0, 60.0]
    assert covariates.noise_ratio[0] == 20.0
    assert np.isnan(covariates.noise_ratio[1])
    assert found.subgroups() == {"role": ("offspring", "parent")}
    assert found.planted() is None


def test_a_cohort_without_a_label_has_nothing_to_train():
    with pytest.raises(NoTrainingDocumentsError, match="validate"):
        make_experiment(cohort(row(0, labels={"sleep": "good"})), [encode(0)], TASKS)


def test_every_outer_fold_is_a_problem_with_its_own_seed():
    found = make_experiment(cohort(), [encode(number) for number in range(24)], TASKS)
    folds = found.draw(FoldSettings(repeats=2, folds=2, inner=2))
    problems = selection_problems(folds)
    assert len({problem.seed for problem in problems}) == 4
    assert [problem.test for problem in problems] == [fold.test for fold in folds]


def test_the_digest_of_an_experiment_follows_its_labels():
    one = make_experiment(cohort(row(0), row(1)), [encode(0), encode(1)], TASKS)
    other = make_experiment(cohort(row(0), row(1, labels={"spectrum": "ill"})), [encode(0), encode(1)], TASKS)
    assert one.digest != other.digest
    assert replace(one).digest == one.digest
