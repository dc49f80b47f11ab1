"""Export a Hugging Face checkpoint as an encoder folder: graph, description, tokenizer.

`source` is a hub name or a local folder; both take the ordinary `from_pretrained` path.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModelForTextEncoding,
    AutoTokenizer,
    HubertModel,
    PreTrainedTokenizerFast,
    RobertaModel,
    WhisperModel,
)

from model.encoders.description import GRAPH, TOKENIZER, EncoderDescription, write_description
from model.encoders.speech import SAMPLE_RATE
from model.errors import UnsupportedEncoder
from model.export.graph import GraphSignature, check_parity, write_graph
from model.export.hubert import HubertFeatures
from model.export.probes import speech_probes, text_probes
from model.export.roberta import RobertaFeatures
from model.export.t5 import T5Features
from model.export.whisper import WhisperFeatures

TOLERANCE = 1e-4
# T5 counts distances, not positions: nothing in a checkpoint bounds its texts. This is what it was trained with.
T5_LONGEST = 512

SPEECH = GraphSignature(
    inputs=("waveform", "samples"),
    outputs=("features",),
    dynamic={"waveform": {0: "segment", 1: "sample"}, "samples": {0: "segment"}},
)
TEXT = GraphSignature(
    inputs=("tokens", "valid"),
    outputs=("features",),
    dynamic={"tokens": {0: "segment", 1: "token"}, "valid": {0: "segment"}},
)


def export_encoder(
    source: str, target: Path, *, revision: str | None = None, dither: float = 0.0
) -> EncoderDescription:
    """Write the encoder folder `target` from the checkpoint `source`; nothing is left behind on failure.

    `dither` is the noise that a speech encoder is to add to every waveform (decision 0007).

    Raises UnsupportedEncoder for an architecture without an exporter, ParityError when the graph
    disagrees with torch.
    """
    config = AutoConfig.from_pretrained(source, revision=revision)
    exporter = _EXPORTERS.get(config.model_type)
    if exporter is None:
        known = ", ".join(sorted(_EXPORTERS))
        raise UnsupportedEncoder(
            f"no exporter for the architecture '{config.model_type}'", advice=f"Supported are: {known}."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=".export-") as scratch:
        folder = Path(scratch) / "encoder"
        folder.mkdir()
        description = exporter(source, revision, folder).model_copy(update={"dither": dither})
        write_description(folder, description)
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)
    return description


def _export_hubert(source: str, revision: str | None, folder: Path) -> EncoderDescription:
    model = HubertModel.from_pretrained(source, revision=revision, dtype=torch.float32).eval()
    extractor = _front_end(source, revision)
    module = HubertFeatures(model, normalise=bool(extractor.do_normalize)).eval()
    shortest = 1
    for kernel, stride in reversed(list(zip(model.config.conv_kernel, model.config.conv_stride, strict=True))):
        shortest = (shortest - 1) * stride + kernel
    return EncoderDescription(
        modality="speech",
        architecture="hubert",
        source=_name(source),
        dim=model.config.hidden_size,
        layers=module.layers,
        parity=_write(module, speech_probes(), SPEECH, folder),
        sample_rate=SAMPLE_RATE,
        shortest=shortest,
    )


def _export_whisper(source: str, revision: str | None, folder: Path) -> EncoderDescription:
    encoder = WhisperModel.from_pretrained(source, revision=revision, dtype=torch.float32).eval().encoder
    extractor = _front_end(source, revision)
    module = WhisperFeatures(encoder, extractor).eval()
    positions = encoder.config.max_source_positions * module.stride
    if (positions, encoder.config.num_mel_bins) != (extractor.n_samples, extractor.feature_size):
        raise UnsupportedEncoder("the checkpoint's encoder and its feature extractor differ in window or mel bands")
    return EncoderDescription(
        modality="speech",
        architecture="whisper",
        source=_name(source),
        dim=encoder.config.d_model,
        layers=module.layers,
        parity=_write(module, speech_probes(), SPEECH, folder),
        sample_rate=SAMPLE_RATE,
        shortest=1,
        window=extractor.n_samples,
    )


def _export_roberta(source: str, revision: str | None, folder: Path) -> EncoderDescription:
    model = RobertaModel.from_pretrained(source, revision=revision, dtype=torch.float32, add_pooling_layer=False).eval()
    module = RobertaFeatures(model).eval()
    pad = int(model.config.pad_token_id)
    # RoBERTa's positions start after the padding token's.
    longest = int(model.config.max_position_embeddings) - pad - 1
    tokenizer = _keep_tokenizer(source, revision, folder)
    probes = text_probes(tokenizer, pad=pad, vocabulary=model.config.vocab_size, longest=longest)
    return EncoderDescription(
        modality="text",
        architecture="roberta",
        source=_name(source),
        dim=model.config.hidden_size,
        layers=module.layers,
        parity=_write(module, probes, TEXT, folder),
        longest=longest,
        pad_id=pad,
    )


def _export_t5(source: str, revision: str | None, folder: Path) -> EncoderDescription:
    model = AutoModelForTextEncoding.from_pretrained(source, revision=revision, dtype=torch.float32).eval()
    module = T5Features(model).eval()
    pad = int(model.config.pad_token_id)
    tokenizer = _keep_tokenizer(source, revision, folder)
    probes = text_probes(tokenizer, pad=pad, vocabulary=model.config.vocab_size, longest=T5_LONGEST)
    return EncoderDescription(
        modality="text",
        architecture=model.config.model_type,
        source=_name(source),
        dim=model.config.d_model,
        layers=module.layers,
        parity=_write(module, probes, TEXT, folder),
        longest=T5_LONGEST,
        pad_id=pad,
    )


def _front_end(source: str, revision: str | None) -> Any:
    """The checkpoint's feature extractor; its sampling rate has to be ours."""
    extractor = AutoFeatureExtractor.from_pretrained(source, revision=revision)
    if extractor.sampling_rate != SAMPLE_RATE:
        raise UnsupportedEncoder(f"the checkpoint wants {extractor.sampling_rate} Hz, not {SAMPLE_RATE}")
    return extractor


def _keep_tokenizer(source: str, revision: str | None, folder: Path) -> PreTrainedTokenizerFast:
    tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
    tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
    return tokenizer


def _name(source: str) -> str:
    """Hub name, or the name of a local folder: where it lay is nobody's business."""
    return Path(source).name if Path(source).is_dir() else source


def _write(module: nn.Module, probes: list[list[Tensor]], signature: GraphSignature, folder: Path) -> float:
    """Write the graph; return its largest difference from torch."""
    write_graph(module, probes[0], signature, folder / GRAPH)
    return check_parity(module, probes, signature, folder / GRAPH, TOLERANCE)


_EXPORTERS: dict[str, Callable[[str, str | None, Path], EncoderDescription]] = {
    "hubert": _export_hubert,
    "mt5": _export_t5,
    "roberta": _export_roberta,
    "t5": _export_t5,
    "whisper": _export_whisper,
}
