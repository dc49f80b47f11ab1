"""Export a Hugging Face checkpoint as an encoder folder: graph, description, tokenizer.

`source` is a hub name or a local folder; both take the ordinary `from_pretrained` path.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoTokenizer, HubertModel, RobertaModel

from model.encoders.description import GRAPH, TOKENIZER, EncoderDescription, write_description
from model.encoders.speech import SAMPLE_RATE
from model.errors import UnsupportedEncoder
from model.export.graph import GraphSignature, check_parity, write_graph
from model.export.hubert import HubertFeatures
from model.export.roberta import RobertaFeatures

TOLERANCE = 1e-4

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
    extractor = AutoFeatureExtractor.from_pretrained(source, revision=revision)
    if extractor.sampling_rate != SAMPLE_RATE:
        raise UnsupportedEncoder(f"the checkpoint wants {extractor.sampling_rate} Hz, not {SAMPLE_RATE}")
    module = HubertFeatures(model, normalise=bool(extractor.do_normalize)).eval()
    torch.manual_seed(0)
    cases = [_waveforms(2, 32_000, 7_000), _waveforms(1, 8_000, 0), _waveforms(3, 80_000, 30_001)]
    write_graph(module, cases[0], SPEECH, folder / GRAPH)
    shortest = 1
    for kernel, stride in reversed(list(zip(model.config.conv_kernel, model.config.conv_stride, strict=True))):
        shortest = (shortest - 1) * stride + kernel
    return EncoderDescription(
        modality="speech",
        architecture="hubert",
        source=Path(source).name if Path(source).is_dir() else source,
        dim=model.config.hidden_size,
        layers=module.layers,
        parity=check_parity(module, cases, SPEECH, folder / GRAPH, TOLERANCE),
        sample_rate=SAMPLE_RATE,
        shortest=shortest,
    )


def _export_roberta(source: str, revision: str | None, folder: Path) -> EncoderDescription:
    model = RobertaModel.from_pretrained(source, revision=revision, dtype=torch.float32, add_pooling_layer=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
    tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
    module = RobertaFeatures(model).eval()
    torch.manual_seed(0)
    pad = int(model.config.pad_token_id)
    vocabulary = model.config.vocab_size
    cases = [_tokens(2, 24, 9, pad, vocabulary), _tokens(1, 8, 0, pad, vocabulary), _tokens(3, 64, 40, pad, vocabulary)]
    write_graph(module, cases[0], TEXT, folder / GRAPH)
    return EncoderDescription(
        modality="text",
        architecture="roberta",
        source=Path(source).name if Path(source).is_dir() else source,
        dim=model.config.hidden_size,
        layers=module.layers,
        parity=check_parity(module, cases, TEXT, folder / GRAPH, TOLERANCE),
        # RoBERTa's positions start after the padding token's.
        longest=int(model.config.max_position_embeddings) - pad - 1,
        pad_id=pad,
    )


def _waveforms(segments: int, samples: int, shorter: int) -> list[torch.Tensor]:
    """Noise whose last row is `shorter` samples short of the padded length."""
    lengths = torch.full((segments,), samples, dtype=torch.int64)
    lengths[-1] -= shorter
    return [torch.randn(segments, samples) * 0.1, lengths]


def _tokens(segments: int, tokens: int, shorter: int, pad: int, vocabulary: int) -> list[torch.Tensor]:
    """Random tokens whose last row ends in `shorter` padding tokens."""
    ids = torch.randint(pad + 2, vocabulary, (segments, tokens))
    ids[-1, tokens - shorter :] = pad
    valid = torch.full((segments,), tokens, dtype=torch.int64)
    valid[-1] -= shorter
    return [ids, valid]


_EXPORTERS: dict[str, Callable[[str, str | None, Path], EncoderDescription]] = {
    "hubert": _export_hubert,
    "roberta": _export_roberta,
}
