"""The learner of a fold: a network with its objective, and how both are built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from model.network.batch import DocumentBatch
from model.network.dropout import DropoutNoise
from model.network.hilbert import HilbertOutput
from model.network.losses.objective import Objective, Supervision
from model.network.losses.settings import ObjectiveSettings
from training.documents.labelled import LabelledDocument, measure_features, read_labels
from training.errors import OutcomeAbsentError

Noise = UInt8[Tensor, "document byte"]


class DocumentNetwork(Protocol):
    """A network over documents: HILBERT, or a baseline."""

    def __call__(self, batch: DocumentBatch, noise: DropoutNoise | None = None) -> HilbertOutput:
        """Embeddings and logits of a batch."""
        ...

    def count_noise(self, audio_segments: int, text_segments: int) -> int:
        """Number of random bytes that dropout needs per document and pass."""
        ...

    def standardise_by(
        self,
        *,
        audio_mean: Float[Tensor, " audio_dim"],
        audio_std: Float[Tensor, " audio_dim"],
        text_mean: Float[Tensor, " text_dim"],
        text_std: Float[Tensor, " text_dim"],
    ) -> None:
        """Set the feature statistics for standardisation."""
        ...


class BuildNetwork(Protocol):
    """Builds an untrained network; its weights are drawn from torch's global generator."""

    def __call__(self) -> DocumentNetwork:
        """A new network."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerSpec:
    """The specification of a learner. All folds of a stack share it; only statistics and outcome shares differ."""

    name: str  # network and settings as text, part of the identity of a run
    build: BuildNetwork
    width: int
    outcomes: Mapping[str, tuple[str, ...]]
    objective: ObjectiveSettings


class Learner(nn.Module):
    """Network and objective as one module, so that one set of stacked tensors holds a stack of learners."""

    def __init__(self, network: DocumentNetwork, objective: Objective) -> None:
        super().__init__()
        self.network = network
        self.objective = objective

    def embed(self, groups: Sequence[DocumentBatch], noises: Sequence[Noise] | None = None) -> HilbertOutput:
        """Run the network on groups of documents of equal padded length; rows follow the order of the groups."""
        drawn = [None] * len(groups) if noises is None else [DropoutNoise(noise) for noise in noises]
        return _concatenate([self.network(group, noise) for group, noise in zip(groups, drawn, strict=True)])

    def forward(
        self,
        groups: Sequence[DocumentBatch],
        noises: Sequence[Noise],
        supervision: Supervision,
        progress: Float[Tensor, ""],
        loss_terms: frozenset[str] | None,
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        """The weighted total of the `counted` terms (None: all) of one training step, and every term by name.

        See docs/method.md (T1).
        """
        terms = self.objective(self.embed(groups, noises), supervision, progress)
        if loss_terms is None:
            return terms.total, dict(terms.values)
        chosen = [self.objective.weight(name) * value for name, value in terms.values.items() if name in loss_terms]
        return torch.stack(chosen).sum(), dict(terms.values)


def build_learner(spec: LearnerSpec, documents: Sequence[LabelledDocument], seed: int) -> Learner:
    """A learner with new weights, and with feature statistics and outcome shares of the training documents.

    Raises OutcomeAbsentError when an outcome has no training document.
    """
    # The caller's generator stays as it is. Weights are drawn on the CPU, so no state of a GPU has to be saved.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = spec.build()
        objective = Objective(
            width=spec.width, priors=outcome_shares(spec.outcomes, documents), settings=spec.objective
        )
    statistics = measure_features(documents)
    network.standardise_by(
        audio_mean=statistics.audio_mean,
        audio_std=statistics.audio_std,
        text_mean=statistics.text_mean,
        text_std=statistics.text_std,
    )
    return Learner(network, objective)


def outcome_shares(
    outcomes: Mapping[str, tuple[str, ...]], documents: Sequence[LabelledDocument]
) -> dict[str, tuple[float, ...]]:
    """The share of each outcome among the labelled documents, by task; raises OutcomeAbsentError for a share of 0."""
    shares = {}
    for task, names in outcomes.items():
        labels = read_labels(documents, task)
        # `bincount` ends at the largest label that occurs; an absent last outcome must be counted too.
        counts = np.bincount(labels[labels >= 0], minlength=len(names))
        absent = [name for name, count in zip(names, counts, strict=True) if not count]
        if absent:
            raise OutcomeAbsentError(
                f"no training document has the outcome {', '.join(absent)} of {task}: "
                "use fewer folds, join rare outcomes, or collect more"
            )
        shares[task] = tuple((counts / counts.sum()).tolist())
    return shares


def _concatenate(outputs: Sequence[HilbertOutput]) -> HilbertOutput:
    if len(outputs) == 1:
        return outputs[0]
    return HilbertOutput(
        audio=torch.cat([output.audio for output in outputs]),
        text=torch.cat([output.text for output in outputs]),
        joint=torch.cat([output.joint for output in outputs]),
        logits={task: torch.cat([output.logits[task] for output in outputs]) for task in outputs[0].logits},
        router_logits=torch.cat([output.router_logits for output in outputs]),
    )
