"""Who takes part in the synthetic cohort: families, outcomes, voices, and where each outcome is planted.

A speaker's outcome is drawn from liabilities that a family shares in part, in exactly the shares asked for. It
is planted in the prosody, in the wording or in both (the `carrier`), with a strength that varies from speaker to
speaker and over voices that vary more than the planted effect moves them, so that it can be learnt but not read
off. The prosody is a marker for testing, no finding about people.
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
"""Years that an outcome adds to a speaker's age: a weak dependence, so that a baseline of covariates has something.

Ages spread by about 15 years, so the largest difference of two outcomes is a quarter of that spread. Sex depends on
nothing.
"""

_ACCENTS = ("en-us", "en-gb-x-rp", "en-gb-scotland", "en-us-nyc")
_VARIANTS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prosody:
    """A way of speaking: mean values and how much phrases differ from each other.

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
"""What an outcome adds to a speaker's prosody at strength 1; a marker for testing, no finding about people.

Most of it is pitch and loudness. Rate and pauses change how many words a segment of 10-30 s holds, which the
language encoder sees too: planted there, an outcome would not be carried by the audio alone.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A synthetic participant: who, what is planted, and how they speak."""

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
        """That of the voice: espeak-ng's variants are m1, m2, ... and f1, f2, ..."""
        return "female" if "+f" in self.voice else "male"


def draw_speakers(seed: int, settings: CohortSettings) -> tuple[Speaker, ...]:
    """All speakers of a cohort, without speaking a word; equal arguments give equal speakers.

    Outcome counts follow `settings.shares` by largest remainder; carriers take turns within an outcome.
    """
    chance = np.random.default_rng((seed, 0))
    families = _family_numbers(settings.speakers, chance)
    shared = chance.standard_normal((max(families) + 1, len(OUTCOMES)))
    own = chance.standard_normal((settings.speakers, len(OUTCOMES)))
    weight = settings.family_share
    latents = np.sqrt(weight) * shared[np.array(families)] + np.sqrt(1 - weight) * own
    outcomes = _assign_outcomes(latents, settings, chance)
    carriers = _assign_carriers(outcomes, chance)
    return tuple(
        _draw_speaker(index, families, outcomes[index], carriers[index], seed=seed, settings=settings)
        for index in range(settings.speakers)
    )


def _family_numbers(speakers: int, chance: np.random.Generator) -> list[int]:
    """The family of each speaker: families of one to four, members next to each other."""
    families: list[int] = []
    number = 0
    while len(families) < speakers:
        families += [number] * int(chance.choice((1, 2, 3, 4), p=(0.3, 0.35, 0.25, 0.1)))
        number += 1
    return families[:speakers]


def _assign_outcomes(
    latents: Float[np.ndarray, "person outcome"], settings: CohortSettings, chance: np.random.Generator
) -> list[str]:
    """Rarer outcomes first, each to the most liable speakers still free."""
    liability = latents + 0.5 * chance.gumbel(size=latents.shape)
    counts = _apportion([settings.shares[outcome] for outcome in OUTCOMES], len(liability))
    outcomes = ["none"] * len(liability)
    for label in sorted(range(1, len(OUTCOMES)), key=lambda label: counts[label]):
        free = [row for row in np.argsort(-liability[:, label]) if outcomes[row] == "none"]
        for row in free[: counts[label]]:
            outcomes[row] = OUTCOMES[label]
    return outcomes


def _apportion(shares: Sequence[float], total: int) -> list[int]:
    """Whole numbers in proportion to the shares that add up to the total (largest remainder)."""
    exact = np.array(shares) / sum(shares) * total
    counts = np.floor(exact).astype(int)
    for position in np.argsort(counts - exact, kind="stable")[: total - int(counts.sum())]:
        counts[position] += 1
    return [int(count) for count in counts]


