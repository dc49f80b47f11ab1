import pytest


@pytest.mark.parametrize("age", ["0", "34", "34.5", "120"])
def test_an_age_in_years_is_read(folder, age):
    assert folder.inspect(f"p1,f1,a.flac,,none,,{age},").cohort.rows[0].age == float(age)


@pytest.mark.parametrize("age", ["120.5", "999"])
def test_an_impossible_age_is_refused(errors_of, age):
    assert errors_of(f"p1,f1,a.flac,,none,,{age},") == [(2, "age", "this is not between 0 and 120")]


@pytest.mark.parametrize("age", ["-3", "34 years", '"34,5"', "1e1", "inf", "1_0", "²"])
def test_an_age_that_is_no_number_is_refused(errors_of, age):
    assert errors_of(f"p1,f1,a.flac,,none,,{age},") == [(2, "age", "this is not a number")]


@pytest.mark.parametrize("role", ["Parent", "child", "mother"])
def test_a_role_that_is_none_is_refused(errors_of, role):
    assert errors_of(f"p1,f1,a.flac,,none,{role},30,") == [(2, "role", "this is not a role")]


def test_a_row_with_neither_modality_is_refused(errors_of):
    assert errors_of("p1,f1,,,none,,,") == [(2, None, "neither a recording nor a transcript is named")]


@pytest.mark.parametrize(("line", "column"), [(",f1,a.flac,,none,,,", "person"), ("p1,,a.flac,,none,,,", "family")])
def test_a_row_without_a_person_or_a_family_is_refused(errors_of, line, column):
    assert errors_of(line) == [(2, column, "the cell is empty")]


def test_a_column_that_is_missing_is_missed_once_and_not_in_every_row(errors_of):
    missed = errors_of("f1,a.flac,none", "f2,b.flac,none", header="family,recording,label_spectrum")
    assert missed == [(None, "person", "the column is missing"), (None, "transcript", "the column is missing")]


@pytest.mark.parametrize("stand_in", ["NA", "n/a", "NaN", "?", "-"])
def test_what_programs_write_for_unknown_is_not_taken_for_an_outcome(errors_of, stand_in):
    assert errors_of(f"p1,f1,a.flac,,{stand_in},,,") == [(2, "label_spectrum", "this is a placeholder")]


def test_an_outcome_called_none_is_an_outcome(folder):
    assert folder.inspect("p1,f1,a.flac,,none,,,").cohort.rows[0].labels == {"spectrum": "none"}


def test_two_forms_of_one_name_are_one_person(folder):
    cohort = folder.inspect("Zo\u00eb,f1,a.flac,,none,,,", "Zoe\u0308,f1,b.flac,,none,,,").cohort
    assert len(set(cohort.persons)) == 1
