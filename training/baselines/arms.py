"""The arms of an evaluation: networks, titles, and the settings of each tuning candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from model.config import NetworkSettings
from model.network.checkpoint import NetworkDescription, build
from model.network.losses.settings import ObjectiveSettings, TermSwitches
from training.baselines.pooled import Modality, PooledNetwork
from training.config import ArmName, CandidateSettings, RunSettings, TrainerSettings
from training.fit.learner import BuildNetwork, LearnerSpec

HILBERT: ArmName = "hilbert"
ARM_TITLES: Mapping[ArmName, str] = {
    "hilbert": "HILBERT",
    "audio_only": "audio only",
    "text_only": "text only",
    "early_concat": "early concatenation",
    "late_fusion": "late fusion",
}
ARM_MODALITIES: Mapping[ArmName, tuple[Modality, ...]] = {
    "audio_only": ("audio",),
    "text_only": ("text",),
    "early_concat": ("audio", "text"),
}
TASK_LOSS_ONLY = TermSwitches(
    audio_to_joint=False,
    text_to_joint=False,
    cka=False,
    information_balance=False,
    router_load=False,
    router_z=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDims:
    """Feature dimensions of the speech and the text encoder."""

    audio: int
    text: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCandidate:
    """One tuning candidate of an arm, with all that training needs."""

    settings: CandidateSettings
    spec: LearnerSpec
    trainer: TrainerSettings
    modality_dropout: float


def arm_candidates(arm: ArmName, dims: FeatureDims, settings: RunSettings) -> tuple[ArmCandidate, ...]:
    """The candidates of an arm. All arms have the same candidates, so that their tuning budget is equal.

    See docs/method.md (B1).
    """
    return tuple(_arm_candidate(arm, candidate, dims, settings) for candidate in settings.candidates)


def describe_network(candidate: CandidateSettings, dims: FeatureDims, settings: RunSettings) -> NetworkDescription:
    """The description of a candidate's HILBERT network."""
    return NetworkDescription(
        audio_dim=dims.audio,
        text_dim=dims.text,
        outcomes=dict(settings.tasks),
        network=_network(candidate, settings),
    )


def _arm_candidate(
    arm: ArmName, candidate: CandidateSettings, dims: FeatureDims, settings: RunSettings
) -> ArmCandidate:
    network = _network(candidate, settings)
    changed = {
        name: value for name in ("learning_rate", "weight_decay") if (value := getattr(candidate, name)) is not None
    }
    # Baselines are trained on the task loss only, in one phase: they have no embeddings to align first.
    trainer = settings.trainer.model_copy(update=changed if arm == HILBERT else changed | {"mode": "joint"})
    build_network, objective = _builder(arm, candidate, dims, settings)
    return ArmCandidate(
        settings=candidate,
        spec=LearnerSpec(
            # Part of the identity of a run: a network of other sizes is trained anew.
            name=f"{arm} {network.model_dump_json()} {dims.audio} {dims.text}",
            build=build_network,
            width=network.width,
            outcomes=settings.tasks,
            objective=objective,
        ),
        trainer=trainer,
        modality_dropout=network.modality_dropout,
    )


def _builder(
    arm: ArmName, candidate: CandidateSettings, dims: FeatureDims, settings: RunSettings
) -> tuple[BuildNetwork, ObjectiveSettings]:
    if arm == HILBERT:
        return partial(build, describe_network(candidate, dims, settings)), settings.objective
    network = _network(candidate, settings)
    pooled = partial(
        PooledNetwork,
        dims={"audio": dims.audio, "text": dims.text},
        modalities=ARM_MODALITIES[arm],
        outcomes={task: len(names) for task, names in settings.tasks.items()},
        width=network.width,
        dropout=network.dropout,
    )
    # The logit adjustment is that of HILBERT, so that both minimise the same task loss.
    alone = ObjectiveSettings(terms=TASK_LOSS_ONLY, logit_adjustment=settings.objective.logit_adjustment)
    return pooled, alone


def _network(candidate: CandidateSettings, settings: RunSettings) -> NetworkSettings:
    changed = {
        name: value for name in ("dropout", "modality_dropout") if (value := getattr(candidate, name)) is not None
    }
    return settings.network.model_copy(update=changed)
