"""The learners of several folds as one module: stacked weights, and every operation applied to all folds at once.

`torch.func.vmap` maps the learner over the stacked weights. A stack of one fold is called without `vmap`. Such stacks,
trained one after the other, are the sequential loop that larger stacks are tested against.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import _pytree as pytree

from model.network.batch import DocumentBatch
from model.network.hilbert import HilbertOutput
from model.network.losses.objective import Supervision
from training.documents.stacked import BATCH_FIELDS, StackedDocuments, Tensors
from training.fit.learner import Learner

T = TypeVar("T")
Weights = dict[str, Tensor]
Presence = tuple[Bool[Tensor, "fold document"], Bool[Tensor, "fold document"]]


class FoldStack:
    """The learners of several folds. `parameters` and `buffers` have "fold" as their first axis."""

    def __init__(self, learners: Sequence[Learner], device: torch.device) -> None:
        parameters, buffers = stack_module_state(list(learners))
        self.folds = len(learners)
        # `detach` and `to` come before `requires_grad_`: an optimiser accepts leaf tensors only.
        self.parameters: Weights = {
            name: value.detach().to(device).requires_grad_() for name, value in parameters.items()
        }
        self.buffers: Weights = {name: value.detach().to(device) for name, value in buffers.items()}
        self._template = copy.deepcopy(learners[0])
        self._embedding = _Embedding(self._template)

    def terms(
        self,
        documents: StackedDocuments,
        *,
        presences: Sequence[Presence],
        noises: Sequence[Tensor],
        progress: float,
        loss_terms: frozenset[str] | None,
    ) -> tuple[Float[Tensor, " fold"], Mapping[str, Float[Tensor, " fold"]]]:
        """The weighted total loss and the named terms of one training step, each with the axis "fold".

        See docs/method.md (T10).
        """
        at = torch.tensor(progress, device=documents.person.device)

        def step(
            state: Weights, groups: Sequence[Tensors], noises: Sequence[Tensor], known: Sequence[Tensor]
        ) -> tuple[Tensor, dict[str, Tensor]]:
            # Dataclasses are made inside the mapped function, because `vmap` maps tuples and dicts of tensors only.
            batches = [_batch(group) for group in groups]
            supervision = _supervise(batches, known, tuple(documents.labels))
            losses: tuple[Tensor, dict[str, Tensor]]
            losses = functional_call(self._template, state, (batches, noises, supervision, at, loss_terms))
            return losses

        # `audio_present` and `text_present` are the last two fields of a DocumentBatch.
        dropped = [(*group[:-2], *presence) for group, presence in zip(documents.groups, presences, strict=True)]
        known = (documents.person, documents.family, *documents.labels.values())
        totals, values = self._map(step, self.parameters | self.buffers, tuple(dropped), tuple(noises), known)
        return totals, values

    @torch.no_grad()
    def logits(self, documents: StackedDocuments) -> Mapping[str, Float[np.ndarray, "fold document outcome"]]:
        """Logits without dropout, by task, in the order of the stacked documents."""

        def predict(state: Weights, groups: Sequence[Tensors]) -> dict[str, Tensor]:
            output: HilbertOutput = functional_call(
                self._embedding, _below("learner", state), ([_batch(group) for group in groups],)
            )
            return output.logits

        logits_by_task = self._map(predict, self.parameters | self.buffers, documents.groups)
        return {task: logits.cpu().numpy() for task, logits in logits_by_task.items()}

    def count_noise(self, segments: int) -> int:
        """Number of random bytes that dropout needs for a document padded to `segments` segments."""
        return self._template.network.count_noise(segments, segments)

    def unstack(self, weights: Weights, fold: int) -> Learner:
        """The learner of one fold with the given stacked weights, on the CPU and in evaluation mode."""
        learner = copy.deepcopy(self._template)
        state = {name: value[fold].detach().cpu().clone() for name, value in (weights | self.buffers).items()}
        learner.load_state_dict(state, strict=False)  # non-persistent buffers come from the template
        return learner.eval()

    def _map(self, call: Callable[..., T], *stacked: object) -> T:
        if self.folds == 1:
            single = pytree.tree_map(lambda tensor: tensor.squeeze(0), stacked)
            alone: T = pytree.tree_map(lambda tensor: tensor.unsqueeze(0), call(*single))
            return alone
        # Only the math kernel of attention supports vmap over stacked keys without falling back to a loop.
        with sdpa_kernel(SDPBackend.MATH):
            mapped: T = vmap(call)(*stacked)
        return mapped


class _Embedding(nn.Module):
    """Exposes `Learner.embed` as `forward`, because `functional_call` calls `forward`."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner = learner

    def forward(self, groups: Sequence[DocumentBatch]) -> HilbertOutput:
        return self.learner.embed(groups)


def _batch(group: Tensors) -> DocumentBatch:
    return DocumentBatch(**dict(zip(BATCH_FIELDS, group, strict=True)))


def _supervise(batches: Sequence[DocumentBatch], known: Sequence[Tensor], tasks: Sequence[str]) -> Supervision:
    person, family, *labels = known
    # As in the network: a modality whose segments are all masked is missing.
    return Supervision(
        audio_present=torch.cat([batch.audio_present & batch.audio_mask.any(dim=1) for batch in batches]),
        text_present=torch.cat([batch.text_present & batch.text_mask.any(dim=1) for batch in batches]),
        person=person,
        family=family,
        labels=dict(zip(tasks, labels, strict=True)),
    )


def _below(prefix: str, state: Weights) -> Weights:
    return {f"{prefix}.{name}": value for name, value in state.items()}
