"""Baselines with attentive pooling and an MLP: audio only, text only, and early concatenation of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from model.network.attention import GatedPooling
from model.network.batch import DocumentBatch
from model.network.dropout import Dropout, DropoutNoise
from model.network.hilbert import HilbertOutput
from model.network.projection import Projection
from model.network.stream import stream_of

Modality = Literal["audio", "text"]


class PooledNetwork(nn.Module):
    """Projection, gated pooling and MLP as in HILBERT, without cross-modal attention, joint embedding or experts."""

    def __init__(
        self,
        *,
        dims: Mapping[Modality, int],
        modalities: Sequence[Modality],
        outcomes: Mapping[str, int],
        width: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.width, self.modalities = width, tuple(modalities)
        self.project = nn.ModuleDict(
            {modality: Projection(dim=dims[modality], width=width, dropout=dropout) for modality in modalities}
        )
        self.null = nn.ParameterDict({modality: nn.Parameter(torch.randn(width) * 0.02) for modality in modalities})
        self.pool = nn.ModuleDict({modality: GatedPooling(width=width) for modality in modalities})
        self.norm = nn.ModuleDict({modality: nn.LayerNorm(width) for modality in modalities})
        self.hidden = nn.Linear(len(modalities) * (width + 1), width)
        self.dropout = Dropout(dropout)
        self.heads = nn.ModuleDict({task: nn.Linear(width, count) for task, count in outcomes.items()})

    def standardise_by(
        self,
        *,
        audio_mean: Float[Tensor, " audio_dim"],
        audio_std: Float[Tensor, " audio_dim"],
        text_mean: Float[Tensor, " text_dim"],
        text_std: Float[Tensor, " text_dim"],
    ) -> None:
        """Set the feature statistics of the modalities in use."""
        statistics = {"audio": (audio_mean, audio_std), "text": (text_mean, text_std)}
        for modality, projection in self.project.items():
            assert isinstance(projection, Projection)  # noqa: S101 - ModuleDict has untyped values
            projection.standardise_by(*statistics[modality])

    def count_noise(self, audio_segments: int, text_segments: int) -> int:
        """Number of random bytes that dropout needs per document and pass."""
        segments = {"audio": audio_segments, "text": text_segments}
        # The hidden layer drops as many values as one segment.
        return self.width * (sum(segments[modality] for modality in self.modalities) + 1)

    def forward(self, batch: DocumentBatch, noise: DropoutNoise | None = None) -> HilbertOutput:
        """Logits and the embeddings of the modalities in use; the hidden layer stands for the joint embedding.

        See docs/method.md (B1).
        """
        pooled, present = {}, []
        for modality in self.modalities:
            pooled[modality], known = self._pool(modality, batch, noise)
            present.append(known)
        values = torch.cat([*pooled.values(), torch.stack(present, dim=-1).to(torch.float32)], dim=-1)
        hidden = self.dropout(functional.gelu(self.hidden(values)), noise)
        # What an arm lacks is zero. Nothing reads it, because only the task loss is on.
        nothing = torch.zeros_like(hidden)
        return HilbertOutput(
            audio=pooled.get("audio", nothing),
            text=pooled.get("text", nothing),
            joint=hidden,
            logits={task: head(hidden) for task, head in self.heads.items()},
            router_logits=nothing[:, :1],
        )

    def _pool(
        self, modality: Modality, batch: DocumentBatch, noise: DropoutNoise | None
    ) -> tuple[Float[Tensor, "document width"], Bool[Tensor, " document"]]:
        features, mask, times, present = {
            "audio": (batch.audio_features, batch.audio_mask, batch.audio_times, batch.audio_present),
            "text": (batch.text_features, batch.text_mask, batch.text_times, batch.text_present),
        }[modality]
        projected = self.project[modality](features, times, noise)
        stream = stream_of(projected, mask & present[:, None], self.null[modality])
        document: Tensor = self.norm[modality](self.pool[modality](stream.values, stream.pool_mask))
        return document, stream.segment_mask.any(dim=1)
