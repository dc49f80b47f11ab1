"""Measurement of a bundle's robustness: score every recording as sent and under each condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml
from pydantic import ValidationError
from rich.console import Console

from model.bundle.manifest import NETWORK
from model.errors import RecordingError
from model.pipeline import Pipeline
from model.recording.audio import SAMPLE_RATE
from model.recording.options import RecordingOptions
from training.cohort.cohort import Cohort
from training.encoding.progress import track_recordings
from training.errors import RobustnessError
from training.robustness.conditions import FIRST_HALF, SECOND_HALF, Condition, Samples, conditions
from training.robustness.material import RecordingMaterial, read_material, write_transcript
from training.robustness.settings import RobustnessSettings
from training.robustness.table import Probabilities, RobustnessTable, agreement_of_halves, condition_row

VOICE_SECONDS = 60
MOST_VOICES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class RobustnessRun:
    """What to measure: an open bundle, a cohort, a task, and the settings of the conditions."""

    pipeline: Pipeline
    cohort: Cohort
    task: str
    settings: RobustnessSettings


def read_settings(file: Path) -> RobustnessSettings:
    """Read settings from a YAML file. Missing values get their default; raises RobustnessError for unknown names."""
    try:
        return RobustnessSettings.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except (ValidationError, yaml.YAMLError) as error:
        raise RobustnessError(f"{file} is not a file of robustness settings: {error}") from error


def measure_robustness(run: RobustnessRun, console: Console) -> RobustnessTable:
    """Score every recording of the cohort under every condition.

    Takes about as long as scoring the cohort once for each condition. Raises RobustnessError if no recording gets a
    score as sent, TaskNotInBundle.
    """
    outcomes = run.pipeline.bundle.task(run.task).outcomes
    every, voices = tuple(conditions(run.settings)), _voices(run.cohort)
    sent: list[Probabilities] = []
    changed: dict[str, list[Probabilities | _Inapplicable | None]] = {each.name: [] for each in every}
    for position in track_recordings(range(len(run.cohort)), len(run.cohort), console):
        scored = _score_recording(run, position, every, _voices_of_others(run.cohort, position, voices))
        if scored is None:
            continue
        sent.append(scored[0])
        for condition, probabilities in zip(every, scored[1], strict=True):
            changed[condition.name].append(probabilities)
    if not sent:
        raise RobustnessError("no recording of the cohort gets a score: nothing can be compared")
    return _table(run, every, sent, changed, outcomes)


class _Inapplicable:
    """Stands for a recording that a condition does not apply to."""


INAPPLICABLE = _Inapplicable()


def _table(
    run: RobustnessRun,
    every: Sequence[Condition],
    sent: Sequence[Probabilities],
    changed: dict[str, list[Probabilities | _Inapplicable | None]],
    outcomes: tuple[str, ...],
) -> RobustnessTable:
    manifest = run.pipeline.manifest
    rows = []
    for condition in every:
        pairs = [
            (before, after)
            for before, after in zip(sent, changed[condition.name], strict=True)
            if not isinstance(after, _Inapplicable)
        ]
        if pairs:
            rows.append(condition_row(condition.group, condition.name, pairs, outcomes))
    halves = None
    if run.settings.halves:
        first, second = (
            [None if isinstance(each, _Inapplicable) else each for each in changed[name]]
            for name in (FIRST_HALF, SECOND_HALF)
        )
        halves = agreement_of_halves(first, second, outcomes)
    return RobustnessTable(
        task=run.task,
        outcomes=outcomes,
        network=manifest.files[NETWORK],
        encoders={str(name): fingerprint for name, fingerprint in manifest.encoders.items()},
        recordings=len(sent),
        unscored=len(run.cohort) - len(sent),
        synthetic=manifest.demonstration,
        seed=run.settings.seed,
        rows=tuple(rows),
        halves=halves,
        bounds=run.settings.bounds,
    )


def _score_recording(
    run: RobustnessRun, position: int, every: Sequence[Condition], others: tuple[Samples, ...]
) -> tuple[Probabilities, list[Probabilities | _Inapplicable | None]] | None:
    """Probabilities as sent and under each condition; None if the recording gets no score as sent."""
    cohort = run.cohort
    options = cohort.rows[position].options
    with TemporaryDirectory() as folder:
        scratch = Path(folder)
        transcript = cohort.transcript(position)
        words = None if transcript is None else transcript.read_bytes()
        sent = _assess(run, cohort.audio(position), words, options, scratch)
        if sent is None:
            return None
        material = replace(read_material(cohort.audio(position), transcript, options, scratch), others=others)
        return sent, [_under(run, condition, material, scratch, position) for condition in every]


def _under(
    run: RobustnessRun, condition: Condition, material: RecordingMaterial, scratch: Path, position: int
) -> Probabilities | _Inapplicable | None:
    # The seed depends on the recording and the condition, so that neither their order nor their number matters.
    chance = np.random.default_rng([run.settings.seed, position, *condition.name.encode()])
    changed = condition.change(material, chance)
    if changed is None:
        return INAPPLICABLE
    words = None if changed.utterances is None else write_transcript(changed.utterances)
    return _assess(run, condition.write_audio(changed, scratch), words, changed.options, scratch)


def _assess(
    run: RobustnessRun, audio: Path | None, words: bytes | None, options: RecordingOptions, scratch: Path
) -> Probabilities | None:
    # A file that is refused counts like an abstention: no score under this condition.
    with suppress(RecordingError), TemporaryDirectory(dir=scratch) as folder:
        result = run.pipeline.assess(
            audio=audio, transcript=words, scratch=Path(folder), task=run.task, options=options
        )
        if result.outcome is not None:
            return np.array([risk.probability for risk in result.probabilities])
    return None


def _voices(cohort: Cohort) -> dict[int, Samples]:
    """The first minute of up to a dozen recordings, by position, for babble noise."""
    voices: dict[int, Samples] = {}
    for position in range(len(cohort)):
        audio = cohort.audio(position)
        if audio is None or len(voices) == MOST_VOICES:
            continue
        with suppress(RecordingError), TemporaryDirectory() as folder:
            samples = read_material(audio, None, RecordingOptions(), Path(folder)).samples
            if samples is not None:
                voices[position] = samples[: VOICE_SECONDS * SAMPLE_RATE]
    return voices


def _voices_of_others(cohort: Cohort, position: int, voices: Mapping[int, Samples]) -> tuple[Samples, ...]:
    """The voices of other persons than that of the row."""
    person = cohort.rows[position].person
    return tuple(voice for at, voice in voices.items() if cohort.rows[at].person != person)
