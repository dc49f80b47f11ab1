"""Files as clients have sent them, each for a kind of its own; what is right for each is stated by hand."""

from pathlib import Path

import numpy as np
import pytest

from model.errors import AudioTimesInvalid, AudioTruncated, AudioUnreadable
from tests.model.recording.sounds import codes

CASES = Path(__file__).with_name("cases")


@pytest.fixture
def case(decoded):
    return lambda name, **options: decoded((CASES / name).read_bytes(), 4 * 3600.0, **options)


def loudness(audio):
    """Root mean square of each four seconds."""
    stretch = 4 * 16_000
    blocks = [block for block in audio.blocks(stretch) if block.size == stretch]
    return [float(np.sqrt(np.square(block).mean())) for block in blocks]


def test_channels_in_antiphase_do_not_cancel_each_other(case):
    audio = case("antiphase.opus")

    assert audio.seconds == pytest.approx(32.0, abs=0.05)
    assert codes(audio) == ["antiphase_channels"]
    assert (audio.source.channels, audio.source.channels_used) == (2, (1,))
    assert min(loudness(audio)) > 0.03


def test_the_default_track_is_used_and_the_other_is_named(case):
    audio = case("two_tracks.mkv")

    assert (audio.source.container, audio.source.codec) == ("matroska", "opus")
    assert (audio.source.tracks, audio.source.track) == (2, 1)
    assert codes(audio) == ["audio_tracks_left_out"]
    assert "track 2 was left out" in audio.notices[0].message


def test_the_track_asked_for_is_used(case):
    first, second = (case("two_tracks.mkv", track=number) for number in (1, 2))

    assert (first.source.track, second.source.track) == (1, 2)
    assert codes(second) == ["audio_tracks_left_out"]
    assert "track 1 was left out" in second.notices[0].message


def test_a_chain_of_two_rates_is_decoded_whole(case):
    audio = case("chained_other_rate.ogg")

    assert audio.seconds == pytest.approx(32.0, abs=0.05)
    assert len(loudness(audio)) == 8
    assert min(loudness(audio)) > 0.03


def test_a_stale_header_is_read_to_the_end_of_the_file(case):
    audio = case("header_never_updated.wav")

    assert audio.seconds == pytest.approx(20.0, abs=0.01)
    assert codes(audio) == ["audio_header_corrected"]
    assert min(loudness(audio)) > 0.03


def test_telephony_is_read(case):
    audio = case("gsm610.wav")

    assert audio.seconds == pytest.approx(32.0, abs=0.05)
    assert (audio.source.codec, audio.source.sample_rate, audio.source.bits) == ("gsm", 8_000, None)
    assert min(loudness(audio)) > 0.03


def test_24_bits_in_32_are_read(case):
    audio = case("extensible_24in32.wav")

    assert audio.seconds == pytest.approx(6.0, abs=0.01)
    assert audio.not_finite == 0
    assert 0.03 < loudness(audio)[0] < 0.3
    assert audio.source.bits == 24


def test_zeros_before_an_mp3_are_passed_over(case):
    audio = case("zero_padding.mp3")

    assert audio.seconds == pytest.approx(32.0, abs=0.1)
    assert min(loudness(audio)) > 0.03


def test_a_jump_of_hours_is_refused_with_its_place(case, tmp_path):
    with pytest.raises(AudioTimesInvalid, match=r"At second 0\.1 .* 14000 s") as refused:
        case("webm_timestamp_jump_3.9h.webm")

    assert refused.value.code == "audio_times_invalid"
    assert not (tmp_path / "scratch.pcm").exists()


def test_a_header_without_sound_is_refused(case):
    with pytest.raises((AudioUnreadable, AudioTruncated), match="FLAC"):
        case("flac_total_samples_max.flac")