def _assign_carriers(outcomes: Sequence[str], chance: np.random.Generator) -> list[Carrier]:
    carriers: list[Carrier] = ["none"] * len(outcomes)
    for outcome in OUTCOMES[1:]:
        members = chance.permutation([row for row, carried in enumerate(outcomes) if carried == outcome])
        for turn, row in enumerate(members):
            carriers[row] = CARRIERS[turn % len(CARRIERS)]
    return carriers


def _draw_speaker(
    index: int, families: Sequence[int], outcome: str, carrier: Carrier, *, seed: int, settings: CohortSettings
) -> Speaker:
    """One speaker; draws from a stream of their own, so that no speaker depends on another's luck."""
    chance = np.random.default_rng((seed, 1, index))
    first_of_family = index == 0 or families[index - 1] != families[index]
    planted_audio = outcome if carrier in ("audio", "both") else "none"
    planted_text = outcome if carrier in ("text", "both") else "none"
    variant = _VARIANTS[int(chance.integers(len(_VARIANTS)))]
    return Speaker(
        index=index,
        person=f"s{seed}-p{index:04d}",
        family=f"s{seed}-f{families[index]:04d}",
        role="parent" if first_of_family else "offspring",
        age=_draw_age(seed, families[index], None if first_of_family else index, AGE_SHIFTS[outcome]),
        outcome=outcome,
        carrier=carrier,
        voice=f"{_ACCENTS[int(chance.integers(len(_ACCENTS)))]}+{variant}",
        prosody=_draw_prosody(planted_audio, settings, chance),
        marker_rates=_draw_marker_rates(planted_text, settings, chance),
        noise_decibels=float(chance.uniform(*settings.noise_decibels)),
    )


def _draw_age(seed: int, family: int, child: int | None, shift: float) -> int:
    """Years of a family's parent, or of one child of theirs; from streams of their own, that move no other draw."""
    parent = float(np.random.default_rng((seed, 4, family)).uniform(*PARENT_AGES))
    if child is None:
        return round(parent + shift)
    least, most = YEARS_BETWEEN
    years = float(np.random.default_rng((seed, 5, child)).uniform(least, min(most, parent - YOUNGEST)))
    return round(parent - years + shift)


def _draw_prosody(planted: str, settings: CohortSettings, chance: np.random.Generator) -> Prosody:
    strength = settings.prosody_strength * float(np.clip(chance.normal(1.0, settings.strength_spread), 0.0, 2.0))
    effect = PLANTED[planted]
    return Prosody(
        rate=float(np.clip(chance.normal(165, 16) + strength * effect.rate, 95, 280)),
        pitch=float(np.clip(chance.normal(48, 9) + strength * effect.pitch, 5, 95)),
        pitch_range=float(np.clip(chance.normal(50, 11) + strength * effect.pitch_range, 2, 98)),
        pause=float(np.clip(chance.normal(0.55, 0.12) + strength * effect.pause, 0.15, 2.5)),
        loudness=float(chance.normal(0.0, 2.0) + strength * effect.loudness),
        loudness_spread=float(np.clip(chance.normal(1.8, 0.5) + strength * effect.loudness_spread, 0.3, 7.0)),
        rate_spread=float(np.clip(chance.normal(0.05, 0.02) + strength * effect.rate_spread, 0.0, 0.4)),
        hesitation=float(np.clip(chance.normal(0.10, 0.04) + strength * effect.hesitation, 0.0, 0.7)),
    )


def _draw_marker_rates(planted: str, settings: CohortSettings, chance: np.random.Generator) -> Mapping[str, float]:
    """How often each outcome's wording turns up: rarely in everyone, more often where it is planted."""
    rates = {outcome: float(chance.beta(1.0, 1.0 / settings.stray_markers)) for outcome in OUTCOMES[1:]}
    if planted != "none":
        strength = float(np.clip(chance.normal(1.0, settings.strength_spread), 0.0, 2.0))
        rates[planted] += settings.wording_strength * strength
    return rates
