"""The HILBERT fusion network: from segment features to document embeddings and logits.

The equations are in docs/method.md, "Network", which marks the choices that the paper leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from model.network.attention import CrossAttention, GatedPooling
from model.network.batch import DocumentBatch
from model.network.classifier import Classifier
from model.network.dropout import DropoutNoise
from model.network.projection import Projection
from model.network.stream import stream_of

DocumentSource = Literal["own", "crossed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Dimensions of a network; networks of equal architecture differ in their weights only.

    `outcomes` maps each task to its number of outcomes.
    """

    audio_dim: int
    text_dim: int
    outcomes: tuple[tuple[str, int], ...]
    width: int
    heads: int
    experts: int
    doc_source: DocumentSource

    def build(self) -> Hilbert:
        """An untrained network in evaluation mode, without dropout."""
        return Hilbert(
            audio_dim=self.audio_dim,
            text_dim=self.text_dim,
            outcomes=dict(self.outcomes),
            width=self.width,
            heads=self.heads,
            experts=self.experts,
            dropout=0.0,
            doc_source=self.doc_source,
        ).eval()


@dataclass(frozen=True, slots=True, kw_only=True)
class HilbertOutput:
    """Document embeddings, logits by task and the router's logits."""

    audio: Float[Tensor, "document width"]
    text: Float[Tensor, "document width"]
    joint: Float[Tensor, "document width"]
    logits: dict[str, Float[Tensor, "document outcome"]]
    router_logits: Float[Tensor, "document expert"]


class Hilbert(nn.Module):
    """Projection, cross-modal attention both ways, own-stream documents, joint document, experts.

    A missing modality is a stream whose only valid position is its learned null token. Modality dropout in training,
    the coalitions of an explanation and a modality that was not sent all take this path.
    """

    def __init__(  # noqa: PLR0913 - a network is described by its sizes
        self,
        *,
        audio_dim: int,
        text_dim: int,
        outcomes: Mapping[str, int],
        width: int = 128,
        heads: int = 4,
        experts: int = 4,
        dropout: float = 0.2,
        doc_source: DocumentSource = "own",
    ) -> None:
        super().__init__()
        self.architecture = Architecture(
            audio_dim=audio_dim,
            text_dim=text_dim,
            outcomes=tuple(outcomes.items()),
            width=width,
            heads=heads,
            experts=experts,
            doc_source=doc_source,
        )
        self.doc_source = doc_source
        self.width, self.experts = width, experts
        self.project_audio = Projection(dim=audio_dim, width=width, dropout=dropout)
        self.project_text = Projection(dim=text_dim, width=width, dropout=dropout)
        self.null_audio = nn.Parameter(torch.randn(width) * 0.02)
        self.null_text = nn.Parameter(torch.randn(width) * 0.02)
        self.audio_to_text = CrossAttention(width=width, heads=heads, dropout=dropout)
        self.text_to_audio = CrossAttention(width=width, heads=heads, dropout=dropout)
        self.pool_audio = GatedPooling(width=width)
        self.pool_text = GatedPooling(width=width)
        self.pool_joint_audio = GatedPooling(width=width)
        self.pool_joint_text = GatedPooling(width=width)
        self.norm_audio = nn.LayerNorm(width)
        self.norm_text = nn.LayerNorm(width)
        self.join = nn.Sequential(nn.Linear(2 * width, width), nn.LayerNorm(width))
        self.classifier = Classifier(
            dim=3 * width + 2, width=width, experts=experts, dropout=dropout, outcomes=outcomes
        )

    def count_noise(self, audio_segments: int, text_segments: int) -> int:
        """Random bytes that dropout needs per document in one pass, for these numbers of padded segments."""
        projected = audio_segments + text_segments
        # The attention output, the feed-forward layer's hidden units (twice the width) and its output.
        # Each stream has its null token in front, and the attention treats it as a position.
        crossed = 4 * (projected + 2)
        return self.width * (projected + crossed + self.experts)

    def standardise_by(
        self,
        *,
        audio_mean: Float[Tensor, " audio_dim"],
        audio_std: Float[Tensor, " audio_dim"],
        text_mean: Float[Tensor, " text_dim"],
        text_std: Float[Tensor, " text_dim"],
    ) -> None:
        """Set the feature statistics, which must come from the training fold only."""
        self.project_audio.standardise_by(audio_mean, audio_std)
        self.project_text.standardise_by(text_mean, text_std)

    def forward(self, batch: DocumentBatch, noise: DropoutNoise | None = None) -> HilbertOutput:
        """Run the network on a batch of documents; `noise` is given in training only.

        See docs/method.md (N7, N8).
        """
        audio = stream_of(
            self.project_audio(batch.audio_features, batch.audio_times, noise),
            batch.audio_mask & batch.audio_present[:, None],
            self.null_audio,
        )
        text = stream_of(
            self.project_text(batch.text_features, batch.text_times, noise),
            batch.text_mask & batch.text_present[:, None],
            self.null_text,
        )
        crossed_audio = self.audio_to_text(audio.values, text.values, text.segment_mask, self.null_text, noise)
        crossed_text = self.text_to_audio(text.values, audio.values, audio.segment_mask, self.null_audio, noise)
        joint = self.join(
            torch.cat(
                [
                    self.pool_joint_audio(crossed_audio, audio.pool_mask),
                    self.pool_joint_text(crossed_text, text.pool_mask),
                ],
                dim=-1,
            )
        )
        own = self.doc_source == "own"
        document_audio = self.norm_audio(self.pool_audio(audio.values if own else crossed_audio, audio.pool_mask))
        document_text = self.norm_text(self.pool_text(text.values if own else crossed_text, text.pool_mask))
        present = torch.stack([audio.segment_mask.any(dim=1), text.segment_mask.any(dim=1)], dim=-1)
        logits, router_logits = self.classifier(
            torch.cat([document_audio, document_text, joint, present.to(joint.dtype)], dim=-1), noise
        )
        return HilbertOutput(
            audio=document_audio, text=document_text, joint=joint, logits=logits, router_logits=router_logits
        )
