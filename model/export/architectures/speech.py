"""Exporters of speech encoders: HuBERT and Whisper."""

from __future__ import annotations

from transformers import HubertModel, WhisperModel

from model.encoders.description import EncoderDescription
from model.encoders.speech import SAMPLE_RATE
from model.errors import UnsupportedEncoder
from model.export.architectures.hubert import HubertFeatures
from model.export.architectures.loaded_encoder import ExportRequest, LoadedEncoder
from model.export.architectures.whisper import WhisperFeatures
from model.export.checkpoint import HubCheckpoint
from model.export.graph import GraphSignature
from model.export.probes import speech_probes

SPEECH_SIGNATURE = GraphSignature(
    inputs=("waveform", "samples"),
    outputs=("features",),
    dynamic={"waveform": {0: "segment", 1: "sample"}, "samples": {0: "segment"}},
)


def load_hubert(checkpoint: HubCheckpoint, request: ExportRequest) -> LoadedEncoder:
    """Load a HuBERT of any size and language, with either normalisation of its convolutions."""
    config = checkpoint.config
    normalise = bool(checkpoint.feature_extractor().do_normalize)
    layers = request.layers_of(config.num_hidden_layers)
    module = HubertFeatures(checkpoint.load(HubertModel), normalise=normalise, layers=layers)
    shortest = 1
    for kernel, stride in reversed(list(zip(config.conv_kernel, config.conv_stride, strict=True))):
        shortest = (shortest - 1) * stride + kernel
    return LoadedEncoder(
        module=module.eval(),
        description=EncoderDescription(
            modality="speech",
            architecture="hubert",
            source=checkpoint.name,
            revision=checkpoint.commit,
            dim=config.hidden_size,
            layers=module.layers,
            parity=0.0,
            sample_rate=SAMPLE_RATE,
            shortest=shortest,
        ),
        probes=speech_probes(request.material.waveforms),
        signature=SPEECH_SIGNATURE,
    )


def load_whisper(checkpoint: HubCheckpoint, request: ExportRequest) -> LoadedEncoder:
    """Load the encoder of a Whisper of any size, with 80 or 128 mel bands."""
    config, extractor = checkpoint.config, checkpoint.feature_extractor()
    layers = request.layers_of(config.encoder_layers)
    module = WhisperFeatures(checkpoint.load(WhisperModel).encoder, extractor, layers=layers)
    positions = config.max_source_positions * module.stride
    if (positions, config.num_mel_bins) != (extractor.n_samples, extractor.feature_size):
        raise UnsupportedEncoder("the checkpoint's encoder and its feature extractor differ in window or mel bands")
    return LoadedEncoder(
        module=module.eval(),
        description=EncoderDescription(
            modality="speech",
            architecture="whisper",
            source=checkpoint.name,
            revision=checkpoint.commit,
            dim=config.d_model,
            layers=module.layers,
            parity=0.0,
            sample_rate=SAMPLE_RATE,
            shortest=1,
            window=extractor.n_samples,
        ),
        probes=speech_probes(request.material.waveforms),
        signature=SPEECH_SIGNATURE,
    )
