"""Real speech for tests: spoken once per run by espeak-ng, encoded by PyAV into whatever a client might send."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

SPOKEN_RATE = 22_050
LINES = (
    "I have been sleeping badly for about three weeks now.",
    "My sister said I should talk to someone about it.",
    "Mostly I lie awake and listen to the street, and then the birds begin.",
    "Work is fine, I suppose, though I forget what people tell me.",
    "We went to the sea in August and that was good.",
    "Sometimes I hear my name when nobody is there, but it passes quickly.",
)
PAUSES = ("0.45", "1.2", "0.6", "0.4", "0.9", "0.5", "1.5")


@dataclass(frozen=True)
class Spoken:
    """What was said: int16 at 22 050 Hz, and each sentence with its start and end in seconds."""

    sound: np.ndarray
    said: tuple[tuple[float, float, str], ...]

    @property
    def seconds(self):
        return self.sound.size / SPOKEN_RATE

    def upto(self, seconds):
        return self.sound[: int(seconds * SPOKEN_RATE)]


@pytest.fixture(scope="session")
def spoken(tmp_path_factory):
    """About 75 s of one speaker, sentence by sentence with pauses of 0.4 to 1.5 s."""
    lines = []
    for number in range(18):
        lines += [LINES[number % len(LINES)], PAUSES[number % len(PAUSES)]]
    out = tmp_path_factory.mktemp("spoken") / "spoken.npz"
    script = Path(__file__).with_name("spoken.py")
    subprocess.run([sys.executable, script, out], input="\n".join(lines), text=True, check=True, timeout=120)
    with np.load(out) as parts:
        sound, ends = parts["sound"], np.cumsum(parts["lengths"]) / SPOKEN_RATE
    starts = [0.0, *ends[:-1]]
    said = [(float(starts[at]), float(ends[at]), lines[at]) for at in range(0, len(lines), 2)]
    return Spoken(sound=sound, said=tuple(said))


@dataclass(frozen=True)
class Format:
    """How PyAV is to write a file."""

    container: str
    codec: str
    rate: int
    layout: str = "mono"
    bit_rate: int = 48_000
    options: tuple[tuple[str, str], ...] = ()


FORMATS = {
    "wav": Format("wav", "pcm_s16le", 22_050),
    "wav float stereo": Format("wav", "pcm_f32le", 44_100, "stereo"),
    "flac": Format("flac", "flac", 48_000),
    "mp3": Format("mp3", "libmp3lame", 22_050),
    "ogg/opus": Format("ogg", "libopus", 48_000),
    "m4a": Format("mp4", "aac", 44_100),
    "webm": Format("webm", "libopus", 48_000),
    "live webm": Format("webm", "libopus", 48_000, options=(("live", "1"),)),
    "mp3 without length": Format("mp3", "libmp3lame", 22_050, options=(("write_xing", "0"),)),
    "aac": Format("adts", "aac", 44_100),
    "avi": Format("avi", "pcm_s16le", 16_000),
}


@pytest.fixture(scope="session")
def write_audio():
    """`write_audio(path, sound, "flac")` encodes int16 sound at 22 050 Hz; `skip` leaves out a time, as a gap."""

    def write(path, sound, name, skip=None):
        how = FORMATS[name]
        with av.open(str(path), "w", format=how.container, options=dict(how.options)) as container:
            stream = container.add_stream(how.codec, rate=how.rate, layout=how.layout)
            stream.bit_rate = how.bit_rate
            for at in range(0, len(sound), 2205):
                frame = av.AudioFrame.from_ndarray(sound[None, at : at + 2205], format="s16", layout="mono")
                frame.sample_rate, frame.pts = SPOKEN_RATE, at
                for packet in stream.encode(frame):
                    if skip is None or not skip[0] <= float(packet.pts * packet.time_base) < skip[1]:
                        container.mux(packet)
            for packet in stream.encode(None):
                container.mux(packet)
        return path

    return write
