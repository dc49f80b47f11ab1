"""The example interview: `python -m training.synthetic.interview` writes it, sample for sample."""

from __future__ import annotations

from pathlib import Path

from training.config import CohortSettings
from training.synthetic.dialogue import Interview, record
from training.synthetic.files import write_flac, write_webvtt
from training.synthetic.speakers import draw_speakers

EXAMPLE_SEED = 4242
"""Seed of the example interview; no training run uses it."""


def example_interview() -> Interview:
    """The interview in `examples/`: the first speaker with a depressive outcome planted in voice and words."""
    speakers = draw_speakers(EXAMPLE_SEED, CohortSettings(speakers=60))
    chosen = next(speaker for speaker in speakers if (speaker.outcome, speaker.carrier) == ("depressive", "both"))
    return record(chosen, seed=EXAMPLE_SEED, seconds=150.0)


def main(folder: Path = Path("examples")) -> None:
    """Write the example interview."""
    interview = example_interview()
    folder.mkdir(parents=True, exist_ok=True)
    write_flac(folder / "interview.flac", interview.audio)
    write_webvtt(folder / "interview.vtt", interview.utterances)


if __name__ == "__main__":
    main()
