"""Whisper's encoder as one graph: log-mel spectrogram, convolutions, transformer, layer choice, masked mean."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from model.export.architectures.attention import attend_to_valid_positions
from model.export.architectures.convolution import convolve
from model.export.architectures.pooling import last_third, masked_mean, valid_positions

# From WhisperFeatureExtractor: the smallest energy, and the decades kept below the loudest band of a window.
LEAST_ENERGY = 1e-10
DECADES = 8.0


class LogMel(nn.Module):
    """The log-mel spectrogram of `WhisperFeatureExtractor`, with convolutions in place of the Fourier transform.

    ONNX Runtime lacks complex numbers on some devices. A convolution with the windowed basis of the discrete Fourier
    transform gives the same spectrum. The loudest band is taken per row.
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, extractor: WhisperFeatureExtractor) -> None:
        super().__init__()
        self.window = int(extractor.n_samples)
        self.hop = int(extractor.hop_length)
        self.margin = int(extractor.n_fft) // 2
        self.register_buffer("basis", _fourier_basis(int(extractor.n_fft)), persistent=False)
        filters = torch.as_tensor(extractor.mel_filters, dtype=torch.float32).T.contiguous()
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, waveform: Float[Tensor, "segment window"]) -> Float[Tensor, "segment band melframe"]:
        """The log-mel spectrogram of whole windows."""
        edged = nn.functional.pad(waveform.unsqueeze(1), (self.margin, self.margin), mode="reflect")
        # WhisperFeatureExtractor drops the frame that is centred on the window's end.
        waves = nn.functional.conv1d(edged, self.basis, stride=self.hop)[:, :, :-1]
        real, imaginary = waves.chunk(2, dim=1)
        energy = self.filters @ (real.square() + imaginary.square())
        logarithm = torch.log10(energy.clamp(min=LEAST_ENERGY))
        loudest = logarithm.amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(logarithm, loudest - DECADES) + 4.0) / 4.0


class WhisperFeatures(nn.Module):
    """From waveforms padded at the end and their lengths in samples to one vector per segment.

    Whisper was trained on windows of 30 s padded with silence. Here that silence is masked: frames that begin within
    the segment attend to each other only, so the rest of the window is not computed (decision 0015). The final
    normalisation of the encoder is applied to every chosen layer, as Whisper applies it to the last.
    """

    def __init__(
        self, encoder: WhisperEncoder, extractor: WhisperFeatureExtractor, *, layers: tuple[int, ...] | None = None
    ) -> None:
        super().__init__()
        attend_to_valid_positions(encoder)
        self.encoder = encoder
        self.log_mel = LogMel(extractor)
        self.layers = layers or last_third(encoder.config.encoder_layers)
        self.stride = self.log_mel.hop * encoder.conv1.stride[0] * encoder.conv2.stride[0]

    def forward(
        self, waveform: Float[Tensor, "segment sample"], samples: Int[Tensor, " segment"]
    ) -> Float[Tensor, "segment dim"]:
        """Encode segments; samples beyond the window are ignored."""
        encoder, window = self.encoder, self.log_mel.window // self.stride
        longest = least((waveform.shape[1] + self.stride - 1) // self.stride, window)
        valid = torch.div(samples + self.stride - 1, self.stride, rounding_mode="floor").clamp(max=window)
        mel = self.log_mel(self._fill(waveform, samples))
        # The spectrogram has one frame more than the segment, because the convolutions look ahead.
        hidden = nn.functional.gelu(convolve(mel, encoder.conv1))
        hidden = nn.functional.gelu(convolve(hidden, encoder.conv2)).transpose(1, 2)[:, :longest]
        hidden = hidden + encoder.embed_positions.weight[:longest]
        outputs = []
        for layer in encoder.layers:
            hidden = layer(hidden, valid)
            outputs.append(encoder.layer_norm(hidden))
        return masked_mean(outputs, self.layers, valid_positions(longest, valid))

    def _fill(
        self, waveform: Float[Tensor, "segment sample"], samples: Int[Tensor, " segment"]
    ) -> Float[Tensor, "segment filled"]:
        """Pad each segment with silence to a whole frame and one more, but not beyond the window."""
        heard = waveform * valid_positions(waveform.shape[1], samples).to(waveform.dtype)
        frames = (waveform.shape[1] + self.stride - 1) // self.stride
        wanted = least((frames + 1) * self.stride, self.log_mel.window)
        return nn.functional.pad(heard, (0, wanted - waveform.shape[1]))  # type: ignore[arg-type] # symbolic


def least(left: int | torch.SymInt, right: int | torch.SymInt) -> int | torch.SymInt:
    """The smaller of two lengths, which may be symbolic during tracing."""
    smaller: int | torch.SymInt = torch.sym_min(left, right)  # type: ignore[no-untyped-call]
    return smaller


def _fourier_basis(length: int) -> Float[Tensor, "wave 1 sample"]:
    """Cosines, then negative sines, of the real Fourier transform with a Hann window; computed in float64."""
    time = torch.arange(length, dtype=torch.float64)
    angle = 2 * math.pi * torch.arange(length // 2 + 1, dtype=torch.float64)[:, None] * time / length
    window = torch.hann_window(length, dtype=torch.float64)
    return (torch.cat([angle.cos(), -angle.sin()]) * window).float().unsqueeze(1)
