"""The golden recording of a bundle: segments of speech, and the output of the bundle for them at its release."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError

from model.config import FrozenSettings
from model.errors import BundleInvalid
from model.features import SegmentChunk, SegmentFeatures

FOLDER = "golden"
MATERIAL = "material.safetensors"
FEATURES = "features.safetensors"
ANSWERS = "answers.json"


class GoldenContributions(FrozenSettings):
    """Modality contributions to the log-odds of an outcome."""

    audio: float
    text: float
    interaction: float
    baseline: float
    total: float


class GoldenAnswer(FrozenSettings):
    """Calibrated probabilities of a task, with both modalities and with each alone, and the contributions."""

    both: tuple[float, ...]
    audio: tuple[float, ...]
    text: tuple[float, ...]
    contributions: tuple[GoldenContributions, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenOutput:
    """The output of a bundle for some segments: the features of both encoders, and the answer for each task."""

    features: SegmentFeatures
    answers: dict[str, GoldenAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """The segments, and the expected output for them."""

    material: SegmentChunk
    expected: GoldenOutput


_ANSWERS = TypeAdapter(dict[str, GoldenAnswer])


def write_golden(bundle: Path, golden: Golden) -> None:
    """Write a golden recording into the folder of an unfinished bundle."""
    folder = bundle / FOLDER
    folder.mkdir()
    (folder / MATERIAL).write_bytes(golden.material.to_bytes())
    (folder / FEATURES).write_bytes(golden.expected.features.to_bytes())
    (folder / ANSWERS).write_bytes(_ANSWERS.dump_json(golden.expected.answers, indent=2) + b"\n")


def read_golden(bundle: Path) -> Golden:
    """Read the golden recording of a verified bundle; raises BundleInvalid."""
    folder = bundle / FOLDER
    try:
        return Golden(
            material=SegmentChunk.from_bytes((folder / MATERIAL).read_bytes()),
            expected=GoldenOutput(
                features=SegmentFeatures.from_bytes((folder / FEATURES).read_bytes()),
                answers=_ANSWERS.validate_json((folder / ANSWERS).read_bytes()),
            ),
        )
    except OSError as error:
        raise BundleInvalid("the bundle has no golden recording for the self-test") from error
    except (SafetensorError, ValidationError, KeyError, TypeError, ValueError) as error:
        raise BundleInvalid("the bundle's golden recording is malformed") from error
