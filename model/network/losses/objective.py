"""The training objective: named loss terms of a network's output, and their weighted total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from model.network.batch import DocumentBatch
from model.network.hilbert import HilbertOutput
from model.network.losses.cka import cka, cka_loss
from model.network.losses.contrastive import Candidates, Recall, contrastive_loss, log_candidate_count, recall_at_1
from model.network.losses.information_balance import (
    absolute_gap_loss,
    infonce_bound,
    information_share,
    stop_gradient_gap_loss,
)
from model.network.losses.router import load_balancing_loss, router_z_loss
from model.network.losses.rows import candidate_mask, zero_absent_rows
from model.network.losses.settings import ObjectiveSettings, TermSwitches
from model.network.losses.task import MISSING, TaskLoss
from model.network.losses.temperature import LearnedTemperature
from model.network.projection_heads import ProjectionHeads

Term = Float[Tensor, ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """Labels, relations and present modalities of the documents of a batch.

    Documents without any modality are padding. Ids are any integers; documents with a negative id are unrelated.
    """

    audio_present: Bool[Tensor, " document"]
    text_present: Bool[Tensor, " document"]
    person: Int[Tensor, " document"]
    family: Int[Tensor, " document"]
    labels: Mapping[str, Int[Tensor, " document"]]  # by task, -1 where missing


def supervise(
    batch: DocumentBatch,
    *,
    person: Int[Tensor, " document"],
    family: Int[Tensor, " document"],
    labels: Mapping[str, Int[Tensor, " document"]],
) -> Supervision:
    """The supervision of a batch. A modality without a valid segment is missing, as in the network."""
    return Supervision(
        audio_present=batch.audio_present & batch.audio_mask.any(dim=1),
        text_present=batch.text_present & batch.text_mask.any(dim=1),
        person=person,
        family=family,
        labels=labels,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The active terms by name, unweighted, and their weighted total."""

    values: Mapping[str, Term]
    total: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """Recall at 1 on held-out documents.

    The joint embedding is computed from both modalities, so a low contrastive loss may come from copying. No term
    optimises audio to text: this recall rises only if the modalities share information.
    """

    audio_to_joint: Recall
    text_to_joint: Recall
    audio_to_text: Recall


@dataclass(frozen=True, slots=True, kw_only=True)
class _Documents:
    """Embeddings of a batch, zero where absent, and the candidate masks."""

    audio: Float[Tensor, "document width"]
    text: Float[Tensor, "document width"]
    joint: Float[Tensor, "document width"]
    with_audio: Candidates
    with_text: Candidates
    with_both: Candidates


