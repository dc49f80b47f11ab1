"""The speakers of the synthetic cohort: families, outcomes, voices, and planted markers.

Outcomes are drawn from liabilities that families share in part, in exactly the configured proportions. An outcome is
planted in the prosody, in the wording or in both (the `carrier`). The strength varies between speakers, and voices
vary more than the planted effect, so that an outcome can be learnt but is not obvious. The prosody is a marker for
tests, not a finding about people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from training.cohort.cohort import Role
from training.config import CohortSettings
from training.synthetic.sentences import OUTCOMES

Carrier = Literal["audio", "text", "both", "none"]
Sex = Literal["female", "male"]
CARRIERS: tuple[Carrier, ...] = ("audio", "text", "both")

PARENT_AGES = (42.0, 72.0)
YEARS_BETWEEN = (20.0, 38.0)
YOUNGEST = 16.0
AGE_SHIFTS: Mapping[str, float] = {"none": 0.0, "depressive": 2.0, "bipolar": -1.0, "psychotic": -2.0}
"""Years that an outcome adds to the age of a speaker: a weak dependence for the covariate baseline.

Ages have a standard deviation of about 15 years, so the largest difference between two outcomes is a quarter of it. Sex
is independent of the outcome.
"""

_ACCENTS = ("en-us", "en-gb-x-rp", "en-gb-scotland", "en-us-nyc")
_VARIANTS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prosody:
    """The prosody of a speaker: mean values and variation between phrases.

    `rate` in words a minute, `pitch` and `pitch_range` on espeak-ng's scale of 0-99, pauses in seconds,
    loudness and its spread in dB, `rate_spread` as a share of the rate, `hesitation` as the probability of a
    long pause inside a sentence.
    """

    rate: float
    pitch: float
    pitch_range: float
    pause: float
    loudness: float
    loudness_spread: float
    rate_spread: float
    hesitation: float


PLANTED: Mapping[str, Prosody] = {
    "none": Prosody(
        rate=0.0,
        pitch=0.0,
        pitch_range=0.0,
        pause=0.0,
        loudness=0.0,
        loudness_spread=0.0,
        rate_spread=0.0,
        hesitation=0.0,
    ),
    "depressive": Prosody(
        rate=-10.0,
        pitch=-10.0,
        pitch_range=-32.0,
        pause=0.15,
        loudness=-4.0,
        loudness_spread=-1.2,
        rate_spread=-0.02,
        hesitation=0.03,
    ),
    "bipolar": Prosody(
        rate=14.0,
        pitch=14.0,
        pitch_range=34.0,
        pause=-0.08,
        loudness=3.0,
        loudness_spread=2.5,
        rate_spread=0.03,
        hesitation=-0.02,
    ),
    "psychotic": Prosody(
        rate=-3.0,
        pitch=16.0,
        pitch_range=-34.0,
        pause=0.05,
        loudness=0.0,
        loudness_spread=4.5,
        rate_spread=0.15,
        hesitation=0.08,
    ),
}
"""The effect of each outcome on the prosody at strength 1: a marker for tests, not a finding about people.

