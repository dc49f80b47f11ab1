"""Recordings for the tests of segments."""

import numpy as np
import pytest

from model.config import AudioLimits, QualitySettings, SegmentSettings
from model.recording.audio import Audio
from model.recording.decoding import decode
from model.recording.recording import Recording
from model.recording.transcript import Transcript, Utterance
from model.segments.cutting import segment


@pytest.fixture(scope="session")
def spoken_audio(tmp_path_factory, spoken, write_audio):
    """The spoken minutes, decoded."""
    folder = tmp_path_factory.mktemp("audio")
    source = write_audio(folder / "spoken.wav", spoken.sound, "wav")
    return decode(source, folder / "scratch.pcm", AudioLimits())


@pytest.fixture
def audio_of(tmp_path):
    """Audio of float levels at 16 kHz."""

    def make(levels, **counts):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.pcm"
        path.write_bytes((np.clip(levels, -1, 1) * 32767).astype("<i2").tobytes())
        return Audio(path=path, samples=len(levels), source_samples=len(levels), **counts)

    return make


@pytest.fixture
def cut():
    """`cut(audio, [(start, end, text, speaker), ...])` with the default settings or others."""

    def run(audio=None, rows=None, **settings):
        transcript = rows and Transcript(
            utterances=tuple(Utterance(start=a, end=b, text=text, speaker=who) for a, b, text, who in rows)
        )
        recording = Recording(audio=audio, transcript=transcript or None)
        return segment(recording, SegmentSettings(**settings), QualitySettings())

    return run
