import pytest

from training.cohort.manifest import check_columns, notes_of, tasks_of

KNOWN = ("person", "family", "recording", "transcript", "label_spectrum")


def advice_for(name, task=None):
    (problem,) = check_columns((*KNOWN, name), task)
    assert problem.column == name
    return problem.advice


def test_the_columns_of_a_usual_manifest_are_in_order():
    assert list(check_columns((*KNOWN, "role", "age", "sex", "site", "device", "note_ward"), "spectrum")) == []


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("lable_spectrum", "label_spectrum"),
        ("labels_mood", "label_mood"),
        ("Label-Spectrum", "label_spectrum"),
        ("spectrum", "label_spectrum"),
        ("Sex", "sex"),
        ("ages", "age"),
        ("devcie", "device"),
        ("notes_ward", "note_ward"),
    ],
)
def test_a_typo_is_refused_with_the_name_that_was_meant(typo, meant):
    assert advice_for(typo).startswith(f"did you mean {meant}?")


def test_a_column_of_something_else_may_be_kept_as_a_note():
    assert advice_for("Ward Number") == "call it note_ward_number to keep it without using it"


def test_a_label_without_a_task_is_refused():
    assert "note_label" in advice_for("label_")


def test_each_column_that_must_be_there_is_missed():
    missed = [problem.column for problem in check_columns(("label_spectrum",), None)]
    assert missed == ["person", "family", "recording", "transcript"]


def test_a_task_without_labels_is_refused_with_the_nearest():
    (problem,) = check_columns((*KNOWN[:4], "label_spectrm"), "spectrum")
    assert (problem.column, problem.warning, problem.advice) == (
        "label_spectrum",
        False,
        "did you mean label_spectrm?",
    )


def test_a_cohort_without_any_labels_is_worth_a_warning():
    (problem,) = check_columns(KNOWN[:4], None)
    assert problem.warning


def test_tasks_and_notes_are_named_without_their_prefix():
    columns = (*KNOWN, "label_mood", "note_ward", "label_")
    assert (tasks_of(columns), notes_of(columns)) == (("spectrum", "mood"), ("ward",))
