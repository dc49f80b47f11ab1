"""The self-test of a bundle: it runs all graphs on the golden recording and compares the output with the release.

Digests prove that the files are unchanged. Only a run proves that runtime, execution provider and processor compute
the same from them (decision 0014). The self-test uses the encoding and the scorer of assessments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from model.bundle.bundle import Bundle
from model.bundle.golden import Golden, GoldenAnswer, GoldenContributions, GoldenOutput
from model.encoders.cancellation import Cancellation
from model.encoders.runtime import RuntimeOptions
from model.encoders.speech import SpeechEncoder
from model.encoders.text import TextEncoder
from model.errors import SelfTestFailed
from model.explanation import contributions
from model.features import SegmentChunk, SegmentFeatures, encode_segments
from model.scoring import Scorer, withhold

FEATURE_TOLERANCE = 1e-2
PROBABILITY_TOLERANCE = 1e-3
CONTRIBUTION_TOLERANCE = 2e-2


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedGraphs:
    """Both encoders and the network of a bundle, loaded."""

    speech: SpeechEncoder
    text: TextEncoder
    scorer: Scorer

    def encode(self, chunk: SegmentChunk, cancellation: Cancellation | None = None) -> SegmentFeatures:
        """Run the frozen encoders over some segments; raises EncodingCancelled."""
        return encode_segments(chunk, speech=self.speech, text=self.text, cancellation=cancellation)

    def close(self) -> None:
        """Stop the encoders' threads."""
        self.speech.close()
        self.text.close()

    def warm_up(self) -> None:
        """Run a full batch of every bucket, where the runtime compiles or allocates per shape."""
        self.speech.warm_up()
        self.text.warm_up()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """The largest differences from the expected output."""

    speech: float  # of a segment's features, relative to their length
    text: float
    probabilities: float
    contributions: float  # log-odds

    @property
    def tolerable(self) -> bool:
        """Whether all differences are within their tolerances; NaN is not."""
        return (
            self.speech <= FEATURE_TOLERANCE
            and self.text <= FEATURE_TOLERANCE
            and self.probabilities <= PROBABILITY_TOLERANCE
            and self.contributions <= CONTRIBUTION_TOLERANCE
        )


def open_graphs(bundle: Bundle, options: RuntimeOptions) -> LoadedGraphs:
    """Load every graph of a bundle, without a self-test."""
    return LoadedGraphs(
        speech=SpeechEncoder(bundle.speech, options),
        text=TextEncoder(bundle.text, options),
        scorer=Scorer(bundle, options),
    )


def compute_output(graphs: LoadedGraphs, material: SegmentChunk) -> GoldenOutput:
    """Encode some segments and score them for every task."""
    features = graphs.encode(material)
    tasks = graphs.scorer.bundle.manifest.tasks
    return GoldenOutput(
        features=features, answers={task.name: _answer(graphs.scorer, features, task.name) for task in tasks}
    )


def run_self_test(graphs: LoadedGraphs, golden: Golden) -> Deviation:
    """Score the golden recording; raises SelfTestFailed if an output exceeds its tolerance."""
    measured = measure_deviation(golden.expected, compute_output(graphs, golden.material))
    if not measured.tolerable:
        raise SelfTestFailed(
            "the golden recording is answered otherwise than at release: "
            f"speech features by {measured.speech:.1e} and text features by {measured.text:.1e} of their length, "
            f"probabilities by {measured.probabilities:.1e}, contributions by {measured.contributions:.1e}"
        )
    return measured


def measure_deviation(expected: GoldenOutput, actual: GoldenOutput) -> Deviation:
    """Compare two outputs; outputs of different tasks, segments or outcomes differ by infinity."""
    comparable = expected.answers.keys() == actual.answers.keys()
    pairs = [(answer, actual.answers[task]) for task, answer in expected.answers.items()] if comparable else []
    risks = [_largest(_risks(answer), _risks(other)) for answer, other in pairs]
    shares = [_largest(_contributions(answer), _contributions(other)) for answer, other in pairs]
    return Deviation(
        speech=_farthest(expected.features.audio, actual.features.audio),
        text=_farthest(expected.features.text, actual.features.text),
        # `np.max`, because Python's `max` may pass over a NaN.
        probabilities=float(np.max(risks)) if pairs else np.inf,
        contributions=float(np.max(shares)) if pairs else np.inf,
    )


def _answer(scorer: Scorer, document: SegmentFeatures, task: str) -> GoldenAnswer:
    views = [document, withhold(document, text=True), withhold(document, audio=True)]
    both, audio, text = (tuple(row) for row in scorer.risks(views, task).tolist())
    parts = [contributions(scorer, document, task=task, outcome=outcome) for outcome in range(len(both))]
    return GoldenAnswer(
        both=both,
        audio=audio,
        text=text,
        contributions=tuple(
            GoldenContributions(
                audio=part.audio, text=part.text, interaction=part.interaction, baseline=part.baseline, total=part.total
            )
            for part in parts
        ),
    )


def _risks(answer: GoldenAnswer) -> Float[np.ndarray, "view outcome"]:
    return np.array([answer.both, answer.audio, answer.text])


def _contributions(answer: GoldenAnswer) -> Float[np.ndarray, "outcome part"]:
    return np.array([tuple(part.model_dump().values()) for part in answer.contributions])


def _largest(expected: Float[np.ndarray, ...], actual: Float[np.ndarray, ...]) -> float:
    if expected.shape != actual.shape:
        return float("inf")
    return float(np.max(np.abs(expected - actual), initial=0.0))


def _farthest(expected: Float[np.ndarray, ...], actual: Float[np.ndarray, ...]) -> float:
    """The largest distance of a segment's features from the expected ones, relative to the norm of the expected."""
    if expected.shape != actual.shape:
        return float("inf")
    lengths = np.linalg.norm(expected, axis=1)
    distances = np.linalg.norm(actual - expected, axis=1)
    return float(np.max(distances / np.maximum(lengths, np.finfo(np.float32).tiny), initial=0.0))
