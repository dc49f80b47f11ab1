"""Training with plain cross-entropy: AdamW, warm-up and cosine, modality dropout, early stopping."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from model.network.checkpoint import NetworkDescription, build
from model.network.hilbert import Hilbert
from training.batches import (
    LabelledBatch,
    LabelledDocument,
    collate,
    drop_modalities,
    measure_features,
)
from training.cohort.cohort import MISSING
from training.config import TrainerSettings
from training.metrics import log_loss, macro_auroc, softmax

LOG_LOSS = "log_loss"


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """What was seen after an epoch: losses in nats; AUROC None where no outcome could be measured."""

    number: int
    training_loss: float
    validation_loss: float
    validation_auroc: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The network as it was after its best epoch, in evaluation mode, and the way there."""

    network: Hilbert
    best: Epoch
    history: tuple[Epoch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """The documents of one run: those that train and those that decide when to stop."""

    train: Sequence[LabelledDocument]
    validation: Sequence[LabelledDocument]


def train_network(
    description: NetworkDescription, fold: Fold, settings: TrainerSettings, report: Callable[[Epoch], None]
) -> Trained:
    """A network trained from fresh weights; equal arguments give equal weights on one machine and thread count.

    Feature statistics come from the training documents alone. `report` is called after every epoch.
    """
    torch.manual_seed(settings.seed)
    network = build(description)
    _standardise(network, fold.train)
    course = _Course(network, description, fold, settings)
    history: list[Epoch] = []
    best: Epoch | None = None
    weights: dict[str, Tensor] = {}
    for number in range(1, settings.epochs + 1):
        epoch = course.run(number)
        history.append(epoch)
        report(epoch)
        if best is None or _score(epoch, settings) > _score(best, settings):
            best, weights = epoch, {name: value.clone() for name, value in network.state_dict().items()}
        elif number - best.number >= settings.patience:
            break
    assert best is not None  # noqa: S101 - at least one epoch, by the settings
    network.load_state_dict(weights)
    return Trained(network=network.eval(), best=best, history=tuple(history))


def predict_logits(
    network: Hilbert, documents: Sequence[LabelledDocument], *, batch: int = 64
) -> Mapping[str, Float32[np.ndarray, "document outcome"]]:
    """Logits by task, in the order of the documents; the network must be in evaluation mode."""
    parts: dict[str, list[np.ndarray]] = {}
    with torch.inference_mode():
        for start in range(0, len(documents), batch):
            output = network(collate(documents[start : start + batch]).documents)
            for task, logits in output.logits.items():
                parts.setdefault(task, []).append(logits.numpy())
    return {task: np.concatenate(logits) for task, logits in parts.items()}


def read_labels(documents: Sequence[LabelledDocument], task: str) -> Int64[np.ndarray, " document"]:
    """The documents' labels of a task, -1 where missing."""
    return np.array([document.labels.get(task, MISSING) for document in documents], dtype=np.int64)


def cross_entropy_of(
    logits: Mapping[str, Float[Tensor, "document _"]], labels: Mapping[str, Int64[Tensor, " document"]]
) -> Float[Tensor, ""]:
    """Sum over tasks of the mean cross-entropy of the labelled documents; a task without any adds nothing."""
    terms = [
        cross_entropy(logits[task], found, ignore_index=MISSING)
        for task, found in labels.items()
        if task in logits and bool((found != MISSING).any())
    ]
    return torch.stack(terms).sum() if terms else torch.zeros((), requires_grad=True)


class _Course:
    """The moving parts of a run: optimiser, schedule, chance."""

    def __init__(
        self, network: Hilbert, description: NetworkDescription, fold: Fold, settings: TrainerSettings
    ) -> None:
        self.network = network
        self.description = description
        self.fold = fold
        self.settings = settings
        self.chance = torch.Generator().manual_seed(settings.seed)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        steps = settings.epochs * math.ceil(len(fold.train) / settings.batch)
        warmup = max(1, round(settings.warmup * steps))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda step: warm_up_then_cosine(step, warmup=warmup, steps=steps)
        )

    def run(self, number: int) -> Epoch:
        """One pass over the training documents, then a look at the validation documents."""
        self.network.train()
        losses = [self._step(batch) for batch in self._batches()]
        self.network.eval()
        loss, auroc = self._validate()
        return Epoch(number=number, training_loss=float(np.mean(losses)), validation_loss=loss, validation_auroc=auroc)

    def _batches(self) -> Iterator[LabelledBatch]:
        order = torch.randperm(len(self.fold.train), generator=self.chance).tolist()
        for start in range(0, len(order), self.settings.batch):
            yield collate([self.fold.train[row] for row in order[start : start + self.settings.batch]])

    def _step(self, batch: LabelledBatch) -> float:
        share = self.description.network.modality_dropout
        documents = drop_modalities(batch.documents, share=share, generator=self.chance)
        loss = cross_entropy_of(self.network(documents).logits, batch.labels)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        self.optimiser.step()
        self.schedule.step()
        return float(loss.detach())

    def _validate(self) -> tuple[float, float | None]:
        """Log loss summed over tasks, and the mean of their macro AUROC."""
        losses, aurocs = [], []
        for task, logits in predict_logits(self.network, self.fold.validation).items():
            labels = read_labels(self.fold.validation, task)
            probabilities = softmax(logits)
            losses.append(log_loss(probabilities, labels))
            measured = macro_auroc(probabilities, labels, self.description.outcomes[task]).value
            aurocs += [] if measured is None else [measured]
        return float(np.nansum(losses)), float(np.mean(aurocs)) if aurocs else None


def warm_up_then_cosine(step: int, *, warmup: int, steps: int) -> float:
    """Share of the learning rate: rises linearly over the warm-up, then falls to 0 along half a cosine."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))


def _standardise(network: Hilbert, documents: Sequence[LabelledDocument]) -> None:
    statistics = measure_features(documents)
    network.standardise_by(
        audio_mean=statistics.audio_mean,
        audio_std=statistics.audio_std,
        text_mean=statistics.text_mean,
        text_std=statistics.text_std,
    )


def _score(epoch: Epoch, settings: TrainerSettings) -> float:
    """Larger is better."""
    if settings.stop_on == LOG_LOSS:
        return -epoch.validation_loss
    return -math.inf if epoch.validation_auroc is None else epoch.validation_auroc
