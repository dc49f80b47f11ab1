"""Export of the HILBERT network as one graph with dynamic document and segment axes."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from jaxtyping import Float
from torch import Tensor, nn

from model.bundle.graph import EMBEDDINGS, INPUTS, logits_name
from model.errors import ParityError
from model.export.graph import GraphSignature, check_parity, write_graph
from model.network.batch import DocumentBatch
from model.network.hilbert import Architecture, Hilbert

TOLERANCE = 1e-5
MATRIX = 2


class NetworkGraph(nn.Module):
    """The network with tensors as arguments and results, as ONNX graphs need."""

    def __init__(self, network: Hilbert, tasks: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.tasks = tuple(tasks)

    def forward(  # noqa: PLR0913, PLR0917 - the graph's inputs
        self,
        audio_features: Tensor,
        text_features: Tensor,
        audio_mask: Tensor,
        text_mask: Tensor,
        audio_times: Tensor,
        text_times: Tensor,
        audio_present: Tensor,
        text_present: Tensor,
    ) -> tuple[Tensor, ...]:
        """Return the three embeddings, then the logits of each task."""
        output = self.network(
            DocumentBatch(
                audio_features=audio_features,
                text_features=text_features,
                audio_mask=audio_mask,
                text_mask=text_mask,
                audio_times=audio_times,
                text_times=text_times,
                audio_present=audio_present,
                text_present=text_present,
            )
        )
        return (output.audio, output.text, output.joint, *(output.logits[task] for task in self.tasks))


def export_network(network: Hilbert, *, tasks: Sequence[str], file: Path) -> float:
    """Write the graph and return its largest difference from torch over inputs of several shapes.

    Raises ParityError if it exceeds 1e-5.
    """
    return template_of(network.architecture, tuple(tasks)).write(network, file)


class NetworkTemplate:
    """An exported graph whose weights are replaced by those of networks of the same architecture.

    This is much faster than an export. The exporter keeps some weights under their names and others
    transposed under new names. The mapping comes from a comparison of the graph with the network it was exported from,
    in which no two weights may be equal.
    """

    def __init__(self, exported: Path, network: Hilbert, *, tasks: Sequence[str]) -> None:
        self.tasks = tuple(tasks)
        self._graph = onnx.load(exported)
        weights = _weights(network, tasks)
        matrices = {value.T.tobytes(): name for name, value in weights.items() if value.ndim == MATRIX}
        self._sources: dict[str, tuple[str, bool]] = {}
        for initializer in self._graph.graph.initializer:
            value = onnx.numpy_helper.to_array(initializer)
            if initializer.name in weights:
                self._sources[initializer.name] = (initializer.name, False)
            elif value.ndim == MATRIX and value.tobytes() in matrices:
                self._sources[initializer.name] = (matrices[value.tobytes()], True)

    def write(self, network: Hilbert, file: Path) -> float:
        """Write the graph of `network`; return its largest difference from torch, like `export_network`.

        Raises ParityError if it exceeds 1e-5, which a missing weight in the mapping would cause.
        """
        weights = _weights(network, self.tasks)
        filled = onnx.ModelProto()
        filled.CopyFrom(self._graph)
        for initializer in filled.graph.initializer:
            if initializer.name in self._sources:
                source, transposed = self._sources[initializer.name]
                value = np.ascontiguousarray(weights[source].T) if transposed else weights[source]
                if tuple(initializer.dims) != value.shape:
                    raise ParityError("the dimensions of the network differ from those of the template graph")
                initializer.CopyFrom(onnx.numpy_helper.from_array(value, initializer.name))
        onnx.save(filled, file)
        graph = NetworkGraph(network, self.tasks).eval()
        return check_parity(graph, _cases(network), _signature(self.tasks), file, TOLERANCE)


@functools.lru_cache(maxsize=2)
def template_of(architecture: Architecture, tasks: tuple[str, ...]) -> NetworkTemplate:
    """The template of an architecture; cached, because all folds and the release have the same architecture."""
    network = _any_network(architecture)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "any.onnx"
        write_graph(NetworkGraph(network, tasks).eval(), _cases(network)[0], _signature(tasks), file)
        return NetworkTemplate(file, network, tasks=tasks)


def _any_network(architecture: Architecture) -> Hilbert:
    """A network in which no two weights are equal; the state of torch's global generator is unchanged."""
    with torch.random.fork_rng(devices=[]):
        network = architecture.build()
    generator = torch.Generator().manual_seed(0)
    for value in network.state_dict().values():
        value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return network


def _weights(network: Hilbert, tasks: Sequence[str]) -> dict[str, Float[np.ndarray, "*shape"]]:
    graph = NetworkGraph(network, tasks)
    named = [*graph.named_parameters(), *graph.named_buffers()]
    return {name: value.detach().numpy() for name, value in named}


def _signature(tasks: Sequence[str]) -> GraphSignature:
    audio, text = {0: "document", 1: "audio_segment"}, {0: "document", 1: "text_segment"}
    axes = {name: audio if name.startswith("audio") else text for name in INPUTS}
    axes |= {"audio_present": {0: "document"}, "text_present": {0: "document"}}
    return GraphSignature(inputs=INPUTS, outputs=(*EMBEDDINGS, *(logits_name(task) for task in tasks)), dynamic=axes)


def _cases(network: Hilbert) -> list[tuple[Tensor, ...]]:
    generator = torch.Generator().manual_seed(0)
    dims = (network.project_audio.mean.shape[0], network.project_text.mean.shape[0])
    shapes = [(3, 7, 5), (1, 1, 1), (4, 40, 64), (2, 3, 1)]
    return [_case(generator, documents, segments, dims) for documents, *segments in shapes]


def _case(
    generator: torch.Generator, documents: int, segments: Sequence[int], dims: tuple[int, int]
) -> tuple[Tensor, ...]:
    """Random documents: the last is shorter, and the first of several has no text."""
    (audio, text), (audio_dim, text_dim) = segments, dims
    audio_mask = torch.ones(documents, audio, dtype=torch.bool)
    text_mask = torch.ones(documents, text, dtype=torch.bool)
    audio_mask[-1, audio - audio // 2 :] = False
    text_mask[-1, text - text // 2 :] = False
    text_present = torch.ones(documents, dtype=torch.bool)
    text_present[0] = documents == 1
    return (
        torch.randn(documents, audio, audio_dim, generator=generator),
        torch.randn(documents, text, text_dim, generator=generator),
        audio_mask,
        text_mask,
        torch.rand(documents, audio, generator=generator) * 3600,
        torch.rand(documents, text, generator=generator) * 3600,
        torch.ones(documents, dtype=torch.bool),
        text_present,
    )