Most of it is pitch and loudness. Rate and pauses change the number of words in a segment, which the text encoder also
sees, so an outcome planted there would not be carried by the audio alone.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A synthetic participant: identity, planted outcome and way of speaking."""

    index: int
    person: str
    family: str
    role: Role
    age: int
    outcome: str
    carrier: Carrier
    voice: str
    prosody: Prosody
    marker_rates: Mapping[str, float]
    noise_decibels: float

    @property
    def sex(self) -> Sex:
        """The sex of the voice: variants of espeak-ng are m1, m2, ... and f1, f2, ..."""
        return "female" if "+f" in self.voice else "male"


def draw_speakers(seed: int, settings: CohortSettings) -> tuple[Speaker, ...]:
    """Draw all speakers of a cohort. Equal arguments give equal speakers.

    Outcome counts follow `settings.shares` by the largest-remainder method; carriers alternate within an outcome.
    """
    rng = np.random.default_rng((seed, 0))
    families = _family_numbers(settings.speakers, rng)
    shared = rng.standard_normal((max(families) + 1, len(OUTCOMES)))
    own = rng.standard_normal((settings.speakers, len(OUTCOMES)))
    weight = settings.family_share
    # The shares are of the variance, which stays 1.
    latents = np.sqrt(weight) * shared[np.array(families)] + np.sqrt(1 - weight) * own
    outcomes = _assign_outcomes(latents, settings, rng)
    carriers = _assign_carriers(outcomes, rng)
    return tuple(
        _draw_speaker(index, families, outcomes[index], carriers[index], seed=seed, settings=settings)
        for index in range(settings.speakers)
    )


def _family_numbers(speakers: int, rng: np.random.Generator) -> list[int]:
    """The family of each speaker: families of one to four members with consecutive indices."""
    families: list[int] = []
    number = 0
    while len(families) < speakers:
        families += [number] * int(rng.choice((1, 2, 3, 4), p=(0.3, 0.35, 0.25, 0.1)))
        number += 1
    return families[:speakers]


def _assign_outcomes(
    latents: Float[np.ndarray, "person outcome"], settings: CohortSettings, rng: np.random.Generator
) -> list[str]:
    """Assign outcomes, the rarest first, to the unassigned speakers with the highest liability."""
    liability = latents + 0.5 * rng.gumbel(size=latents.shape)
    counts = _apportion([settings.shares[outcome] for outcome in OUTCOMES], len(liability))
    outcomes = ["none"] * len(liability)
    for label in sorted(range(1, len(OUTCOMES)), key=lambda label: counts[label]):
        free = [row for row in np.argsort(-liability[:, label]) if outcomes[row] == "none"]
        for row in free[: counts[label]]:
            outcomes[row] = OUTCOMES[label]
    return outcomes


def _apportion(shares: Sequence[float], total: int) -> list[int]:
    """Integers proportional to the shares with the given sum, by the largest-remainder method."""
    exact = np.array(shares) / sum(shares) * total
    counts = np.floor(exact).astype(int)
    for position in np.argsort(counts - exact, kind="stable")[: total - int(counts.sum())]:
        counts[position] += 1
    return [int(count) for count in counts]


def _assign_carriers(outcomes: Sequence[str], rng: np.random.Generator) -> list[Carrier]:
    carriers: list[Carrier] = ["none"] * len(outcomes)
    for outcome in OUTCOMES[1:]:
        members = rng.permutation([row for row, carried in enumerate(outcomes) if carried == outcome])
        for turn, row in enumerate(members):
            carriers[row] = CARRIERS[turn % len(CARRIERS)]
    return carriers


def _draw_speaker(
    index: int, families: Sequence[int], outcome: str, carrier: Carrier, *, seed: int, settings: CohortSettings
) -> Speaker:
    """Draw a speaker from a random stream of their own, so that speakers do not depend on each other."""
    rng = np.random.default_rng((seed, 1, index))
    first_of_family = index == 0 or families[index - 1] != families[index]
    planted_audio = outcome if carrier in ("audio", "both") else "none"
    planted_text = outcome if carrier in ("text", "both") else "none"
    variant = _VARIANTS[int(rng.integers(len(_VARIANTS)))]
    return Speaker(
        index=index,
        person=f"s{seed}-p{index:04d}",
        family=f"s{seed}-f{families[index]:04d}",
        role="parent" if first_of_family else "offspring",
        age=_draw_age(seed, families[index], None if first_of_family else index, AGE_SHIFTS[outcome]),
        outcome=outcome,
        carrier=carrier,
        voice=f"{_ACCENTS[int(rng.integers(len(_ACCENTS)))]}+{variant}",
        prosody=_draw_prosody(planted_audio, settings, rng),
        marker_rates=_draw_marker_rates(planted_text, settings, rng),
        noise_decibels=float(rng.uniform(*settings.noise_decibels)),
    )


def _draw_age(seed: int, family: int, child: int | None, shift: float) -> int:
    """The age of the parent of a family, or of a child, from separate random streams that affect no other draw."""
    parent = float(np.random.default_rng((seed, 4, family)).uniform(*PARENT_AGES))
    if child is None:
        return round(parent + shift)
    least, most = YEARS_BETWEEN
    years = float(np.random.default_rng((seed, 5, child)).uniform(least, min(most, parent - YOUNGEST)))
    return round(parent - years + shift)


def _draw_prosody(planted: str, settings: CohortSettings, rng: np.random.Generator) -> Prosody:
    strength = settings.prosody_strength * float(np.clip(rng.normal(1.0, settings.strength_spread), 0.0, 2.0))
    effect = PLANTED[planted]
    return Prosody(
        rate=float(np.clip(rng.normal(165, 16) + strength * effect.rate, 95, 280)),
        pitch=float(np.clip(rng.normal(48, 9) + strength * effect.pitch, 5, 95)),
        pitch_range=float(np.clip(rng.normal(50, 11) + strength * effect.pitch_range, 2, 98)),
        pause=float(np.clip(rng.normal(0.55, 0.12) + strength * effect.pause, 0.15, 2.5)),
        loudness=float(rng.normal(0.0, 2.0) + strength * effect.loudness),
        loudness_spread=float(np.clip(rng.normal(1.8, 0.5) + strength * effect.loudness_spread, 0.3, 7.0)),
        rate_spread=float(np.clip(rng.normal(0.05, 0.02) + strength * effect.rate_spread, 0.0, 0.4)),
        hesitation=float(np.clip(rng.normal(0.10, 0.04) + strength * effect.hesitation, 0.0, 0.7)),
    )


def _draw_marker_rates(planted: str, settings: CohortSettings, rng: np.random.Generator) -> Mapping[str, float]:
    """The rate of each outcome's wording: low in all speakers, higher where it is planted."""
    rates = {outcome: float(rng.beta(1.0, 1.0 / settings.stray_markers)) for outcome in OUTCOMES[1:]}
    if planted != "none":
        strength = float(np.clip(rng.normal(1.0, settings.strength_spread), 0.0, 2.0))
        rates[planted] += settings.wording_strength * strength
    return rates
