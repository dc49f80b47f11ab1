import io
import shutil
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from rich.console import Console

from model.config import SegmentSettings
from model.encoders.runtime import RuntimeOptions
from model.recording.options import RecordingOptions
from tests.training.counting import CountingEncoder
from training.cohort.cohort import Cohort
from training.cohort.manifest import read_cohort
from training.encoding.cohort import EncoderPair, precompute
from training.encoding.parallel import EncodingWorkerSettings, fill_feature_store
from training.errors import CohortEncodingError

EXAMPLE = Path("examples/cohort")
OUTCOMES = ("none", "depressive", "bipolar", "psychotic")


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    """Two recordings of the example cohort: one whole, and one of which the transcript is left."""
    first, second = read_cohort(EXAMPLE / "manifest.csv").rows[:2]
    shutil.copytree(EXAMPLE, tmp_path / "cohort")
    return Cohort(root=tmp_path / "cohort", rows=(first, replace(second, recording=None)), tasks=("spectrum",))


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO())


def pair(speech: str = "first", text: str = "first") -> EncoderPair:
    return EncoderPair(speech=CountingEncoder("speech", speech), text=CountingEncoder("text", text, dim=2))


@pytest.fixture
def encode(tmp_path: Path, console: Console):
    """`encode(cohort, pair)` into a store that its calls share: the recordings, and what either encoder was asked."""

    def run(cohort: Cohort, encoders: EncoderPair, settings: SegmentSettings | None = None):
        found = precompute(
            cohort,
            store=tmp_path / "store",
            encoders=encoders,
            settings=settings or SegmentSettings(),
            console=console,
        )
        return found, tuple(cast(CountingEncoder, encoder).encoded for encoder in (encoders.speech, encoders.text))

    return run


def test_naming_another_participant_encodes_the_recording_anew(cohort: Cohort, encode) -> None:
    as_labelled = encode(cohort, pair())[0][1]
    other = replace(cohort.rows[1], options=RecordingOptions(participant=("Interviewer",)))
    as_named = encode(replace(cohort, rows=(cohort.rows[0], other)), pair())[0][1]
    assert as_named.quality.words != as_labelled.quality.words


def test_the_track_of_a_row_is_read(cohort: Cohort, encode) -> None:
    shutil.copyfile("tests/model/recording/cases/two_tracks.mkv", cohort.root / "tracks.mkv")
    rows = tuple(
        replace(cohort.rows[0], recording="tracks.mkv", transcript=None, options=RecordingOptions(audio_track=number))
        for number in (1, 2)
    )
    first, second = encode(replace(cohort, rows=rows), pair())[0]
    assert first.quality.level_dbfs != second.quality.level_dbfs


def recordings(store: Path) -> list[Path]:
    return list(store.glob("*.features"))


def text_alone(cohort: Cohort) -> Cohort:
    return cohort.take([1])


def test_a_recording_is_encoded_with_all_that_an_evaluation_reports(cohort, encode):
    (whole, text), (spoken, written) = encode(cohort, pair())
    assert (whole.row, text.row) == (0, 1)
    assert spoken == whole.quality.segments == len(whole.features.times)
    assert written == whole.quality.segments + text.quality.segments
    assert 30 < whole.seconds < 90
    assert 20 < whole.speech_seconds < whole.seconds
    assert whole.snr > 10
    assert (whole.abstains, whole.flags) == (False, ())


def test_a_missing_modality_is_masked_and_flagged(cohort, encode):
    ((found,), asked) = encode(text_alone(cohort), pair())
    assert (found.features.audio_mask.any(), found.features.text_mask.all(), asked[0]) == (False, True, 0)
    assert found.features.audio.shape[1] == 3
    assert (found.snr, found.speech_seconds, found.abstains) == (None, 0.0, False)
    assert [flag.code for flag in found.flags] == ["audio_missing"]


def test_audio_alone_is_encoded_too(cohort, encode):
    row = replace(cohort.rows[0], transcript=None)
    ((found,), asked) = encode(replace(cohort, rows=(row,)), pair())
    assert (found.features.audio_mask.all(), found.features.text_mask.any(), asked[1]) == (True, False, 0)


def test_what_was_encoded_is_not_encoded_again(cohort, encode):
    first, _ = encode(cohort, pair())
    again, asked = encode(cohort, pair())
    assert asked == (0, 0)
    for one, other in zip(first, again, strict=True):
        assert one.quality == other.quality
        np.testing.assert_array_equal(one.features.audio, other.features.audio)
        np.testing.assert_array_equal(one.features.text_mask, other.features.text_mask)


