"""A worker that notes how long each call of the model takes, in `calls.jsonl` of its data folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from service.settings import Settings
from service.worker.main import start_worker
from service.worker.model_adapter import open_model
from service.worker.model_protocol import AssessmentModel, Preparation


class TimedModel:
    """The real model, with its calls timed."""

    def __init__(self, model: AssessmentModel, notes: Path) -> None:
        self._model = model
        self._notes = notes
        notes.touch()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def prepare(self, *material: Any) -> Preparation:
        preparation = self._timed("prepare", self._model.prepare, *material)
        values = {name: getattr(preparation, name) for name in preparation.__dataclass_fields__}
        return type(preparation)(**{**values, "chunks": self._walked(preparation.chunks)})

    def encode(self, *material: Any) -> bytes:
        return self._timed("encode", self._model.encode, *material)

    def score(self, *material: Any) -> Any:
        return self._timed("score", self._model.score, *material)

    def _walked(self, chunks: Iterator[Any]) -> Iterator[Any]:
        while (chunk := self._timed("prepare", next, chunks, None)) is not None:
            yield chunk

    def _timed(self, name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        begun = time.perf_counter()
        try:
            return call(*arguments)
        finally:
            with self._notes.open("a") as notes:
                notes.write(json.dumps({"call": name, "seconds": time.perf_counter() - begun}) + "\n")


def _open(settings: Settings) -> TimedModel:
    return TimedModel(open_model(settings), settings.folder / "calls.jsonl")


def worker(queues: str = typer.Option(), parent_pid: int | None = typer.Option(None)) -> None:
    raise typer.Exit(start_worker(Settings(), queues, parent_pid, _open))


if __name__ == "__main__":
    typer.run(worker)
