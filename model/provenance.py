"""Provenance of a result: graphs, execution provider, processor and precision."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version

from model.bundle.bundle import Bundle
from model.bundle.manifest import NETWORK, SPEECH, TEXT
from model.encoders.devices import device_name
from model.encoders.runtime import CUDA_VERSION, RUNTIME_VERSION, RuntimeOptions
from model.encoders.speech import SpeechEncoder
from model.encoders.text import TextEncoder
from model.self_test import LoadedGraphs

NETWORK_PRECISION = "float32"


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphProvenance:
    """One graph, and its execution provider and processor."""

    provider: str  # ONNX Runtime's execution provider
    device: str  # name of the processor
    precision: str
    digest: str  # an encoder's fingerprint, or the sha256 of the network's file


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProvenance:
    """The model behind a result and its runtime; `provider` and `precision` are those of the speech encoder."""

    bundle: str
    version: str
    digest: str
    signed_by: str | None  # id of the trusted key that signed the bundle
    demonstration: bool
    encoders: dict[str, str]
    provider: str
    precision: str
    graphs: dict[str, GraphProvenance]  # speech, text, network
    runtime: dict[str, str]


def provenance_of(bundle: Bundle, graphs: LoadedGraphs, options: RuntimeOptions) -> ModelProvenance:
    """The provenance of all results of these graphs of a bundle."""
    traced = {
        SPEECH: _of_encoder(graphs.speech, options),
        TEXT: _of_encoder(graphs.text, options),
        "network": GraphProvenance(
            provider=graphs.scorer.provider,
            device=device_name(graphs.scorer.provider, options.device_id),
            precision=NETWORK_PRECISION,
            digest=bundle.manifest.files[NETWORK],
        ),
    }
    return ModelProvenance(
        bundle=bundle.manifest.name,
        version=bundle.manifest.version,
        digest=bundle.digest,
        signed_by=bundle.signed_by,
        demonstration=bundle.manifest.demonstration,
        encoders={SPEECH: bundle.manifest.encoders["speech"], TEXT: bundle.manifest.encoders["text"]},
        provider=traced[SPEECH].provider,
        precision=traced[SPEECH].precision,
        graphs=traced,
        runtime={
            "onnxruntime": RUNTIME_VERSION,
            **({"cuda": CUDA_VERSION} if CUDA_VERSION else {}),
            "tokenizers": version("tokenizers"),
            "av": version("av"),
            "python": platform.python_version(),
        },
    )


def _of_encoder(encoder: SpeechEncoder | TextEncoder, options: RuntimeOptions) -> GraphProvenance:
    return GraphProvenance(
        provider=encoder.provider,
        device=device_name(encoder.provider, options.device_id),
        precision=encoder.description.precision,
        digest=encoder.fingerprint,
    )
