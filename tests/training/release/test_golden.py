import pytest

from model.bundle.manifest import Manifest, Task
from model.config import QualitySettings, SegmentSettings
from training.errors import GoldenUnusableError
from training.release.golden import cut_golden

TASK = Task(name="spectrum", outcomes=("none", "mild"))


@pytest.fixture
def manifest():
    return Manifest(
        name="x",
        version="0",
        demonstration=True,
        tasks=(TASK,),
        encoders={},
        segments=SegmentSettings(shortest=4.0, longest=9.0),
        quality=QualitySettings(least_speech=2.0, least_words=2),
        files={},
    )


def test_three_segments_of_different_lengths_are_cut(short_interview, manifest):
    audio, transcript = short_interview
    chunk = cut_golden(audio, transcript, manifest)
    assert len(chunk.segments) == 3
    seconds = [len(one.samples) / 16_000 for one in chunk.segments]
    assert all(length <= most for length, most in zip(seconds, (10, 7, 4), strict=True))
    assert len(set(seconds)) == 3
    assert all(one.text for one in chunk.segments)
    assert len(chunk.to_bytes()) < 1_000_000


def test_a_recording_without_words_is_refused(short_interview, manifest, tmp_path):
    (tmp_path / "words.txt").write_text("Well.")
    with pytest.raises(GoldenUnusableError, match="both speech and words"):
        cut_golden(short_interview[0], tmp_path / "words.txt", manifest)
