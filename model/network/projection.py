"""From frozen segment features to the model width: H = Dropout(LN(W z(X) + e + PE(time)))."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from model.network.dropout import Dropout, DropoutNoise

# Wavelengths from the length of a segment to that of a long interview, in seconds.
SHORTEST_WAVE_SECONDS = 20.0
LONGEST_WAVE_SECONDS = 4 * 3600.0
SMALLEST_STD = 1e-6


class TimeEncoding(nn.Module):
    """Sinusoids of the time in seconds, so that order depends on time and not on the row."""

    angular_frequency: Tensor

    def __init__(self, *, width: int) -> None:
        super().__init__()
        waves = torch.logspace(
            math.log10(SHORTEST_WAVE_SECONDS),
            math.log10(LONGEST_WAVE_SECONDS),
            width // 2,
            dtype=torch.float32,
        )
        self.register_buffer("angular_frequency", 2 * math.pi / waves, persistent=False)

    def forward(self, times: Float[Tensor, "document segment"]) -> Float[Tensor, "document segment width"]:
        """Encode times in seconds as `width` sinusoids. See docs/method.md (N2)."""
        angle = times.unsqueeze(-1) * self.angular_frequency
        return torch.cat([torch.sin(angle), torch.cos(angle)], dim=-1)


class Projection(nn.Module):
    """The projection of one modality; its buffers hold the feature statistics of the training fold."""

    mean: Tensor
    scale: Tensor

    def __init__(self, *, dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))
        self.linear = nn.Linear(dim, width)
        self.modality = nn.Parameter(torch.zeros(width))
        self.time = TimeEncoding(width=width)
        self.norm = nn.LayerNorm(width)
        self.dropout = Dropout(dropout)
        nn.init.normal_(self.modality, std=0.02)

    def standardise_by(self, mean: Float[Tensor, " dim"], std: Float[Tensor, " dim"]) -> None:
        """Set z(x) = (x - mean) / std; a constant dimension keeps its scale. See docs/method.md (F9)."""
        self.mean.copy_(mean)
        self.scale.copy_(torch.where(std > SMALLEST_STD, std, torch.ones_like(std)))

    def forward(
        self,
        features: Float[Tensor, "document segment dim"],
        times: Float[Tensor, "document segment"],
        noise: DropoutNoise | None = None,
    ) -> Float[Tensor, "document segment width"]:
        """Standardise, project, add modality and time embeddings, normalise. See docs/method.md (N1)."""
        standard = (features - self.mean) / self.scale
        projected: Tensor = self.linear(standard) + self.modality + self.time(times)
        out: Tensor = self.dropout(self.norm(projected), noise)
        return out
