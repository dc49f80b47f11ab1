import pytest


def row(number, *, family="f1", recording="", transcript=""):
    return f"p{number},{family},{recording},{transcript},none,,40,male"


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("nothing.flac", "there is no such file"),
        ("A.flac", "there is no such file"),
        ("sub", "there is no such file"),
        ("empty.flac", "the file is empty"),
        ("/etc/hostname", "the path is absolute"),
        ("C:/sounds/a.flac", "the path is absolute"),
        ("sub\\a.flac", "the path has backslashes"),
        ("../a.flac", "the path leads out of the manifest's folder"),
        ("sub/../../a.flac", "the path leads out of the manifest's folder"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(folder, errors_of, path, wrong):
    folder.put("empty.flac", b"")
    folder.put("sub/g.flac")
    assert errors_of(row(1, recording=path)) == [(2, "recording", wrong)]
    assert errors_of(row(1, recording="a.flac", transcript=path)) == [(2, "transcript", wrong)]


def test_a_path_may_wander_inside_the_folder(folder, errors_of):
    folder.put("sub/g.flac")
    assert errors_of(row(1, recording="sub/../sub/g.flac")) == []


@pytest.mark.parametrize(("column", "suffix"), [("recording", "flac"), ("transcript", "vtt")])
def test_families_that_share_a_recording_must_be_joined(folder, errors_of, column, suffix):
    folder.put(f"copy.{suffix}", (folder.path / f"a.{suffix}").read_bytes())
    lines = [row(1, **{column: f"a.{suffix}"}), row(2, family="f2", **{column: f"copy.{suffix}"})]
    assert errors_of(*lines) == [(3, column, f"two families share one {column}")]
    assert "lines 2, 3" in folder.inspect(*lines).errors[0].advice


def test_a_family_may_share_a_recording(folder, errors_of):
    assert errors_of(row(1, recording="a.flac"), row(2, recording="a.flac")) == []


def test_a_recording_that_stands_twice_is_refused(folder, errors_of):
    folder.put("copy.flac", (folder.path / "a.flac").read_bytes())
    assert errors_of(row(1, recording="a.flac"), row(1, recording="copy.flac")) == [
        (3, "recording", "the recording of one person occurs twice")
    ]


def test_files_of_equal_size_and_different_content_are_different(errors_of):
    assert errors_of(row(1, recording="a.flac"), row(2, family="f2", recording="b.flac")) == []
