"""Contribution of each modality and each segment to the score (docs/method.md, "Contributions, exact").

The Shapley values have two players, {audio, text}: v(S) is the log-odds of the reported outcome when the modalities
outside S are replaced by their trained null tokens. The joint embedding is computed from both modalities and is not a
player. Gate weights and attention weights are not contributions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from model.features import SegmentFeatures
from model.scoring import Scorer, withhold

# log-odds; shares of a smaller total would be a ratio of numerical noise
SHARE_FLOOR = 0.05
SMALLEST_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalityContributions:
    """Exact Shapley values in log-odds: audio + text = total - baseline."""

    outcome: str
    audio: float
    text: float
    interaction: float
    baseline: float
    total: float
    probability_audio: float
    probability_text: float
    share_audio: float | None
    share_text: float | None
    stable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentEffects:
    """Change of the log-odds by the audio or text of each segment: v(all) - v(all but this one)."""

    audio: Float[np.ndarray, " segment"]
    text: Float[np.ndarray, " segment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoalitionValues:
    """The values of the four coalitions."""

    none: float
    audio: float
    text: float
    both: float

    @property
    def shapley_audio(self) -> float:
        """1/2 [v(a) - v(0)] + 1/2 [v(at) - v(t)]. See docs/method.md (C2)."""
        return 0.5 * (self.audio - self.none) + 0.5 * (self.both - self.text)

    @property
    def shapley_text(self) -> float:
        """1/2 [v(t) - v(0)] + 1/2 [v(at) - v(a)]. See docs/method.md (C2)."""
        return 0.5 * (self.text - self.none) + 0.5 * (self.both - self.audio)

    @property
    def interaction(self) -> float:
        """v(at) - v(a) - v(t) + v(0). See docs/method.md (C3)."""
        return self.both - self.audio - self.text + self.none


def contributions(scorer: Scorer, document: SegmentFeatures, *, task: str, outcome: int) -> ModalityContributions:
    """Exact contributions of audio and text to the log-odds of one outcome, from seven rows of the graph.

    `stable` is false when a contribution changes its sign under the other common baseline, which replaces a withheld
    modality by the mean features of the training documents.

    See docs/method.md (C1, C4, C5, C6).
    """
    views = [
        withhold(document, audio=True, text=True),
        withhold(document, text=True),
        withhold(document, audio=True),
        document,
    ]
    means = [_impute(scorer, document, audio=a, text=t) for a, t in ((True, True), (False, True), (True, False))]
    risks = scorer.risks([*views, *means], task)[:, outcome]
    odds, probabilities = _coalition_values(_log_odds(risks[:4])), _coalition_values(risks[:4])
    # With nothing withheld both games have the same value.
    imputed = _coalition_values(_log_odds(np.append(risks[4:], risks[3])))
    magnitude = abs(odds.shapley_audio) + abs(odds.shapley_text)
    share = abs(odds.shapley_audio) / magnitude if magnitude > SHARE_FLOOR else None
    return ModalityContributions(
        outcome=scorer.bundle.task(task).outcomes[outcome],
        audio=odds.shapley_audio,
        text=odds.shapley_text,
        interaction=odds.interaction,
        baseline=odds.none,
        total=odds.both,
        probability_audio=probabilities.shapley_audio,
        probability_text=probabilities.shapley_text,
        share_audio=share,
        share_text=None if share is None else 1.0 - share,
        stable=_same_sign(odds.shapley_audio, imputed.shapley_audio)
        and _same_sign(odds.shapley_text, imputed.shapley_text),
    )


def segment_effects(scorer: Scorer, document: SegmentFeatures, *, task: str, outcome: int) -> SegmentEffects:
    """Effect of withholding each segment, by modality; 0 where a segment lacks it. See docs/method.md (C7)."""
    audio_at, text_at = np.flatnonzero(document.audio_mask), np.flatnonzero(document.text_mask)
    marks = np.eye(len(document.indices), dtype=np.bool_)
    views = [document, *(withhold(document, audio=marks[i]) for i in audio_at)]
    views += [withhold(document, text=marks[i]) for i in text_at]
    odds = _log_odds(scorer.risks(views, task)[:, outcome])
    effects = SegmentEffects(audio=np.zeros(len(marks)), text=np.zeros(len(marks)))
    effects.audio[audio_at] = odds[0] - odds[1 : 1 + len(audio_at)]
    effects.text[text_at] = odds[0] - odds[1 + len(audio_at) :]
    return effects


def _impute(scorer: Scorer, document: SegmentFeatures, *, audio: bool, text: bool) -> SegmentFeatures:
    """Replace the features of a modality by the training mean; the masks stay."""
    calibration = scorer.bundle.calibration
    audio_mean = np.broadcast_to(np.array(calibration.audio_mean, dtype=np.float32), document.audio.shape)
    text_mean = np.broadcast_to(np.array(calibration.text_mean, dtype=np.float32), document.text.shape)
    return replace(
        document,
        audio=audio_mean if audio else document.audio,
        text=text_mean if text else document.text,
    )


def _coalition_values(values: Float[np.ndarray, " 4"]) -> CoalitionValues:
    none, audio, text, both = (float(value) for value in values)
    return CoalitionValues(none=none, audio=audio, text=text, both=both)


def _log_odds(probability: Float[np.ndarray, " view"]) -> Float[np.ndarray, " view"]:
    # At a probability of 0 or 1 the log-odds are infinite.
    bounded = np.clip(probability, SMALLEST_PROBABILITY, 1.0 - SMALLEST_PROBABILITY)
    odds: Float[np.ndarray, " view"] = np.log(bounded) - np.log1p(-bounded)
    return odds


def _same_sign(left: float, right: float) -> bool:
    """Whether two contributions have the same sign; a contribution near zero agrees with any."""
    return left * right > 0 or min(abs(left), abs(right)) < SHARE_FLOOR
