"""A deterministic stand-in for the model, for workers under test: a segment is ten bytes of the material."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import sleep

import typer

from service.assessments.result import (
    Contributions,
    ModelTrace,
    OutcomeProbability,
    Quality,
    QualityFlag,
    Result,
)
from service.settings import Settings
from service.worker.main import start_worker
from service.worker.model_protocol import EncoderLoad, MaterialUnusable, OnLost, Preparation, PreparedChunk
from service.worker_registry import LoadedModel, TaskOutcomes

SEGMENT_BYTES = 10
CHUNK_SEGMENTS = 16
BYTES_A_SECOND = 32_000
SLOW_SECONDS = 0.5
PACE = re.compile(rb"pace=(\d+)")
OUTCOMES = ("none", "mild", "severe")


class FakeModel:
    """Answers from the bytes. Words in the audio steer it: `unreadable`, `silence`, `slow`, `broken`, `deadly`,
    `pace=80`.

    `slow` takes half a second for each chunk; a pace is the milliseconds that a full chunk takes, a shorter one, and
    preparing and scoring, in proportion.
    """

    def __init__(self, digest: str = "sha256:rehearsal") -> None:
        self.digest = digest
        self.warm = False

    @property
    def loaded(self) -> LoadedModel:
        return LoadedModel(
            bundle="rehearsal",
            version="1",
            digest=self.digest,
            demonstration=True,
            tasks=(TaskOutcomes(name="spectrum", outcomes=OUTCOMES),),
            encoders={"audio": "none"},
        )

    @property
    def trace(self) -> ModelTrace:
        return ModelTrace(
            bundle="rehearsal",
            version="1",
            digest=self.digest,
            demonstration=True,
            encoders={"audio": "none"},
            provider="rehearsal",
            precision="float32",
            runtime={},
        )

    def warm_up(self) -> None:
        self.warm = True

    def close(self) -> None:
        self.warm = False

    def prepare(
        self, audio: Path | None, transcript: bytes | None, scratch: Path, recording=None, *, check=None
    ) -> Preparation:
        material = b"" if audio is None else audio.read_bytes()
        if b"unreadable" in material:
            raise MaterialUnusable(code="audio_unreadable", detail="The audio is damaged.", advice="Send another file.")
        if b"broken" in material:
            raise RuntimeError(f"secret words: {material!r}")
        seconds = 0.0 if audio is None else len(material) / BYTES_A_SECOND
        material += transcript or b""
        segments = max(1, len(material) // SEGMENT_BYTES)
        if b"silence" in material:
            segments = 0
        pace = _pace(material)
        sleep(0.1 * pace * segments)
        summary = json.dumps({"segments": segments, "pace": pace}).encode()
        return Preparation(summary=summary, seconds=seconds, chunks=_chunks(segments, material, pace))

    def encode(self, chunk: bytes, on_lost: OnLost | None = None) -> bytes:
        request = json.loads(chunk)
        if request["deadly"]:
            os.kill(os.getpid(), signal.SIGKILL)
        sleep(SLOW_SECONDS if request["slow"] else request["pace"] * request["segments"])
        return json.dumps({"sum": request["segments"]}).encode()

    def score(self, summary: bytes, features: Sequence[bytes], task: str) -> Result:
        prepared = json.loads(summary)
        segments = prepared["segments"]
        sleep(0.05 * prepared["pace"] * segments)
        encoded = sum(json.loads(part)["sum"] for part in features)
        if encoded != segments:
            raise ValueError("a chunk is missing")
        severe = min(0.9, segments / 1000)
        scored = segments > 0
        flags = () if scored else (QualityFlag(code="no_speech", hard=True, message="Send speech."),)
        return Result(
            task=task,
            outcome="none" if scored else None,
            probabilities=_probabilities(severe) if scored else (),
            contributions=_contributions() if scored else None,
            segments=(),
            quality=Quality(
                duration_seconds=1.0,
                speech_seconds=1.0 if scored else 0.0,
                segments=segments,
                words=0,
                snr_db=None,
                clipping=None,
                flags=flags,
            ),
            model=self.trace,
        )

    def load(self) -> tuple[EncoderLoad, ...]:
        return ()


def _pace(material: bytes) -> float:
    """Seconds that a segment takes."""
    match = PACE.search(material)
    return 0.0 if match is None else int(match.group(1)) / 1000 / CHUNK_SEGMENTS


def _chunks(segments: int, material: bytes, pace: float) -> Iterator[PreparedChunk]:
    for start in range(0, segments, CHUNK_SEGMENTS):
        size = min(CHUNK_SEGMENTS, segments - start)
        words = {word: word.encode() in material for word in ("slow", "deadly")}
        content = json.dumps({"start": start, "segments": size, "pace": pace, **words}).encode()
        yield PreparedChunk(content=content, segments=size)


def _probabilities(severe: float) -> tuple[OutcomeProbability, ...]:
    rest = 1 - severe
    values = (0.75 * rest, 0.25 * rest, severe)
    return tuple(OutcomeProbability(outcome=o, probability=p) for o, p in zip(OUTCOMES, values, strict=True))


def _contributions() -> Contributions:
    return Contributions(
        outcome="none",
        audio=0.5,
        text=0.25,
        interaction=0.0,
        baseline=0.1,
        total=0.85,
        probability_audio=0.1,
        probability_text=0.05,
        share_audio=2 / 3,
        share_text=1 / 3,
        stable=True,
    )


def open_fake_model(settings: Settings) -> FakeModel:
    """A bundle's folder named `of-...` stands for another model."""
    name = settings.bundle.name
    return FakeModel(f"sha256:{name}") if name.startswith("of-") else FakeModel()


def worker(queues: str = typer.Option(), parent_pid: int | None = typer.Option(None)) -> None:
    raise typer.Exit(start_worker(Settings(), queues, parent_pid, open_fake_model))


if __name__ == "__main__":
    typer.run(worker)
