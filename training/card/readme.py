"""`README.md`: the model card for people, in the format of the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from huggingface_hub import EvalResult, ModelCardData
from pydantic import JsonValue

from model.bundle.manifest import Manifest
from model.encoders.description import EncoderDescription
from training.card.numbers import NOT_EVALUATED, Metrics, fill, look_up, mark
from training.card.source import CardFields, CardSource, KeyMetric, MetricSource
from training.robustness.page import render_card_section
from training.robustness.table import RobustnessTable

RESEARCH_ONLY = "Research use only: a statistical estimate from speech and wording, not a diagnosis."
SYNTHETIC = "**A demonstration.** It was trained on synthetic speech only; its numbers say nothing about any person."
FIELDS = "The sections below are the fields of CHAI's Applied Model Card; `card.json` has them for programs."
WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z][a-z]*|[A-Z]+")


def write_readme(
    source: CardSource,
    manifest: Manifest,
    encoders: Mapping[str, EncoderDescription],
    metrics: Metrics | None,
    about: Mapping[str, JsonValue] | None,
    robustness: RobustnessTable | None = None,
) -> str:
    """The whole card. Every number is inside a span that names its place in the evaluation."""
    parts = [
        f"---\n{_front_matter(source, manifest, metrics)}\n---",
        f"# {manifest.name} {manifest.version}",
        RESEARCH_ONLY,
        *([SYNTHETIC] if manifest.demonstration else []),
        _facts(manifest, encoders, evaluated=metrics is not None),
        FIELDS,
        *_sections(source, metrics),
        *(() if robustness is None else render_card_section(robustness)),
        *_about(about),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(source: CardSource, manifest: Manifest, metrics: Metrics | None) -> str:
    hub = source.hugging_face
    data = ModelCardData(
        model_name=manifest.name,
        license=hub.license,
        language=list(hub.language),
        tags=list(hub.tags),
        eval_results=None if metrics is None else list(_eval_results(source, metrics)) or None,
    )
    return data.to_yaml().strip()


def _eval_results(source: CardSource, metrics: Metrics) -> Iterator[EvalResult]:
    hub = source.hugging_face
    for question in _questions(source):
        for result in question.results:
            value = look_up(metrics, result.pointer)
            if result.type is not None and value is not None:
                yield EvalResult(
                    task_type=hub.task_type,
                    dataset_type=hub.dataset_type,
                    dataset_name=hub.dataset_name,
                    metric_type=result.type,
                    metric_name=result.label,
                    metric_value=value,
                    metric_args={"pointer": result.pointer},
                )


def _questions(source: CardSource) -> tuple[KeyMetric, ...]:
    metrics = source.key_metrics
    return metrics.usefulness_usability_efficacy, metrics.fairness_equity, metrics.safety_reliability


def _facts(manifest: Manifest, encoders: Mapping[str, EncoderDescription], *, evaluated: bool) -> str:
    rows = [("released", "-" if manifest.released is None else manifest.released.isoformat())]
    rows += [(f"task `{task.name}`", ", ".join(task.outcomes)) for task in manifest.tasks]
    rows += [
        (f"{name} encoder", f"{encoder.source} ({encoder.architecture}, {encoder.dim} features)")
        for name, encoder in encoders.items()
    ]
    rows.append(("evaluation", "`evaluation.json`" if evaluated else NOT_EVALUATED))
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)])


def _sections(source: CardSource, metrics: Metrics | None) -> Iterator[str]:
    for name, field in CardSource.model_fields.items():
        value = getattr(source, name)
        if name == "hugging_face":
            continue
        yield f"## {_title(field.alias or name)}"
        yield from (
            _group(value, metrics, depth=3) if isinstance(value, CardFields) else [f"```bibtex\n{value.strip()}\n```"]
        )


def _group(group: CardFields, metrics: Metrics | None, *, depth: int) -> Iterator[str]:
    for name, field in type(group).model_fields.items():
        value = getattr(group, name)
        yield f"{'#' * depth} {field.title or _title(field.alias or name)}"
        if isinstance(value, CardFields):
            yield from _group(value, metrics, depth=depth + 1)
        elif isinstance(value, str):
            yield _text(value, metrics)
        elif isinstance(group, KeyMetric):
            yield _results(group.results, metrics)
        else:
            yield ", ".join(value) or "none"


def _results(results: tuple[MetricSource, ...], metrics: Metrics | None) -> str:
    if metrics is None or not results:
        return f"{NOT_EVALUATED.capitalize()}."
    rows = [f"| {result.label} | {_with_interval(result, metrics)} | `{result.pointer}` |" for result in results]
    return "\n".join(["| measure | value | in `evaluation.json` |", "| --- | --- | --- |", *rows])


def _with_interval(result: MetricSource, metrics: Metrics) -> str:
    value = mark(metrics, result.pointer, result.form)
    if result.low is None or result.high is None:
        return value
    return f"{value} ({mark(metrics, result.low, result.form)} to {mark(metrics, result.high, result.form)})"


def _about(about: Mapping[str, JsonValue] | None) -> Iterator[str]:
    if about is not None:
        yield "## How it was made"
        yield "\n".join(["| | |", "| --- | --- |", *(f"| {name} | `{value}` |" for name, value in about.items())])


def _text(text: str, metrics: Metrics | None) -> str:
    return fill(text, metrics, marked=True).strip()


def _title(name: str) -> str:
    """IntendedUseAndWorkflow: Intended use and workflow; AISystemFacts: AI system facts."""
    first, *rest = WORDS.findall(name)
    return " ".join([first, *(word.lower() for word in rest)])
