"""Calibrated probabilities from the features of a recording, by the network graph of the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from model.bundle.bundle import Bundle
from model.bundle.graph import INPUTS, logits_name
from model.encoders.running import GraphRunner
from model.encoders.runtime import RuntimeOptions
from model.features import SegmentFeatures

# Rows of one run of the graph. It bounds the memory of explanations, which withhold every segment in turn.
ROWS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Probabilities:
    """Calibrated risk of each outcome of a task."""

    task: str
    outcomes: tuple[str, ...]
    values: Float[np.ndarray, " outcome"]

    @property
    def top(self) -> int:
        """Index of the most probable outcome."""
        return int(np.argmax(self.values))


class Scorer:
    """The network of one bundle with its calibration.

    It runs on the CPU, whatever the encoders run on: for a few hundred vectors the transfer to a GPU and back takes
    longer than the computation, and probabilities then depend on one provider less (decision 0020).
    """

    def __init__(self, bundle: Bundle, options: RuntimeOptions) -> None:
        self.bundle = bundle
        self._runner = GraphRunner(bundle.network, RuntimeOptions(threads=options.threads))
        self.provider: str = self._runner.provider

    def score(self, document: SegmentFeatures, task: str) -> Probabilities:
        """Calibrated probabilities of a document; raises TaskNotInBundle."""
        return Probabilities(
            task=task, outcomes=self.bundle.task(task).outcomes, values=self.risks([document], task)[0]
        )

    def risks(self, views: Sequence[SegmentFeatures], task: str) -> Float[np.ndarray, "view outcome"]:
        """softmax((o + tau log prior) / T), "view outcome", for several views of the same segments of one recording.

        Computed in float64, so that the log-odds of extreme probabilities stay finite.

        See docs/method.md (C1, K1).
        """
        calibration = self.bundle.calibration.tasks[self.bundle.task(task).name]
        logits = self.logits(views, task).astype(np.float64)
        if calibration.adjustment:
            logits += calibration.adjustment * np.log(np.array(calibration.prior))
        scaled = logits / calibration.temperature
        # Less the maximum, because `exp` of a large logit overflows.
        scaled -= scaled.max(axis=1, keepdims=True)
        exponentials = np.exp(scaled)
        risks: Float[np.ndarray, "view outcome"] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return risks

    def logits(self, views: Sequence[SegmentFeatures], task: str) -> Float[np.ndarray, "view outcome"]:
        """Raw logits, "view outcome", for several views of one recording."""
        parts = [self._run(views[first : first + ROWS], task) for first in range(0, len(views), ROWS)]
        return np.concatenate(parts)

    def _run(self, views: Sequence[SegmentFeatures], task: str) -> Float[np.ndarray, "view outcome"]:
        times = np.stack([view.times for view in views])
        audio_mask = np.stack([view.audio_mask for view in views])
        text_mask = np.stack([view.text_mask for view in views])
        arrays = (
            np.stack([view.audio for view in views]),
            np.stack([view.text for view in views]),
            audio_mask,
            text_mask,
            # Audio and text share the segments and their times.
            times,
            times,
            np.any(audio_mask, axis=1),
            np.any(text_mask, axis=1),
        )
        (logits,) = self._runner.run(dict(zip(INPUTS, arrays, strict=True)), [logits_name(task)])
        return logits


def withhold(
    document: SegmentFeatures,
    *,
    audio: Bool[np.ndarray, " segment"] | bool = False,
    text: Bool[np.ndarray, " segment"] | bool = False,
) -> SegmentFeatures:
    """The same document without the audio or text of the marked segments (True: of all segments).

    See docs/method.md (C1).
    """
    return replace(
        document,
        audio_mask=document.audio_mask & ~np.broadcast_to(audio, document.audio_mask.shape),
        text_mask=document.text_mask & ~np.broadcast_to(text, document.text_mask.shape),
    )
