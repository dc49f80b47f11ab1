"""The loss terms of training and their weights (docs/method.md, Losses; the weights are ours)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from model.config import FrozenSettings
from model.network.losses.cka import CkaEstimator

BalanceEstimator = Literal["infonce", "hsic", "abs"]
NegativesOutside = Literal["person", "family"]


class TermSwitches(FrozenSettings):
    """Switches of the terms; a term that is off is not computed."""

    task: bool = Field(default=True, description="the cross-entropy of every task")
    audio_to_joint: bool = Field(default=True, description="symmetric contrastive loss of audio and joint")
    text_to_joint: bool = Field(default=True, description="symmetric contrastive loss of text and joint")
    cka: bool = Field(default=True, description="the joint space keeps the geometry of each modality")
    information_balance: bool = Field(default=True, description="penalty on the gap of information shares")
    router_load: bool = Field(default=True, description="penalty on unequal loads of the experts")
    router_z: bool = Field(default=True, description="penalty on large router logits")

    @model_validator(mode="after")
    def _some_term_is_on(self) -> TermSwitches:
        if not any(self.model_dump().values()):
            raise ValueError("every term is off: switch at least one on")
        return self


class TermWeights(FrozenSettings):
    """Weights of the terms; each task has weight 1.

    Ranges for a search: contrastive 0.1-1, CKA 0.03-0.3, balance 0.01-0.2.
    """

    contrastive: float = Field(default=0.5, ge=0, description="of the mean of audio_to_joint and text_to_joint")
    cka: float = Field(default=0.1, ge=0)
    information_balance: float = Field(default=0.05, ge=0)
    router_load: float = Field(default=0.01, ge=0)
    router_z: float = Field(default=0.001, ge=0)


class ObjectiveSettings(FrozenSettings):
    """The losses of a run."""

    terms: TermSwitches = TermSwitches()
    weights: TermWeights = TermWeights()
    logit_adjustment: Literal[0, 1] = Field(default=0, description="tau_la: 0 plain, 1 adjusted by the outcome shares")
    head_width: int = Field(default=128, ge=1, description="dimension of the contrastive heads' vectors")
    sharpest: float = Field(default=30.0, gt=0, description="cap on exp(theta); 30 below 1000 documents")
    negatives_outside: NegativesOutside = Field(
        default="person", description="documents never used as negatives: those of the same person, or family"
    )
    cka_estimator: CkaEstimator = Field(default="unbiased", description="biased is for the ablation only")
    balance_estimator: BalanceEstimator = Field(
        default="infonce",
        description="hsic if the contrastive terms are off; abs (no stop-gradient) is an ablation",
    )
    balance_margin: float = Field(default=0.05, ge=0, lt=1, description="gap of the shares without a penalty")
    balance_start: float = Field(default=0.25, ge=0, le=1, description="share of the steps before the term is used")

    @model_validator(mode="after")
    def _balance_reads_trained_heads(self) -> ObjectiveSettings:
        contrasted = self.terms.audio_to_joint and self.terms.text_to_joint
        if self.terms.information_balance and self.balance_estimator != "hsic" and not contrasted:
            raise ValueError(
                f"the balance estimator {self.balance_estimator} needs the contrastive heads, which no term trains: "
                "choose hsic, switch information_balance off, or switch audio_to_joint and text_to_joint on"
            )
        return self
