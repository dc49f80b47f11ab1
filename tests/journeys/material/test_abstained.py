import numpy as np
import pytest

VTT = b"WEBVTT\n\n00:00:01.000 --> 00:00:04.000\nI have been sleeping better since the summer.\n"


@pytest.fixture
def abstains(client, embedded):
    """Submit material, expect no score, and return the hard flags by code."""

    def check(**material):
        assessment = client.assess(**material)
        assert assessment["state"] == "abstained", assessment["error"] or assessment["result"]["quality"]
        result = assessment["result"]
        assert result["outcome"] is None
        assert result["probabilities"] == []
        assert result["contributions"] is None
        hard = {flag["code"]: flag["message"] for flag in result["quality"]["flags"] if flag["hard"]}
        assert all(len(message.split()) > 5 for message in hard.values())
        return hard

    return check


@pytest.mark.parametrize("container", ["flac", "wav"])
def test_a_truncated_file_has_its_own_flag(abstains, clip, container):
    whole = clip.encoded(container)
    assert "audio_truncated" in abstains(audio=whole[: len(whole) // 2])


def test_audio_damaged_beyond_its_first_bytes_is_unreadable(abstains, clip):
    rng = np.random.default_rng(3)
    damaged = clip.encoded("flac")[:64] + rng.bytes(60_000)
    assert abstains(audio=damaged).keys() & {"audio_unreadable", "audio_truncated"}


def test_silence_is_not_scored(abstains, silence):
    assert "silence" in abstains(audio=silence.encoded("flac"))


def test_two_seconds_of_speech_are_not_scored(abstains, speech):
    assert "speech_too_short" in abstains(audio=speech.from_second(5).first(2).encoded("wav"))


def test_samples_that_are_not_numbers_are_not_scored(abstains, clip):
    samples = clip.samples.copy()
    samples[1000:2000] = np.nan
    assert "audio_not_finite" in abstains(audio=type(clip)(samples=samples, rate=clip.rate).float_wav())


@pytest.mark.parametrize(
    "transcript",
    [
        VTT.replace(b"00:00:01.000", b"00:99:xx.000"),
        b"WEBVTT\n\n00:00:09.000 --> 00:00:04.000\nbackwards\n",
        b"WEBVTT and nothing else",
    ],
)
def test_a_malformed_webvtt_is_not_guessed_at(abstains, clip, transcript):
    assert "transcript_unreadable" in abstains(audio=clip.encoded("flac"), transcript=transcript)


def test_an_abstained_assessment_keeps_no_material(client, embedded, silence):
    audio = silence.encoded("flac")
    before = embedded.stored()
    location = client.submit(audio=audio)
    client.finish(location)
    kept = [content for key, content in embedded.stored().items() if key not in before]
    assert all(len(content) < len(audio) or b"fLaC" not in content for content in kept)
    assert client.http.delete(location).status_code == 204
    assert embedded.stored() == before
