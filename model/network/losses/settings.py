"""Which losses a network is trained for, and how much each counts (METHOD.md, Losses; the weights are ours)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from model.config import FrozenSettings
from model.network.losses.cka import CkaEstimator

BalanceEstimator = Literal["infonce", "hsic", "abs"]
NegativesOutside = Literal["person", "family"]


class TermSwitches(FrozenSettings):
    """The named terms; one that is off is not computed."""

    task: bool = Field(default=True, description="the cross-entropy of every task")
    audio_to_joint: bool = Field(default=True, description="reciprocal contrast of audio and joint")
    text_to_joint: bool = Field(default=True, description="reciprocal contrast of text and joint")
    cka: bool = Field(default=True, description="each modality's structure kept in the joint space")
    information_balance: bool = Field(default=True, description="no modality dominates the joint embedding")
    router_load: bool = Field(default=True, description="experts share the load")
    router_z: bool = Field(default=True, description="router logits stay small")

    @model_validator(mode="after")
    def _some_term_is_on(self) -> TermSwitches:
        if not any(self.model_dump().values()):
            raise ValueError("every term is off: switch on at least one, or there is nothing to train for")
        return self


class TermWeights(FrozenSettings):
    """Weights of the terms; tasks weigh 1 each. Ranges worth a search: con 0.1-1, CKA 0.03-0.3, balance 0.01-0.2."""

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
    head_width: int = Field(default=128, ge=1, description="of the vectors that are contrasted")
    sharpest: float = Field(default=30.0, gt=0, description="cap on exp(theta); 30 below 1000 documents")
    negatives_outside: NegativesOutside = Field(
        default="person", description="who is never a negative: documents of the same person, or also of the family"
    )
    cka_estimator: CkaEstimator = Field(default="unbiased", description="biased is for the ablation only")
    balance_estimator: BalanceEstimator = Field(
        default="infonce", description="hsic when the contrast is off; abs, without stop-gradient, for the ablation"
    )
    balance_margin: float = Field(default=0.05, ge=0, lt=1, description="gap of shares that is left alone")
    balance_start: float = Field(default=0.25, ge=0, le=1, description="share of the steps before the term counts")

    @model_validator(mode="after")
    def _balance_reads_trained_heads(self) -> ObjectiveSettings:
        contrasted = self.terms.audio_to_joint and self.terms.text_to_joint
        if self.terms.information_balance and self.balance_estimator != "hsic" and not contrasted:
            raise ValueError(
                f"the balance estimator {self.balance_estimator} reads the contrastive heads, which nothing trains: "
                "choose hsic, switch information_balance off, or switch audio_to_joint and text_to_joint on"
            )
        return self
