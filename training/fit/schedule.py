"""The phases of training: one joint phase, or the embeddings first and then the classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.network.losses.settings import TermSwitches
from training.config import TrainerSettings

CLASSIFIER = "network.classifier."
EMBEDDING_TERMS = frozenset({"audio_to_joint", "text_to_joint", "cka", "information_balance"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A range of steps with its loss terms (None: all that are switched on) and its trainable weights."""

    name: str
    first: int
    steps: int
    loss_terms: frozenset[str] | None
    trainable: str = ""  # prefix of the names of the weights that are trained

    @property
    def end(self) -> int:
        """The first step after the phase."""
        return self.first + self.steps


def plan_phases(settings: TrainerSettings, switches: TermSwitches, tasks: Sequence[str]) -> tuple[Phase, ...]:
    """The phases of a run. Mode `joint` has one phase; mode `staged` has two.

    Staged training first minimises the embedding terms, then trains the classifier on frozen embeddings. Raises
    ValueError when staged training has no embedding term.

    See docs/method.md (T1).
    """
    if settings.mode == "joint":
        return (Phase(name="joint", first=0, steps=settings.steps, loss_terms=None),)
    on = {name for name, wanted in _switched(switches).items() if wanted} & EMBEDDING_TERMS
    if not on:
        raise ValueError(
            "staged training needs a contrastive term or the CKA term: switch one of them on, or train jointly"
        )
    # Each phase keeps a step, also with few steps or a share near 0 or 1.
    first = max(1, min(settings.steps - 1, round(settings.alignment_share * settings.steps)))
    return (
        Phase(name="alignment", first=0, steps=first, loss_terms=frozenset(on)),
        Phase(
            name="head",
            first=first,
            steps=max(1, settings.steps - first),
            loss_terms=frozenset({*tasks, "router_load", "router_z"}),
            trainable=CLASSIFIER,
        ),
    )


def _switched(switches: TermSwitches) -> Mapping[str, bool]:
    return {name: bool(getattr(switches, name)) for name in TermSwitches.model_fields}
