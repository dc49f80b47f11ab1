"""The model card of a bundle: rendered from its source, and checked against the evaluation."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import ModelCard, ModelCardData
from pydantic import JsonValue, TypeAdapter, ValidationError

from model.bundle.manifest import ABOUT, CARD, CARD_SOURCE, EVALUATION, MANIFEST, README, SPEECH, TEXT, Manifest
from model.encoders.description import read_description
from training.card.chai import write_chai
from training.card.numbers import Metrics, check_marked, look_up, refuse_difference
from training.card.readme import write_readme
from training.card.source import read_source
from training.errors import CardError
from training.robustness.files import read_table

DEMONSTRATION_CARD = Path(__file__).parent / "demonstration.yaml"

_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)
_ABOUT = TypeAdapter(dict[str, JsonValue])


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Both forms of a card: README.md for people, and card.json in the fields of CHAI."""

    readme: str
    chai: str


def render_card(folder: Path, manifest: Manifest) -> Card:
    """Render the card of an unfinished bundle from card.yaml, evaluation.json and about.json; raises CardError."""
    source, metrics = read_source(folder / CARD_SOURCE), read_metrics(folder / EVALUATION)
    about = _ABOUT.validate_json((folder / ABOUT).read_bytes()) if (folder / ABOUT).exists() else None
    encoders = {name: read_description(folder / name) for name in (SPEECH, TEXT)}
    card = Card(
        readme=write_readme(source, manifest, encoders, metrics, about, read_table(folder)),
        chai=json.dumps(write_chai(source, manifest, metrics), indent=2, ensure_ascii=False) + "\n",
    )
    if metrics is not None:
        check_card(card, metrics)
    return card


def write_card(folder: Path, card: Card) -> None:
    """Write README.md and card.json into a bundle."""
    (folder / README).write_text(card.readme, encoding="utf-8")
    (folder / CARD).write_text(card.chai, encoding="utf-8")


def read_card(folder: Path) -> Card:
    """Read README.md and card.json of a bundle; raises CardError."""
    try:
        return Card(
            readme=(folder / README).read_text(encoding="utf-8"), chai=(folder / CARD).read_text(encoding="utf-8")
        )
    except (OSError, UnicodeDecodeError) as error:
        raise CardError("the bundle has no readable card") from error


def read_metrics(file: Path) -> Metrics | None:
    """Read the metrics.json of an evaluation; None when there is none. Raises CardError."""
    try:
        return _JSON.validate_json(file.read_bytes()) if file.exists() else None
    except ValidationError as error:
        raise CardError(f"{file.name} is not a JSON file") from error


def check_bundle_card(folder: Path) -> int:
    """Compare the card of a bundle with its evaluation and its source; returns the number of compared numbers.

    Raises CardError with the first number that differs, or with the form that the source does not give.
    """
    card, metrics = read_card(folder), read_metrics(folder / EVALUATION)
    checked = 0 if metrics is None else check_card(card, metrics)
    expected = render_card(folder, Manifest.model_validate_json((folder / MANIFEST).read_bytes()))
    for name, actual, rendered in ((README, card.readme, expected.readme), (CARD, card.chai, expected.chai)):
        if actual != rendered:
            raise CardError(f"{name} is not what {CARD_SOURCE}, the manifest and the evaluation give")
    return checked


def check_card(card: Card, metrics: Metrics) -> int:
    """Compare every number of a card with the evaluation; returns the number of compared numbers.

    Raises CardError with the first number that differs and both values.
    """
    return (
        check_marked(card.readme, metrics) + _check_model_index(card.readme, metrics) + _check_chai(card.chai, metrics)
    )


def _check_model_index(readme: str, metrics: Metrics) -> int:
    try:
        data = ModelCard(readme, ignore_metadata_errors=False).data
        results = (data.eval_results if isinstance(data, ModelCardData) else None) or []
    except ValueError as error:
        raise CardError(f"the front matter of {README} is malformed") from error
    for result in results:
        arguments = result.metric_args
        pointer = arguments.get("pointer") if isinstance(arguments, dict) else None
        if not isinstance(pointer, str):
            raise CardError(f"the model-index has a {result.metric_type} without a pointer into the evaluation")
        _compare(pointer, result.metric_value, metrics)
    return len(results)


def _check_chai(chai: str, metrics: Metrics) -> int:
    try:
        questions = json.loads(chai)["AppliedModelCard"]["KeyMetrics"].values()
        results = [result for question in questions for result in question["Results"]]
        pairs = [(result["Pointer"], json.loads(result["ValueJson"])["value"]) for result in results]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CardError(f"{CARD} is malformed") from error
    for pointer, value in pairs:
        _compare(pointer, value, metrics)
    return len(pairs)


def _compare(pointer: str, shown: object, metrics: Metrics) -> None:
    value = look_up(metrics, pointer)
    if shown is None or value is None:
        agree = shown is value
    else:
        agree = isinstance(shown, int | float) and math.isclose(shown, value, rel_tol=1e-12)
    if not agree:
        refuse_difference(pointer, shown, value)
