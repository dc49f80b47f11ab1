import pytest

from training.cohort import CohortRow, ManifestError, read_manifest, write_manifest

ROW = CohortRow(
    person="p1",
    family="f1",
    role="parent",
    outcome="none",
    recording="audio/p1.flac",
    transcript="transcripts/p1.vtt",
)


def test_a_manifest_reads_back_as_written(tmp_path):
    rows = (ROW, ROW.model_copy(update={"person": "p2", "role": "offspring", "carrier": "audio"}))
    assert read_manifest(write_manifest(tmp_path / "manifest.csv", rows)) == rows


def test_an_empty_manifest_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="no row"):
        read_manifest(write_manifest(tmp_path / "manifest.csv", ()))


def test_a_wrong_line_is_named_without_quoting_it(tmp_path):
    path = write_manifest(tmp_path / "manifest.csv", (ROW,))
    path.write_text(path.read_text().replace("parent", "grandmother"))
    with pytest.raises(ManifestError, match=r"line 2 .* columns role") as refusal:
        read_manifest(path)
    assert "grandmother" not in str(refusal.value)
