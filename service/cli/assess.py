"""`hilbert assess`: run the stages of a worker in one process, without a queue."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

from pydantic import ValidationError

from service.assessments.result import Result
from service.assessments.states import RecordingFields
from service.errors.request import UnknownTask
from service.errors.tree import ConfigurationRefused
from service.settings import Settings
from service.worker.model_adapter import open_model
from service.worker.model_protocol import AssessmentModel, MaterialUnusable, RecordingOptionFields, unscored_result


def recording_options(**given: object) -> RecordingOptionFields:
    """What the command line says about the recording. Raises ConfigurationRefused."""
    try:
        return RecordingFields.model_validate(given).recording_options()
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = "".join(f" --{str(name).replace('_', '-')}" for name in problem["loc"][:1])
        raise ConfigurationRefused(f"The options{field} cannot be used: {problem['msg']}.") from None


def assess_file(
    settings: Settings, audio: Path, transcript: Path | None, task: str, recording: RecordingOptionFields = None
) -> Result:
    """Assess a recording on disk. Raises ConfigurationRefused for a bundle that cannot be used."""
    with closing(open_model(settings)) as model:
        model.warm_up()
        return assess_material(model, audio, transcript, task, recording)


def assess_material(
    model: AssessmentModel,
    audio: Path,
    transcript: Path | None,
    task: str,
    recording: RecordingOptionFields = None,
) -> Result:
    """Prepare, encode and score one recording, one chunk in memory at a time. Raises UnknownTask."""
    tasks = [known.name for known in model.loaded.tasks]
    if task not in tasks:
        raise UnknownTask(f"The bundle does not predict this task; known tasks: {', '.join(tasks)}.")
    words = None if transcript is None else transcript.read_bytes()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            preparation = model.prepare(audio, words, Path(scratch), recording)
            features = [model.encode(chunk.content) for chunk in preparation.chunks]
        except MaterialUnusable as refusal:
            return unscored_result(task, refusal, model.trace)
    return model.score(preparation.summary, features, task)