def test_a_stopped_run_goes_on_where_it_was_stopped(cohort, encode):
    encode(cohort.take([0]), pair())
    _, (spoken, written) = encode(cohort, pair())
    assert (spoken, written > 0) == (0, True)


@pytest.mark.parametrize("damage", [lambda kept: kept[: len(kept) // 2], lambda kept: kept[:-1] + b"?"])
def test_a_damaged_file_is_made_again(cohort, encode, tmp_path, damage):
    encode(text_alone(cohort), pair())
    (kept,) = recordings(tmp_path / "store")
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    ((found,), _) = encode(text_alone(cohort), pair())
    assert found.features is not None
    assert kept.read_bytes() == whole


def test_another_encoder_another_cut_or_another_transcript_is_encoded_anew(cohort, encode):
    one = text_alone(cohort)
    encode(one, pair())
    transcript = one.transcript(0)
    assert encode(one, pair(text="second"))[1][1] > 0
    assert encode(one, pair(), SegmentSettings(participant_only=False))[1][1] > 0
    transcript.write_text(transcript.read_text().replace("I ", "we "))
    assert encode(one, pair())[1][1] > 0
    assert encode(one, pair())[1][1] == 0


def test_an_encoder_is_reused_in_a_pair_with_another_encoder(cohort, encode):
    (first, _), (spoken, written) = encode(cohort, pair())
    (again, _), asked = encode(cohort, pair("second"))
    assert asked == (spoken, 0)
    np.testing.assert_array_equal(again.features.text, first.features.text)
    assert encode(cohort, pair("second", "second"))[1] == (0, written)


def test_without_its_vectors_a_store_is_as_good(cohort, encode, tmp_path):
    (whole, _), asked = encode(cohort, pair())
    (tmp_path / "store" / "segments.sqlite").write_bytes(b"no database at all" * 1000)
    assert encode(cohort, pair())[1] == (0, 0)
    recordings(tmp_path / "store")[0].unlink()
    recordings(tmp_path / "store")[0].unlink()
    (again, _), asked_again = encode(cohort, pair())
    assert asked_again == asked
    np.testing.assert_array_equal(again.features.audio, whole.features.audio)


def test_a_recording_under_another_name_and_at_another_place_is_known(cohort, encode):
    encode(cohort, pair())
    cohort.transcript(1).rename(cohort.root / "moved.vtt")
    moved = replace(cohort.rows[1], transcript="moved.vtt")
    (found,), asked = encode(replace(cohort, rows=(moved,)), pair())
    assert (found.row, asked) == (0, (0, 0))


def test_a_recording_that_abstains_has_no_features_and_a_reason(cohort, encode):
    (cohort.root / "short.txt").write_text("Hardly a word.")
    row = replace(cohort.rows[1], transcript="short.txt")
    for _ in range(2):
        (found,), asked = encode(replace(cohort, rows=(row,)), pair())
        assert (found.features, found.abstains, asked) == (None, True, (0, 0))
        assert found.flags[0].code == "text_too_short"


def test_all_unreadable_recordings_are_reported_once_the_others_are_done(cohort, encode, tmp_path):
    (cohort.root / "noise.opus").write_bytes(b"not audio at all")
    (cohort.root / "latin.txt").write_bytes("Grüße an alle, wie geht es".encode("latin-1"))
    broken = (
        replace(cohort.rows[0], recording="noise.opus", line=2),
        replace(cohort.rows[1], transcript="latin.txt", line=3),
        replace(cohort.rows[1], transcript="gone.txt", line=4),
        replace(cohort.rows[1], line=5),
    )
    with pytest.raises(CohortEncodingError) as refusal:
        encode(replace(cohort, rows=broken), pair())
    assert [(one.line, one.column) for one in refusal.value.problems] == [
        (2, "recording"),
        (3, "transcript"),
        (4, None),
    ]
    assert "latin" not in str(refusal.value)
    assert len(recordings(tmp_path / "store")) == 1


def test_workers_fill_the_store_and_leave_out_what_they_cannot_encode(cohort, encoders, tmp_path, console):
    (cohort.root / "latin.txt").write_bytes("Grüße an alle, wie geht es".encode("latin-1"))
    broken = replace(cohort.rows[1], transcript="latin.txt")
    settings = EncodingWorkerSettings(
        encoders=encoders, store=tmp_path / "store", segments=SegmentSettings(), options=RuntimeOptions(threads=1)
    )
    fill_feature_store(replace(cohort, rows=(cohort.rows[1], broken)), settings, workers=2, console=console)
    assert len(recordings(tmp_path / "store")) == 1
