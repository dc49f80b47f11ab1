import pytest

TOLERANCE = 1e-6


def probabilities(result):
    return {outcome["outcome"]: outcome["probability"] for outcome in result["probabilities"]}


def soft_flags(result):
    assert not any(flag["hard"] for flag in result["quality"]["flags"])
    return {flag["code"] for flag in result["quality"]["flags"]}


@pytest.fixture(scope="module")
def reference(embedded, interview):
    """The result of the interview, scored with nothing beside it."""
    return embedded.first_client().result(**interview)


def test_audio_alone_is_scored_and_flagged(client, interview):
    result = client.result(audio=interview["audio"])
    assert any(code.startswith(("transcript", "text")) for code in soft_flags(result))
    assert sum(probabilities(result).values()) == pytest.approx(1, abs=TOLERANCE)
    assert result["contributions"]["text"] == pytest.approx(0, abs=TOLERANCE)


def test_text_alone_is_scored_and_flagged(client, interview):
    result = client.result(transcript=interview["transcript"])
    assert any(code.startswith("audio") for code in soft_flags(result))
    assert sum(probabilities(result).values()) == pytest.approx(1, abs=TOLERANCE)
    assert result["contributions"]["audio"] == pytest.approx(0, abs=TOLERANCE)


def test_a_file_is_known_by_its_content_not_by_its_name(client, clip):
    result = client.result(audio=clip.encoded("mp3"), audio_name="interview.wav")
    assert result["outcome"] in probabilities(result)


def test_a_recording_scores_the_same_alone_twice_and_beside_others(client, interview, speech, reference):
    alone = probabilities(reference)
    again = client.submit(**interview)
    others = [client.submit(audio=speech.from_second(start).first(45).encoded("flac")) for start in (20, 70, 120)]
    beside = client.finish(again)
    assert probabilities(beside["result"]) == pytest.approx(alone, abs=TOLERANCE)
    for other in others:
        assert client.finish(other)["state"] == "succeeded"


@pytest.mark.parametrize("container", ["wav", "mp3", "ogg"])
def test_the_format_of_a_recording_hardly_matters(client, interview, speech, reference, container):
    result = client.result(audio=speech.encoded(container), transcript=interview["transcript"])
    assert result["outcome"] == reference["outcome"]
    assert probabilities(result) == pytest.approx(probabilities(reference), abs=0.02)
