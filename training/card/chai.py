"""`card.json`: the card in the fields of CHAI's Applied Model Card, for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import JsonValue

from model.bundle.manifest import Manifest
from training.card.numbers import Metrics, fill, look_up
from training.card.source import CardSource, MetricSource


def write_chai(source: CardSource, manifest: Manifest, metrics: Metrics | None) -> dict[str, JsonValue]:
    """The AppliedModelCard; without an evaluation the results are empty lists."""
    card = _filled(source.model_dump(by_alias=True, mode="json", exclude={"hugging_face"}), metrics)
    card["BasicInfo"] = {"ModelName": manifest.name, **_group(card, "BasicInfo")}
    released = None if manifest.released is None else manifest.released.isoformat()
    card["ReleaseInfo"] = {
        **_group(card, "ReleaseInfo"),
        "ReleaseDate": released,
        "ReleaseVersion": manifest.version,
    }
    for name, metric in _key_metrics(source):
        question = _group(_group(card, "KeyMetrics"), name)
        question["Results"] = [] if metrics is None else [_result(result, metrics) for result in metric]
    return {"AppliedModelCard": card}


def _key_metrics(source: CardSource) -> tuple[tuple[str, tuple[MetricSource, ...]], ...]:
    metrics = source.key_metrics
    return (
        ("UsefulnessUsabilityEfficacy", metrics.usefulness_usability_efficacy.results),
        ("FairnessEquity", metrics.fairness_equity.results),
        ("SafetyReliability", metrics.safety_reliability.results),
    )


def _result(source: MetricSource, metrics: Metrics) -> JsonValue:
    """A MetricResult. ValueJson is a JSON string. The pointer is an extension for `check_card`."""
    value: dict[str, JsonValue] = {"kind": "single", "value": look_up(metrics, source.pointer)}
    for end, pointer in (("low", source.low), ("high", source.high)):
        if pointer is not None:
            value[end] = look_up(metrics, pointer)
    return {"Label": source.label, "ValueJson": json.dumps(value), "Pointer": source.pointer}


def _filled(group: Mapping[str, JsonValue], metrics: Metrics | None) -> dict[str, JsonValue]:
    return {name: _fill(value, metrics) for name, value in group.items()}


def _fill(value: JsonValue, metrics: Metrics | None) -> JsonValue:
    if isinstance(value, str):
        return fill(value, metrics, marked=False).strip()
    if isinstance(value, dict):
        return _filled(value, metrics)
    if isinstance(value, list):
        return [_fill(item, metrics) for item in value]
    return value


def _group(card: Mapping[str, JsonValue], name: str) -> dict[str, JsonValue]:
    group = card[name]
    if not isinstance(group, dict):
        raise TypeError(f"{name} is not a group of fields")
    return group
