"""From a file to its segments: times real time and peak memory, for a short and a long recording.

    python bench/recording.py [--minutes 2 12] [--format mp3]

Speech is spoken once by espeak-ng and repeated; each recording is read by a process of its own, whose peak
memory must hardly depend on the length.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FORMATS = {
    "wav": ("wav", "pcm_s16le", 22_050),
    "flac": ("flac", "flac", 22_050),
    "mp3": ("mp3", "libmp3lame", 22_050),
    "opus": ("ogg", "libopus", 48_000),
    "m4a": ("mp4", "aac", 44_100),
}
SPOKEN_RATE = 22_050
LINES = (
    "I have been sleeping badly for about three weeks now.",
    "0.4",
    "My sister said I should talk to someone about it.",
    "1.1",
    "Mostly I lie awake and listen to the street, and then the birds begin.",
    "0.7",
    "Work is fine, I suppose, though I forget what people tell me.",
    "0.5",
)


def speak(folder: Path) -> np.ndarray:
    out = folder / "spoken.npz"
    lines = "\n".join(LINES * 4)
    script = ROOT / "tests" / "model" / "spoken.py"
    subprocess.run([sys.executable, script, out], input=lines, text=True, check=True)
    with np.load(out) as spoken:
        return spoken["sound"]


def write(path: Path, sound: np.ndarray, minutes: float, name: str) -> None:
    import av

    container_format, codec, rate = FORMATS[name]
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 48_000
        for at in range(0, int(minutes * 60 * SPOKEN_RATE), SPOKEN_RATE):
            second = np.take(sound, np.arange(at, at + SPOKEN_RATE), mode="wrap")
            frame = av.AudioFrame.from_ndarray(second[None, :], format="s16", layout="mono")
            frame.sample_rate, frame.pts = SPOKEN_RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def read(path: Path) -> None:
    """Runs in the measured process: prints its figures as JSON."""
    from model.config import AudioLimits, QualitySettings, SegmentSettings
    from model.recording.decoding import decode
    from model.recording.recording import Recording
    from model.segments.cutting import segment, segment_audio

    started = time.perf_counter()
    audio = decode(path, path.with_suffix(".pcm"), AudioLimits())
    decoded = time.perf_counter()
    segmentation = segment(Recording(audio=audio, transcript=None), SegmentSettings(), QualitySettings())
    for part in segmentation.segments:
        segment_audio(audio, part)
    finished = time.perf_counter()
    figures = {
        "seconds": audio.seconds,
        "decode": decoded - started,
        "segment": finished - decoded,
        "segments": len(segmentation.segments),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--minutes", type=float, nargs="+", default=[2.0, 12.0])
    arguments.add_argument("--format", choices=sorted(FORMATS), default="mp3")
    arguments.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.read:
        read(chosen.read)
        return
    print(f"{'recording':>14} {'segments':>9} {'decode s':>9} {'segment s':>10} {'x real time':>12} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        sound = speak(Path(folder))
        for minutes in chosen.minutes:
            path = Path(folder) / f"{minutes}.{chosen.format}"
            write(path, sound, minutes, chosen.format)
            command = [sys.executable, str(Path(__file__).resolve()), "--read", str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            row = json.loads(done.stdout)
            speed = row["seconds"] / (row["decode"] + row["segment"])
            print(
                f"{minutes:>7g} min {chosen.format:<4}{row['segments']:>7} {row['decode']:>9.2f}"
                f" {row['segment']:>10.2f} {speed:>12.0f} {row['peak_mb']:>8.1f}"
            )


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
