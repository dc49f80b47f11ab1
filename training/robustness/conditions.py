"""The conditions that a recording is scored under again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from model.recording.options import EVERYONE, RecordingOptions
from training.robustness.codecs import G711, NARROW, Codec, aac, mp3, opus, write_encoded
from training.robustness.material import RecordingMaterial, write_wave
from training.robustness.noise import add_noise, babble_noise, pink_noise, white_noise
from training.robustness.settings import RobustnessSettings
from training.robustness.word_errors import with_word_errors

FIRST_HALF, SECOND_HALF = "first half", "second half"
FEWEST_VOICES = 3

Samples = Float32[np.ndarray, " sample"]
Noise = Callable[[int, Sequence[Samples], np.random.Generator], Samples | None]
"""Noise of a length in samples, perhaps made of other speakers' samples; None if there are too few of them."""
Change = Callable[[RecordingMaterial, np.random.Generator], RecordingMaterial | None]
"""The changed material; None if the condition does not apply to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition, as `white noise 20 dB` of the group `white noise`; `codec` encodes the changed samples."""

    group: str
    name: str
    change: Change
    codec: Codec | None = None

    def write_audio(self, material: RecordingMaterial, folder: Path) -> Path | None:
        """The audio file to score; None without audio."""
        if material.samples is None:
            return None
        if self.codec is None:
            return write_wave(folder / "audio.wav", material.samples)
        return write_encoded(folder / f"audio.{self.codec.suffix}", material.samples, self.codec)


def conditions(settings: RobustnessSettings) -> Iterator[Condition]:
    """All conditions of the settings, in the order of the table."""
    yield Condition(group="copy", name="copy", change=_samples(_unchanged))
    for decibels in settings.gains:
        yield Condition(group="gain", name=f"gain {decibels:+g} dB", change=_gain(decibels))
    for kind, noise in NOISES:
        for decibels in settings.noise_levels:
            yield Condition(group=f"{kind} noise", name=f"{kind} noise {decibels:g} dB", change=_noise(noise, decibels))
    yield from _encoded(settings)
    for rate in settings.word_errors:
        yield Condition(group="word errors", name=f"word errors {rate:.0%}", change=_words(rate))
    if settings.halves:
        yield Condition(group="half", name=FIRST_HALF, change=_half(first=True))
        yield Condition(group="half", name=SECOND_HALF, change=_half(first=False))
    if settings.interviewer:
        yield Condition(group="interviewer left in", name="interviewer left in", change=_with_interviewer)


def _encoded(settings: RobustnessSettings) -> Iterator[Condition]:
    codecs = [
        *(("Opus", f"Opus {rate} kbit/s", opus(rate)) for rate in settings.opus_rates),
        *(("MP3", f"MP3 {rate} kbit/s", mp3(rate)) for rate in settings.mp3_rates),
        *(("AAC", f"AAC {rate} kbit/s", aac(rate)) for rate in settings.aac_rates),
        *((("G.711", "G.711 at 8 kHz", G711), ("8 kHz", "8 kHz", NARROW)) if settings.telephone else ()),
    ]
    for group, name, codec in codecs:
        yield Condition(group=group, name=name, change=_samples(_unchanged), codec=codec)


def _unchanged(samples: Samples, _: Sequence[Samples], __: np.random.Generator) -> Samples:
    return samples


def _samples(change: Callable[[Samples, Sequence[Samples], np.random.Generator], Samples | None]) -> Change:
    """A change of the samples, by the samples and those of others; it does not apply without audio."""

    def changed(material: RecordingMaterial, chance: np.random.Generator) -> RecordingMaterial | None:
        if material.samples is None:
            return None
        samples = change(material.samples, material.others, chance)
        return None if samples is None else replace(material, samples=samples)

    return changed


def _gain(decibels: float) -> Change:
    factor = np.float32(10 ** (decibels / 20))
    return _samples(lambda samples, _, __: samples * factor)


def _noise(noise: Noise, decibels: float) -> Change:
    def noisy(samples: Samples, others: Sequence[Samples], chance: np.random.Generator) -> Samples | None:
        added = noise(len(samples), others, chance)
        return None if added is None else add_noise(samples, added, decibels)

    return _samples(noisy)


def _babble(length: int, others: Sequence[Samples], chance: np.random.Generator) -> Samples | None:
    return babble_noise(length, others, chance) if len(others) >= FEWEST_VOICES else None


def _words(rate: float) -> Change:
    def changed(material: RecordingMaterial, chance: np.random.Generator) -> RecordingMaterial | None:
        if material.utterances is None:
            return None
        return replace(material, utterances=with_word_errors(material.utterances, rate, chance))

    return changed


def _half(*, first: bool) -> Change:
    def changed(material: RecordingMaterial, _: np.random.Generator) -> RecordingMaterial | None:
        # Text without times cannot be cut at the middle of the recording.
        if material.utterances is not None and not material.timed:
            return None
        middle = material.seconds / 2
        return material.between(0, middle) if first else material.between(middle, material.seconds)

    return changed


def _with_interviewer(material: RecordingMaterial, _: np.random.Generator) -> RecordingMaterial | None:
    labelled = any(each.speaker for each in material.utterances or ())
    return replace(material, options=RecordingOptions(participant=(EVERYONE,))) if labelled else None


NOISES: tuple[tuple[str, Noise], ...] = (
    ("white", lambda length, _, chance: white_noise(length, chance)),
    ("pink", lambda length, _, chance: pink_noise(length, chance)),
    ("babble", _babble),
)
