"""The example cohort: `python -m training.synthetic.example_cohort` writes `examples/cohort`."""

from __future__ import annotations

from pathlib import Path

from training.config import CohortSettings
from training.synthetic.cohort import write_cohort

EXAMPLE_SEED = 4320
"""Seed of the example cohort; no training run of the demonstration uses it."""

EXAMPLE = CohortSettings(
    speakers=24,
    seconds=28.0,
    shares={"none": 0.25, "depressive": 0.25, "bipolar": 0.25, "psychotic": 0.25},
    family_share=0.0,
    formats={"opus": 1.0},
    bit_rate=12_000,
)
"""Settings of a cohort that is small enough for the repository, with every outcome in at least five families."""


def main(folder: Path = Path("examples/cohort")) -> None:
    """Write the example cohort."""
    write_cohort(folder, EXAMPLE_SEED, EXAMPLE)


if __name__ == "__main__":
    main()
