"""The service's view of a real, if untrained, bundle."""

import wave

import numpy as np
import pytest

from service.cli.assessing import assess_material
from service.errors import ConfigurationRefused
from service.settings import Settings
from service.worker.assessing import open_assessor
from service.worker.assessor import MaterialUnusable

WORDS = b"I slept badly this week. We went for a walk by the river. Work was fine, thank you. Not much, really."


@pytest.fixture(scope="module")
def real(small_bundle):
    assessor = open_assessor(Settings(bundle=small_bundle, threads=1))
    assessor.warm_up()
    return assessor


def test_the_model_is_told_in_the_services_words(real):
    assert (real.model.bundle, real.model.demonstration) == ("small", True)
    assert [(task.name, task.outcomes) for task in real.model.tasks] == [("spectrum", ("none", "mild", "severe"))]
    assert real.trace.digest == real.model.digest
    assert real.trace.encoders == real.model.encoders


def test_a_transcript_becomes_a_result(real, tmp_path):
    preparation = real.prepare(None, WORDS, tmp_path)
    chunks = list(preparation.chunks)
    result = real.score(preparation.summary, [real.encode(chunk.content) for chunk in chunks], "spectrum")
    assert sum(item.probability for item in result.probabilities) == pytest.approx(1)
    assert result.outcome in ("none", "mild", "severe")
    assert sum(chunk.segments for chunk in chunks) == result.quality.segments
    assert result.model == real.trace


def test_silence_abstains_without_chunks(real, tmp_path):
    silence = tmp_path / "silence.wav"
    with wave.open(str(silence), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.zeros(16_000 * 12, dtype=np.int16).tobytes())
    result = assess_material(real, silence, None, "spectrum")
    assert result.outcome is None
    assert any(flag.hard for flag in result.quality.flags)


def test_unreadable_audio_is_unusable_material(real, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF\x00\x00\x00\x00WAVE" + b"x" * 100)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(MaterialUnusable) as refusal:
        real.prepare(broken, None, scratch)
    assert refusal.value.code.startswith("audio_")
    assert refusal.value.advice


def test_a_missing_bundle_is_refused(tmp_path):
    with pytest.raises(ConfigurationRefused, match="bundle"):
        open_assessor(Settings(bundle=tmp_path / "nowhere"))
