"""`hilbert assess`: run the stages of a worker in one process, without a queue."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

from service.assessments.result import Result
from service.errors.request import UnknownTask
from service.settings import Settings
from service.worker.model_adapter import open_assessor
from service.worker.model_protocol import Assessor, MaterialUnusable, result_without_score


def assess_file(settings: Settings, audio: Path, transcript: Path | None, task: str) -> Result:
    """Assess a recording on disk. Raises ConfigurationRefused for a bundle that cannot be used."""
    with closing(open_assessor(settings)) as assessor:
        assessor.warm_up()
        return assess_material(assessor, audio, transcript, task)


def assess_material(assessor: Assessor, audio: Path, transcript: Path | None, task: str) -> Result:
    """Prepare, encode and score one recording, one chunk in memory at a time. Raises UnknownTask."""
    tasks = [known.name for known in assessor.model.tasks]
    if task not in tasks:
        raise UnknownTask(f"The bundle does not predict this task; known tasks: {', '.join(tasks)}.")
    words = None if transcript is None else transcript.read_bytes()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            preparation = assessor.prepare(audio, words, Path(scratch))
            features = [assessor.encode(chunk.content) for chunk in preparation.chunks]
        except MaterialUnusable as refusal:
            return result_without_score(task, refusal, assessor.trace)
    return assessor.score(preparation.summary, features, task)
