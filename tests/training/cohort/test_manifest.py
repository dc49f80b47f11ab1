import pytest

from model.recording.options import NO_OPTIONS, RecordingOptions
from training.cohort.cohort import MISSING, CohortRow
from training.cohort.manifest import CohortRequirements, inspect_manifest, read_cohort, write_manifest
from training.errors import ManifestError

ROWS = (
    CohortRow(
        person="p1",
        family="f1",
        recording="a.flac",
        transcript="a.vtt",
        role="parent",
        labels={"spectrum": "none"},
        age=51.5,
        sex="female",
        site="north",
        device="phone",
        notes={"carrier": "both, they say"},
    ),
    CohortRow(person="p2", family="f1", recording=None, transcript="b.vtt", notes={"carrier": ""}),
)


def test_a_manifest_reads_back_as_written(folder):
    manifest = write_manifest(folder.path / "manifest.csv", ROWS, tasks=["spectrum"], notes=["carrier"])
    cohort = read_cohort(manifest)
    assert (cohort.rows, cohort.root, cohort.tasks) == (ROWS, folder.path, ("spectrum",))
    assert [row.line for row in cohort.rows] == [2, 3]


def test_a_label_that_the_manifest_has_no_column_for_is_not_written(folder):
    with pytest.raises(ValueError, match="label_spectrum"):
        write_manifest(folder.path / "manifest.csv", ROWS, tasks=[], notes=["carrier"])


def test_a_row_says_who_of_the_speakers_is_the_person(folder):
    columns = (
        "person,family,recording,transcript,label_spectrum,participant,interviewer,audio_track,participant_channel"
    )
    (folder.path / "manifest.csv").write_text(
        f"{columns}\np1,f1,a.flac,a.vtt,none,Ann|Ben,SPEAKER_00,2,1\np2,f2,,b.vtt,mild,,,,\n", encoding="utf-8"
    )
    first, second = read_cohort(folder.path / "manifest.csv").rows
    assert first.options == RecordingOptions(
        participant=("Ann", "Ben"), interviewer=("SPEAKER_00",), audio_track=2, participant_channel=1
    )
    assert second.options == NO_OPTIONS


def test_a_track_or_channel_is_a_number_from_one_on(folder):
    columns = "person,family,recording,transcript,label_spectrum,audio_track,participant_channel"
    manifest = folder.path / "manifest.csv"
    manifest.write_text(f"{columns}\np1,f1,a.flac,a.vtt,none,0,left\n", encoding="utf-8")
    problems = inspect_manifest(manifest, CohortRequirements()).errors
    assert [(problem.line, problem.column) for problem in problems] == [(2, "audio_track"), (2, "participant_channel")]


def test_all_problems_are_reported_together_with_errors_first_in_file_order(folder):
    inspection = folder.inspect(
        "p1,f1,a.flac,a.vtt,none,parent,200,female",
        "p2,,missing.flac,,none,parnt,34,male",
        "p1,f2,c.flac,,mild,offspring,20,female",
    )
    assert [(one.line, one.column, one.warning) for one in inspection.problems] == [
        (2, "age", False),
        (3, "family", False),
        (3, "recording", False),
        (3, "role", False),
        (4, "family", False),
        (None, "label_spectrum", True),
        (None, "label_spectrum", True),
        (4, "label_spectrum", True),
    ]


def test_a_cohort_with_an_error_is_refused_with_all_of_them(folder):
    manifest = folder.manifest("p1,f1,a.flac,,none,parent,x,", "p2,f2,nothing.flac,,none,parent,30,")
    with pytest.raises(ManifestError, match=r"line 2, column age: (.|\n)*line 3, column recording: ") as refusal:
        read_cohort(manifest)
    assert len(refusal.value.problems) == 2


def test_warnings_refuse_nothing(folder):
    inspection = folder.inspect("p1,f1,a.flac,,none,,,")
    assert inspection.problems
    assert inspection.errors == ()
    assert len(read_cohort(folder.path / "manifest.csv")) == 1


def test_a_message_repeats_neither_cells_nor_words(folder):
    inspection = folder.inspect(
        "Jane Doe,f1,C:\\Jane\\a.flac,a.vtt,secretly,grandmother,born 1950,",
        "Jane Doe,f2,b.flac,a.vtt,mild,,,",
        wanted=CohortRequirements(task="spectrum", outcomes=("none",)),
    )
    said = "\n".join(str(problem) for problem in inspection.problems)
    assert len(inspection.errors) >= 6
    for word in ("Jane", "grandmother", "1950", "secret"):
        assert word not in said


def test_a_manifest_without_a_row_is_refused(folder):
    assert [error.detail for error in folder.inspect().errors] == ["it has no row"]


def test_a_manifest_that_is_not_there_is_a_problem_not_a_crash(folder):
    inspection = inspect_manifest(folder.path / "nowhere.csv", CohortRequirements())
    assert [error.detail for error in inspection.errors] == ["it cannot be opened"]
    assert inspection.cohort.rows == ()


def test_a_workbook_is_distinguished_from_a_table(folder):
    inspection = inspect_manifest(folder.write(b"PK\x03\x04workbook"), CohortRequirements())
    assert [error.detail for error in inspection.errors] == ["this is an Excel workbook"]
    assert "CSV UTF-8" in inspection.errors[0].advice


def test_only_the_requested_role_is_counted_but_every_row_is_checked(folder):
    inspection = folder.inspect(
        "p1,f1,a.flac,,none,parent,50,female",
        "p2,f1,b.flac,,mild,offspring,200,male",
        wanted=CohortRequirements(role="parent"),
    )
    assert inspection.cohort.persons == ("p1",)
    assert [error.line for error in inspection.errors] == [3]
    assert {one.detail for one in inspection.problems if one.warning} == {"the outcome none is in 1 family"}


def test_a_role_without_documents_is_refused(errors_of):
    assert errors_of("p1,f1,a.flac,,none,parent,50,", wanted=CohortRequirements(role="offspring")) == [
        (None, "role", "no row has the role offspring")
    ]


def test_a_missing_label_stays_missing(folder):
    cohort = folder.inspect("p1,f1,a.flac,,,,,", "p2,f2,b.flac,,none,,,").cohort
    assert cohort.labels("spectrum", ["none"]).tolist() == [MISSING, 0]
