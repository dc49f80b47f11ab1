from training.cohort.manifest import CohortRequirements

SPECTRUM = CohortRequirements(task="spectrum", outcomes=("none", "mild"))


def family(name, outcome, rest=",40,male"):
    return f"p{name},f{name},{name}.flac,,{outcome},{rest}"


def test_an_outcome_that_is_none_of_the_task_s_is_refused(errors_of, folder):
    lines = (family("a", "none"), family("b", "mld"))
    assert errors_of(*lines, wanted=SPECTRUM) == [(3, "label_spectrum", "this is not an outcome of the task")]
    assert "none, mild" in folder.inspect(*lines, wanted=SPECTRUM).errors[0].advice


def test_any_outcome_will_do_when_none_are_named(errors_of):
    assert errors_of(family("a", "none"), family("b", "mld")) == []


def test_outcomes_in_fewer_than_five_families_are_worth_a_warning(warnings_of):
    found = warnings_of(*(family(name, "none") for name in "abcde"), family("f", "mild"), wanted=SPECTRUM)
    assert found == [("label_spectrum", "the outcome mild is in 1 family")]


def test_an_outcome_without_documents_is_worth_a_warning(warnings_of):
    found = warnings_of(*(family(name, "none") for name in "abcde"), wanted=SPECTRUM)
    assert found == [("label_spectrum", "the outcome mild is in 0 families")]


def test_a_covariate_that_is_mostly_unknown_is_worth_a_warning(warnings_of):
    lines = [family(name, "none", ",40,male") for name in "ab"] + [family(name, "none", ",,male") for name in "cde"]
    assert warnings_of(*lines) == [("age", "it is known in 2 of 5 rows")]


def test_a_device_is_missed_only_where_others_are_known(warnings_of):
    header = "person,family,recording,transcript,label_spectrum,role,age,sex,site,device"
    lines = [family(name, "none", f",40,male,,{'phone' if name == 'a' else ''}") for name in "abcde"]
    assert warnings_of(*lines, header=header) == [("device", "it is known in 1 of 5 rows")]
