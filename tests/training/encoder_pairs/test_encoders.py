import pytest

from model.encoders.description import read_description
from training.config import StandinSettings, TextEncoderSettings, WhisperSettings
from training.encoder_pairs.encoders import make_encoders

TINY = StandinSettings(
    speakers=2,
    seconds=4.0,
    writers=10,
    threads=1,
    dither=0.003,
    whisper=WhisperSettings(
        hidden=16, layers=1, heads=2, feedforward=16, clusters=4, steps=1, window_seconds=2, shortest_seconds=1.0
    ),
    t5=TextEncoderSettings(vocabulary=300, hidden=16, layers=1, heads=2, feedforward=16, steps=1, batch=2),
)


@pytest.fixture(scope="module")
def made(encoders, tmp_path_factory):
    work = tmp_path_factory.mktemp("matrix")
    said: list[str] = []
    return make_encoders(work, TINY, said.append, at_hand=encoders), work, said


def test_every_architecture_has_its_exported_encoder(made):
    matrix, _, _ = made
    found = {
        modality: {name: read_description(folder).architecture for name, folder in row.items()}
        for modality, row in matrix.items()
    }
    assert found == {"speech": {"hubert": "hubert", "whisper": "whisper"}, "text": {"roberta": "roberta", "t5": "t5"}}


def test_what_is_at_hand_is_used_as_it_is(made, encoders):
    matrix, work, _ = made
    assert (matrix["speech"]["hubert"], matrix["text"]["roberta"]) == (encoders / "speech", encoders / "text")
    assert sorted(folder.name for folder in (work / "encoders").iterdir()) == ["t5", "whisper"]


def test_speech_encoders_hear_the_dither_and_text_encoders_do_not(made):
    matrix, _, _ = made
    assert read_description(matrix["speech"]["whisper"]).dither == 0.003
    assert read_description(matrix["text"]["t5"]).dither == 0


def test_what_was_made_before_is_not_made_again(made, encoders):
    matrix, work, said = made
    assert len(said) == 4
    assert make_encoders(work, TINY, said.append, at_hand=encoders) == matrix
    assert len(said) == 4
