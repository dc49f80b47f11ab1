"""Recordings made for a test: excerpts of the example, silence, damage, in any accepted format."""

import io
import wave
from dataclasses import dataclass

import av
import numpy as np
import pytest

CONTAINERS = {"wav": "pcm_s16le", "flac": "flac", "mp3": "libmp3lame", "ogg": "libopus"}


@dataclass(frozen=True, kw_only=True)
class Sound:
    """Mono samples in [-1, 1) at a rate in hertz."""

    samples: np.ndarray
    rate: int

    def first(self, seconds: float) -> "Sound":
        return Sound(samples=self.samples[: int(seconds * self.rate)], rate=self.rate)

    def from_second(self, seconds: float) -> "Sound":
        return Sound(samples=self.samples[int(seconds * self.rate) :], rate=self.rate)

    def encoded(self, container: str) -> bytes:
        """The bytes of a file; lossy codecs at their libraries' ordinary rates for speech."""
        file = io.BytesIO()
        with av.open(file, "w", format=container) as output:
            rate = 48000 if container == "ogg" else self.rate
            stream = output.add_stream(CONTAINERS[container], rate=rate, layout="mono")
            if container in ("mp3", "ogg"):
                stream.bit_rate = 64000
            for frame in self._frames(stream):
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return file.getvalue()

    def _frames(self, stream):
        pcm = np.clip(np.round(self.samples * 32768), -32768, 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm[None, :], format="s16", layout="mono")
        frame.sample_rate = self.rate
        codec = stream.codec_context
        resampler = av.AudioResampler(format=codec.format, layout="mono", rate=codec.rate, frame_size=codec.frame_size)
        yield from resampler.resample(frame)
        yield from resampler.resample(None)

    def float_wav(self) -> bytes:
        """A WAV of 32-bit floats, which unlike the others can hold NaN."""
        pcm = self.samples.astype("<f4").tobytes()
        plain = io.BytesIO()
        with wave.open(plain, "wb") as output:
            output.setnchannels(1)
            output.setsampwidth(4)
            output.setframerate(self.rate)
            output.writeframes(pcm)
        header = bytearray(plain.getvalue())
        header[20:22] = (3).to_bytes(2, "little")  # WAVE_FORMAT_IEEE_FLOAT
        return bytes(header)


@pytest.fixture(scope="session")
def speech(interview) -> Sound:
    """The example recording, decoded."""
    with av.open(io.BytesIO(interview["audio"])) as file:
        rate = file.streams.audio[0].rate
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        frames = [part for frame in file.decode(audio=0) for part in resampler.resample(frame)]
    return Sound(samples=np.concatenate([frame.to_ndarray()[0] for frame in frames]), rate=rate)


@pytest.fixture(scope="session")
def silence() -> Sound:
    return Sound(samples=np.zeros(30 * 16000, dtype=np.float32), rate=16000)


@pytest.fixture(scope="session")
def clip(speech) -> Sound:
    """Forty seconds: enough to be scored, quick to score."""
    return speech.first(40)
