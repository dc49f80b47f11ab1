"""Evaluate every pair of a speech encoder and a text encoder, as in the tables of the paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from model.bundle.manifest import SPEECH, TEXT
from model.config import FrozenSettings
from training.config import RunSettings
from training.evaluation.bootstrap import Interval
from training.evaluation.measures import Measures
from training.protocol.run import Runner, RunPaths

Encoders = Mapping[str, Path]
RESULTS = "matrix.json"


class PairResult(FrozenSettings):
    """The macro AUROC of a pair of encoders with its interval, and the AUROC of each outcome."""

    speech: str
    text: str
    audio_dim: int
    text_dim: int
    documents: int
    macro_auroc: Interval
    by_outcome: Mapping[str, float | None]


class MatrixResult(FrozenSettings):
    """The results of all pairs, in the order of the table."""

    task: str
    pairs: tuple[PairResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderMatrixPlan:
    """The encoders to pair, by name, and the cohort; all output is written below `paths.out`."""

    speech: Encoders
    text: Encoders
    paths: RunPaths
    settings: RunSettings
    console: Console


def evaluate_matrix(plan: EncoderMatrixPlan) -> MatrixResult:
    """Cross-validate each pair on the same folds; finished pairs are read from disk."""
    results = []
    for speech, speech_folder in plan.speech.items():
        for text, text_folder in plan.text.items():
            plan.console.rule(f"{speech} with {text}")
            out = plan.paths.out / f"{speech}+{text}"
            paths = RunPaths(
                manifest=plan.paths.manifest,
                encoders=_pair(out / "encoders", {SPEECH: speech_folder, TEXT: text_folder}),
                out=out,
                features=plan.paths.features,
                role=plan.paths.role,
            )
            runner = Runner(paths=paths, settings=plan.settings, console=plan.console)
            results.append(_result(speech, text, runner))
    result = MatrixResult(task=plan.settings.task, pairs=tuple(results))
    (plan.paths.out / RESULTS).write_text(result.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return result


def tabulate(result: MatrixResult) -> Table:
    """One row per pair, with the best macro AUROC in bold. Differences within the intervals are not meaningful."""
    outcomes = list(result.pairs[0].by_outcome)
    table = Table("speech", "text", "macro AUROC", "95 % interval", *outcomes, header_style="bold")
    best = max((pair.macro_auroc.value or 0.0 for pair in result.pairs), default=0.0)
    for pair in result.pairs:
        interval = pair.macro_auroc
        table.add_row(
            f"{pair.speech} ({pair.audio_dim})",
            f"{pair.text} ({pair.text_dim})",
            _write(interval.value),
            f"{_write(interval.low)} to {_write(interval.high)}",
            *(_write(pair.by_outcome[name]) for name in outcomes),
            style="bold" if interval.value == best else "",
        )
    return table


def _result(speech: str, text: str, runner: Runner) -> PairResult:
    experiment = runner.experiment()
    measures: Measures = runner.evaluate(experiment)
    return PairResult(
        speech=speech,
        text=text,
        audio_dim=experiment.dims.audio,
        text_dim=experiment.dims.text,
        documents=measures.counts.labelled,
        macro_auroc=measures.discrimination.macro_auroc,
        by_outcome={entry.outcome: entry.auroc.value for entry in measures.discrimination.by_outcome},
    )


def _pair(folder: Path, parts: Mapping[str, Path]) -> Path:
    """A folder with links to both encoders."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in parts.items():
        link = folder / name
        # A link of an earlier run may lead to other encoders.
        link.unlink(missing_ok=True)
        link.symlink_to(source.resolve(), target_is_directory=True)
    return folder


def _write(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
