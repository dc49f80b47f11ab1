"""Exporters of language encoders: RoBERTa and T5."""

from __future__ import annotations

from transformers import AutoModelForTextEncoding, PreTrainedTokenizerFast, RobertaConfig, RobertaModel

from model.encoders.description import TOKENIZER, EncoderDescription
from model.export.architectures.loaded_encoder import ExportRequest, LoadedEncoder
from model.export.architectures.roberta import RobertaFeatures
from model.export.architectures.t5 import T5Features
from model.export.checkpoint import HubCheckpoint
from model.export.graph import GraphSignature
from model.export.probes import text_probes

# The length of T5's training texts. Its positions are relative, so the checkpoint has no bound on the length.
T5_LONGEST = 512

TEXT_SIGNATURE = GraphSignature(
    inputs=("tokens", "valid"),
    outputs=("features",),
    dynamic={"tokens": {0: "segment", 1: "token"}, "valid": {0: "segment"}},
)


def load_roberta(checkpoint: HubCheckpoint, request: ExportRequest) -> LoadedEncoder:
    """Load RoBERTa, XLM-RoBERTa or CamemBERT, which share code and names of weights."""
    config = checkpoint.config
    tokenizer, layers = _keep_tokenizer(checkpoint, request), request.layers_of(config.num_hidden_layers)
    as_roberta = RobertaConfig.from_dict({**config.to_dict(), "model_type": "roberta"})
    module = RobertaFeatures(checkpoint.load(RobertaModel, config=as_roberta, add_pooling_layer=False), layers=layers)
    pad = int(config.pad_token_id)
    # Positions of RoBERTa start after that of the padding token.
    longest = int(config.max_position_embeddings) - pad - 1
    return LoadedEncoder(
        module=module.eval(),
        description=_describe(checkpoint, dim=config.hidden_size, layers=module.layers, longest=longest),
        probes=text_probes(
            tokenizer, pad=pad, vocabulary=config.vocab_size, longest=longest, real=request.material.texts
        ),
        signature=TEXT_SIGNATURE,
    )


def load_t5(checkpoint: HubCheckpoint, request: ExportRequest) -> LoadedEncoder:
    """Load the encoder of T5 (1.0, 1.1 and later) or mT5."""
    config = checkpoint.config
    tokenizer, layers = _keep_tokenizer(checkpoint, request), request.layers_of(config.num_layers)
    module = T5Features(checkpoint.load(AutoModelForTextEncoding), layers=layers)
    return LoadedEncoder(
        module=module.eval(),
        description=_describe(checkpoint, dim=config.d_model, layers=module.layers, longest=T5_LONGEST),
        probes=text_probes(
            tokenizer,
            pad=int(config.pad_token_id),
            vocabulary=config.vocab_size,
            longest=T5_LONGEST,
            real=request.material.texts,
        ),
        signature=TEXT_SIGNATURE,
        wide=True,
    )


def _describe(checkpoint: HubCheckpoint, *, dim: int, layers: tuple[int, ...], longest: int) -> EncoderDescription:
    return EncoderDescription(
        modality="text",
        architecture=checkpoint.config.model_type,
        source=checkpoint.name,
        revision=checkpoint.commit,
        dim=dim,
        layers=layers,
        parity=0.0,
        longest=longest,
        pad_id=int(checkpoint.config.pad_token_id),
    )


def _keep_tokenizer(checkpoint: HubCheckpoint, request: ExportRequest) -> PreTrainedTokenizerFast:
    tokenizer = checkpoint.tokenizer()
    tokenizer.backend_tokenizer.save(str(request.folder / TOKENIZER))
    return tokenizer