class Objective(nn.Module):
    """L = L_task + 0.5 L_con + 0.1 L_CKA + 0.05 L_bal + 0.01 L_load + 0.001 L_z, each term switchable.

    Holds the parameters of the losses (heads, temperature) and the outcome shares of the training fold. It neither
    branches on values nor selects rows, so `torch.func.stack_module_state` and `vmap` can stack the objectives of many
    folds; create the dataclasses inside the mapped function.
    """

    def __init__(self, *, width: int, priors: Mapping[str, Sequence[float]], settings: ObjectiveSettings) -> None:
        """`priors`: outcome shares of the training fold by task, in logit order.

        Raises ValueError for a share of 0, for a task with the name of a term, and without any task.
        """
        super().__init__()
        if settings.terms.task and not priors:
            raise ValueError("name at least one task with its outcome shares, or switch the term `task` off")
        # Terms and tasks are keys of one mapping.
        if taken := set(priors) & set(TermSwitches.model_fields):
            raise ValueError(f"rename the task {min(taken)}: a term of the objective has that name")
        self.settings = settings
        self.heads = ProjectionHeads(width=width, out=settings.head_width)
        self.temperature = LearnedTemperature(cap=settings.sharpest)
        self.tasks = nn.ModuleDict(
            {task: TaskLoss(prior, adjustment=float(settings.logit_adjustment)) for task, prior in priors.items()}
        )

    def forward(self, output: HilbertOutput, supervision: Supervision, progress: float | Term) -> Terms:
        """The terms of one training batch; `progress` is the share of the completed steps, 0 to 1.

        See docs/method.md (L1, L7, L11, L12).
        """
        documents = self._prepare(output, supervision)
        values = (
            self._tasks(output, supervision)
            | self._alignments(documents)
            | self._structure(documents, progress)
            | self._router(output, supervision)
        )
        total = torch.stack([self.weight(name) * value for name, value in values.items()]).sum()
        return Terms(values=values, total=total)

    def weight(self, term: str) -> float:
        """The weight of a term in the total; each contrastive term has half their weight, each task weight 1.

        See docs/method.md (L1).
        """
        weights = self.settings.weights
        return {
            "audio_to_joint": weights.contrastive / 2,
            "text_to_joint": weights.contrastive / 2,
            "cka": weights.cka,
            "information_balance": weights.information_balance,
            "router_load": weights.router_load,
            "router_z": weights.router_z,
        }.get(term, 1.0)

    @torch.no_grad()
    def retrieve(self, output: HilbertOutput, supervision: Supervision) -> Retrieval:
        """Recall at 1 over held-out documents; call it with the output of a network in evaluation mode.

        See docs/method.md (E17).
        """
        documents = self._prepare(output, supervision)
        audio, text = self.heads.audio(documents.audio), self.heads.text(documents.text)
        joint = self.heads.joint(documents.joint)
        return Retrieval(
            audio_to_joint=recall_at_1(audio, joint, documents.with_audio),
            text_to_joint=recall_at_1(text, joint, documents.with_text),
            audio_to_text=recall_at_1(audio, text, documents.with_both),
        )

    def _prepare(self, output: HilbertOutput, supervision: Supervision) -> _Documents:
        audio, text = supervision.audio_present, supervision.text_present
        groups = [supervision.person]
        if self.settings.negatives_outside == "family":
            groups.append(supervision.family)
        # Cleared before the heads: in the gradient of their weights, 0 times NaN of an absent row is NaN.
        return _Documents(
            audio=zero_absent_rows(output.audio, audio),
            text=zero_absent_rows(output.text, text),
            joint=zero_absent_rows(output.joint, audio | text),
            with_audio=candidate_mask(audio, groups),
            with_text=candidate_mask(text, groups),
            with_both=candidate_mask(audio & text, groups),
        )

    def _tasks(self, output: HilbertOutput, supervision: Supervision) -> dict[str, Term]:
        if not self.settings.terms.task:
            return {}
        counted, labels = supervision.audio_present | supervision.text_present, supervision.labels
        return {
            # A document without any modality is padding, whatever its label (decision 0008).
            task: loss(output.logits[task], torch.where(counted, labels[task], MISSING))
            for task, loss in self.tasks.items()
        }

    def _alignments(self, documents: _Documents) -> dict[str, Term]:
        terms, values = self.settings.terms, {}
        if not (terms.audio_to_joint or terms.text_to_joint):
            return {}
        scale, joint = self.temperature(), self.heads.joint(documents.joint)
        if terms.audio_to_joint:
            audio = self.heads.audio(documents.audio)
            values["audio_to_joint"] = contrastive_loss(audio, joint, documents.with_audio, scale)
        if terms.text_to_joint:
            text = self.heads.text(documents.text)
            values["text_to_joint"] = contrastive_loss(text, joint, documents.with_text, scale)
        return values

    def _structure(self, documents: _Documents, progress: float | Term) -> dict[str, Term]:
        settings, values = self.settings, {}
        if settings.terms.cka:
            estimator, joint = settings.cka_estimator, documents.joint
            audio = cka_loss(documents.audio, joint, documents.with_audio.diagonal(), estimator=estimator)
            text = cka_loss(documents.text, joint, documents.with_text.diagonal(), estimator=estimator)
            values["cka"] = 0.5 * (audio + text)
        if settings.terms.information_balance:
            # Computed from the first step on, so that the graph is constant; early bounds are noise and weigh 0.
            values["information_balance"] = self._imbalance(documents) * (progress >= settings.balance_start)
        return values

    def _imbalance(self, documents: _Documents) -> Term:
        audio, text = self._hsic_shares(documents) if self._by_hsic else self._infonce_shares(documents)
        if self.settings.balance_estimator == "abs":
            return absolute_gap_loss(audio, text)
        return stop_gradient_gap_loss(audio, text, margin=self.settings.balance_margin)

    @property
    def _by_hsic(self) -> bool:
        return self.settings.balance_estimator == "hsic"

    def _infonce_shares(self, documents: _Documents) -> tuple[Term, Term]:
        candidates, most = documents.with_both, log_candidate_count(documents.with_both)
        joint = self.heads.joint(documents.joint, frozen=True)
        audio = infonce_bound(self.heads.audio(documents.audio, frozen=True), joint, candidates)
        text = infonce_bound(self.heads.text(documents.text, frozen=True), joint, candidates)
        return information_share(audio, most), information_share(text, most)

    def _hsic_shares(self, documents: _Documents) -> tuple[Term, Term]:
        both = documents.with_both.diagonal()
        return (
            # The unbiased estimate may be negative, which is no share (L12).
            cka(documents.audio, documents.joint, both).clamp(min=0),
            cka(documents.text, documents.joint, both).clamp(min=0),
        )

    def _router(self, output: HilbertOutput, supervision: Supervision) -> dict[str, Term]:
        terms, values = self.settings.terms, {}
        counted = supervision.audio_present | supervision.text_present
        if terms.router_load:
            values["router_load"] = load_balancing_loss(output.router_logits, counted)
        if terms.router_z:
            values["router_z"] = router_z_loss(output.router_logits, counted)
        return values
