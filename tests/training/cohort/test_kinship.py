def test_a_person_in_two_families_is_refused(errors_of, folder):
    lines = ("p1,f1,a.flac,,none,,,", "p2,f2,b.flac,,none,,,", "p1,f2,c.flac,,none,,,")
    assert errors_of(*lines) == [(4, "family", "one person is in two families")]
    assert "lines 2, 4" in folder.inspect(*lines).errors[0].advice


def test_a_person_may_have_several_recordings(errors_of):
    assert errors_of("p1,f1,a.flac,,none,,,", "p1,f1,b.flac,,none,,,") == []


def test_families_whose_names_differ_in_capitals_alone_are_refused(errors_of):
    assert errors_of("p1,f1,a.flac,,none,,,", "p2,F1,b.flac,,none,,,") == [
        (3, "family", "names differ only in capitalisation")
    ]


def test_one_person_s_different_labels_are_worth_a_warning(warnings_of):
    found = warnings_of("p1,f1,a.flac,,none,,30,male", "p1,f1,b.flac,,mild,,33,male")
    assert ("label_spectrum", "one person has different labels") in found


def test_a_label_and_none_do_not_contradict(warnings_of):
    found = warnings_of("p1,f1,a.flac,,none,,30,male", "p1,f1,b.flac,,,,33,male")
    assert ("label_spectrum", "one person has different labels") not in found
