"""Run a graph: directly on the CPU, with I/O binding on a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
from jaxtyping import Shaped

from model.encoders.runtime import (
    CPU,
    Binding,
    DeviceValue,
    GraphFeed,
    RunOptions,
    RuntimeOptions,
    Session,
    captures,
    open_session,
)

# Inputs of one graph differ in rank: their axes have no common name.
Array = Shaped[np.ndarray, "..."]
Inputs = Mapping[str, Array]


class GraphRunner:
    """An opened graph. `bind` selects I/O binding; the default is binding everywhere but on the CPU."""

    def __init__(
        self, graph: Path, options: RuntimeOptions, feed: GraphFeed | None = None, *, bind: bool | None = None
    ) -> None:
        self._session: Session = open_session(graph, options, feed)
        self._feed = feed
        self.provider: str = self._session.get_providers()[0]
        place = ("cpu", 0) if self.provider == CPU else ("cuda", options.device_id)
        self._bound: BoundSession | None = None
        if self.provider != CPU if bind is None else bind:
            shapes = feed.shapes if feed is not None and captures(options, feed) else ()
            self._bound = BoundSession(self._session, place, capture=captures(options, feed), shapes=shapes)

    def run(self, inputs: Inputs, outputs: Sequence[str] | None = None) -> list[Array]:
        """Run the graph on inputs by name and return the named outputs (default: all) in host memory."""
        names = [output.name for output in self._session.get_outputs()] if outputs is None else list(outputs)
        if self._bound is None:
            plain: list[Array] = self._session.run(names, dict(inputs))
            return plain
        return self._bound.run(inputs, names)

    def warm_up(self) -> None:
        """Run a full batch of each bucket, so that no request pays for the first run of a shape.

        On the CPU there is no warm-up: lengths are not padded, and the first run of a shape costs no more than later
        ones.
        """
        if self._bound is None or self._feed is None:
            return
        kinds = {declared.name: _kind(declared.type) for declared in self._session.get_inputs()}
        for rows, length in self._feed.shapes:
            material = np.zeros((rows, length), dtype=kinds[self._feed.material])
            lengths = np.full(rows, length, dtype=kinds[self._feed.lengths])
            for _ in range(self._bound.first_runs):
                self.run({self._feed.material: material, self._feed.lengths: lengths})


class BoundSession:
    """Runs a session with I/O binding; full batches have fixed memory and can be replayed as CUDA graphs."""

    def __init__(
        self,
        session: Session,
        place: tuple[str, int],
        *,
        capture: bool,
        shapes: Sequence[tuple[int, int]] = (),
    ) -> None:
        self._session = session
        self._place = place
        self._capture = capture
        self._shapes = frozenset(shapes)
        self._recorded: dict[tuple[object, ...], RecordedBatch] = {}
        self._lock = Lock()  # the memory of a recorded batch is used by one run at a time

    @property
    def first_runs(self) -> int:
        """Number of warm-up runs of a full batch: one plain run and, with CUDA graphs, one for the recording."""
        return 2 if self._capture else 1

    def run(self, inputs: Inputs, names: Sequence[str]) -> list[Array]:
        """As `GraphRunner.run`."""
        whole = {name: np.ascontiguousarray(value) for name, value in inputs.items()}
        if not any(value.shape in self._shapes for value in whole.values()):
            return self._run_plainly(whole, names)
        key = (*sorted((name, value.shape) for name, value in whole.items()), *names)
        with self._lock:
            if (recorded := self._recorded.get(key)) is not None:
                return recorded.run(self._session, whole)
            results = self._run_plainly(whole, names)
            number = len(self._recorded) + 1
            self._recorded[key] = self._prepare(number, whole, dict(zip(names, results, strict=True)))
            return results

    def _run_plainly(self, inputs: Inputs, names: Sequence[str]) -> list[Array]:
        binding = self._session.io_binding()
        for name, value in inputs.items():
            binding.bind_ortvalue_input(name, self._put(value))
        for name in names:
            binding.bind_output(name, *self._place)
        self._session.run_with_iobinding(binding, _run_options(-1) if self._capture else None)
        results: list[Array] = binding.copy_outputs_to_cpu()
        return results

    def _prepare(self, number: int, inputs: Inputs, outputs: Inputs) -> RecordedBatch:
        binding = self._session.io_binding()
        held = {name: self._put(value) for name, value in inputs.items()}
        results = {name: self._put(value) for name, value in outputs.items()}
        for name, value in held.items():
            binding.bind_ortvalue_input(name, value)
        for name, value in results.items():
            binding.bind_ortvalue_output(name, value)
        return RecordedBatch(binding=binding, inputs=held, outputs=results, options=_run_options(number))

    def _put(self, value: Array) -> DeviceValue:
        return DeviceValue.ortvalue_from_numpy(value, *self._place)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedBatch:
    """A full batch with fixed memory, because a CUDA graph replays fixed addresses."""

    binding: Binding
    inputs: Mapping[str, DeviceValue]
    outputs: Mapping[str, DeviceValue]
    options: RunOptions

    def run(self, session: Session, inputs: Inputs) -> list[Array]:
        """Copy the inputs into the fixed memory, replay, and copy the outputs."""
        for name, value in inputs.items():
            self.inputs[name].update_inplace(value)
        session.run_with_iobinding(self.binding, self.options)
        # A copy, because the next run writes into the same memory.
        return [np.array(value.numpy()) for value in self.outputs.values()]


def _run_options(graph: int) -> RunOptions:
    """Run options with the id of a CUDA graph; -1 disables recording."""
    options = RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(graph))
    return options


def _kind(declared: str) -> np.dtype[np.generic]:
    return np.dtype({"tensor(float)": np.float32, "tensor(int64)": np.int64}[declared])
