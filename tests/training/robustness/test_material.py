import json
from pathlib import Path

import numpy as np

from model.recording.options import NO_OPTIONS, RecordingOptions
from model.recording.utterance import Utterance
from training.robustness.material import RecordingMaterial, read_material, write_transcript, write_wave


def said(start, end, text="a b", speaker="Ann"):
    return Utterance(start=float(start), end=float(end), text=text, speaker=speaker)


def test_samples_survive_writing_and_reading(tmp_path):
    samples = (0.001 * np.random.default_rng(0).standard_normal(16_000)).astype(np.float32)
    read = read_material(write_wave(tmp_path / "a.wav", samples), None, NO_OPTIONS, tmp_path)
    assert len(read.samples) == 16_000
    assert np.abs(read.samples - samples).max() < 2**-15


def test_the_track_of_the_options_is_read(tmp_path):
    tracks = Path("tests/model/recording/cases/two_tracks.mkv")
    first, second = (
        read_material(tracks, None, RecordingOptions(audio_track=number), tmp_path).samples for number in (1, 2)
    )
    assert not np.array_equal(first, second)


def test_a_part_holds_the_samples_and_the_utterances_of_its_time():
    material = RecordingMaterial(
        samples=np.arange(64_000, dtype=np.float32), utterances=(said(0, 1), said(1.5, 2.2), said(2.5, 3.5))
    )
    half = material.between(2.0, 4.0)
    assert half.samples[0] == 32_000
    assert len(half.samples) == 32_000
    assert [(each.start, each.end) for each in half.utterances] == [(0.5, 1.5)]
    assert [(each.start, each.end) for each in material.between(0.0, 2.0).utterances] == [(0, 1), (1.5, 2)]
    assert material.seconds == 4


def test_a_transcript_is_written_as_clients_send_it():
    untimed = Utterance(start=None, end=None, text="yes", speaker=None)
    assert json.loads(write_transcript([said(0, 1), untimed])) == {
        "utterances": [{"start": 0, "end": 1, "speaker": "Ann", "text": "a b"}, {"text": "yes"}]
    }
