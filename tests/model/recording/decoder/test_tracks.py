import numpy as np
import pytest

from model.errors import AudioTrackMissing
from tests.model.recording.sounds import codes, int16_wav, write_tracks

SECONDS = 3


def tone(hertz):
    return 0.2 * np.sin(2 * np.pi * hertz * np.arange(SECONDS * 16_000) / 16_000)


def pitch(audio):
    """The strongest frequency in Hz."""
    return int(np.abs(np.fft.rfft(audio.read(0, SECONDS * 16_000))).argmax() / SECONDS)


def test_the_track_marked_as_default_is_used(tmp_path, decoded):
    audio = decoded(write_tracks(tmp_path / "x.mkv", [tone(300), tone(400), tone(500)], default=1))

    assert (pitch(audio), audio.source.track, audio.source.tracks) == (400, 2, 3)
    assert "tracks 1 and 3 were left out" in audio.notices[0].message


def test_the_first_track_is_used_without_a_default(tmp_path, decoded):
    assert pitch(decoded(write_tracks(tmp_path / "x.mkv", [tone(300), tone(400)]))) == 300


def test_another_track_stands_in_for_a_silent_default(tmp_path, decoded):
    silence = np.zeros(SECONDS * 16_000)

    audio = decoded(write_tracks(tmp_path / "x.mkv", [silence, silence, tone(500)], default=0))

    assert (pitch(audio), audio.source.track) == (500, 3)
    assert codes(audio) == ["audio_track_silent"]
    assert "tracks 1 and 2 were left out" in audio.notices[0].message


def test_silent_tracks_alone_are_silence(tmp_path, decoded):
    silence = np.zeros(SECONDS * 16_000)

    audio = decoded(write_tracks(tmp_path / "x.mkv", [silence, silence], default=1))

    assert (audio.seconds, audio.source.track) == (pytest.approx(3.0, abs=0.01), 2)


def test_a_silent_track_that_was_asked_for_is_used(tmp_path, decoded):
    audio = decoded(write_tracks(tmp_path / "x.mkv", [np.zeros(48_000), tone(500)]), track=1)

    assert np.abs(audio.read(0, 48_000)).max() == 0
    assert audio.source.track == 1


@pytest.mark.parametrize("track", [0, -1, 3])
def test_a_track_that_does_not_exist_is_refused_with_how_many_there_are(track, tmp_path, decoded):
    with pytest.raises(AudioTrackMissing, match="2 audio tracks") as refused:
        decoded(write_tracks(tmp_path / "x.mkv", [tone(300), tone(400)]), track=track)

    assert refused.value.code == "audio_track_missing"


def test_a_single_track_is_said_nothing_of(decoded):
    assert codes(decoded(int16_wav(tone(300)), track=1)) == []
