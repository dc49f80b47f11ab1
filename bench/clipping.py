"""Prints the table of clipping in docs/audio.md: the share found in files that were clipped here, by codec and level.

    python bench/clipping.py RECORDING... [--seconds 40]

Each recording is clipped to a true share at full scale, coded, decoded as a client's file, and measured. The table
gives the lowest and the highest share found over all recordings.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
from jaxtyping import Float32

from model.config import AudioLimits
from model.recording.decoding import decode
from tests.model.recording.sounds import Coding, encode

Levels = Float32[np.ndarray, " sample"]
# In the place of a rate: that of the recording.
AT_SOURCE_RATE = 0
CODECS: dict[str, Coding] = {
    "PCM": Coding("wav", "pcm_s16le", AT_SOURCE_RATE),
    "G.711 (8 kHz)": Coding("wav", "pcm_alaw", 8_000),
    "MP3 64": Coding("mp3", "libmp3lame", 44_100, 64_000),
    "MP3 128": Coding("mp3", "libmp3lame", 44_100, 128_000),
    "AAC 48 (16 kHz)": Coding("adts", "aac", 16_000, 48_000),
    "AAC 64": Coding("adts", "aac", 44_100, 64_000),
    "AAC 96": Coding("adts", "aac", 48_000, 96_000),
    "Opus 16": Coding("ogg", "libopus", 48_000, 16_000),
    "Opus 24": Coding("ogg", "libopus", 48_000, 24_000),
    "Opus 32": Coding("ogg", "libopus", 48_000, 32_000),
    "Opus 64": Coding("ogg", "libopus", 48_000, 64_000),
}
CONDITIONS = ((0.0, 1.0), (0.15, 1.0), (0.15, 0.708), (0.05, 1.0), (0.05, 0.708))


def read(path: Path, seconds: int) -> tuple[Levels, int]:
    with av.open(str(path)) as file:
        rate = file.streams.audio[0].rate
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        parts = [part.to_ndarray()[0] for frame in file.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate(parts)[: seconds * rate], rate


def measure(levels: Levels, rate: int, coding: Coding, folder: Path) -> float:
    encode(folder / "coded", levels, rate, replace(coding, rate=coding.rate or rate))
    return decode(folder / "coded", folder / "scratch", AudioLimits()).clipping


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("recordings", nargs="+", type=Path)
    arguments.add_argument("--seconds", type=int, default=40)
    options = arguments.parse_args()
    sources = [read(path, options.seconds) for path in options.recordings]
    print("| coding | clean | 15 % | 15 %, -3 dB | 5 % | 5 %, -3 dB |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, coding in CODECS.items():
            cells = []
            for share, gain in CONDITIONS:
                shares = []
                for levels, rate in sources:
                    clipped = np.clip(levels / np.quantile(np.abs(levels), 1 - share), -1, 1) if share else levels
                    shares.append(100 * measure(gain * clipped, rate, coding, Path(folder)))
                cells.append(f"{min(shares):.1f} to {max(shares):.1f}")
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
