"""Files as tools and people write them, over HTTP and by `hilbert assess`: both are right, and say the same."""

from contextlib import closing

import pytest

from service.cli.assess import assess_material
from service.settings import Settings
from service.worker.model_adapter import open_model
from tests.model.recording.expected import RIGHT


def flags(quality, *, hard):
    return {flag["code"] for flag in quality["flags"] if flag["hard"] is hard}


def check(result, case):
    quality = result["quality"]
    assert (flags(quality, hard=False), flags(quality, hard=True)) == (set(case.soft), set(case.hard))
    assert quality["speech_seconds"] == pytest.approx(case.seconds, abs=1.5)
    assert quality["words"] == case.words
    assert bool(result["probabilities"]) is not bool(case.hard)


@pytest.fixture(scope="module")
def answers(embedded):
    """The answer to every case over HTTP, all of them sent before the first is read."""
    client, sent = embedded.first_client(), {}
    for name, case in RIGHT.items():
        audio, transcript = case.audio_path(), case.transcript_bytes()
        content = None if audio is None else audio.read_bytes()
        sent[name] = client.submit(audio=content, transcript=transcript, metadata=case.options)
    return {name: client.finish(location) for name, location in sent.items()}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    with closing(open_model(Settings(data_dir=tmp_path_factory.mktemp("command")))) as model:
        yield model


@pytest.mark.parametrize("name", RIGHT)
def test_over_http(answers, name):
    answer, case = answers[name], RIGHT[name]
    assert answer["state"] == ("abstained" if case.hard else "succeeded"), answer["error"]
    check(answer["result"], case)


@pytest.mark.parametrize("name", RIGHT)
def test_by_command(model, answers, name, tmp_path):
    case, transcript = RIGHT[name], RIGHT[name].transcript_bytes()
    path = None if transcript is None else tmp_path / "transcript"
    if path:
        path.write_bytes(transcript)
    result = assess_material(model, case.audio_path(), path, "spectrum", case.options).model_dump(mode="json")
    check(result, case)
    assert result["input"] == answers[name]["result"]["input"]
