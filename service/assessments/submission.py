"""Submit an assessment in one transaction, and choose the model that will score it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from service.assessments.repository import AssessmentRepository
from service.assessments.states import Assessment, NewAssessment
from service.auth.caller import Caller
from service.errors.request import UnknownTask
from service.errors.tree import FieldProblem
from service.errors.unavailable import ModelNotReady
from service.storage.database import Database
from service.uploads.repository import UploadRepository
from service.worker_registry import LoadedModel, registered_models

DEFAULT_TASK = "spectrum"


def submit(
    database: Database,
    caller: Caller,
    order: NewAssessment,
    *,
    uploads: Sequence[str] = (),
    then: Callable[[Session, Assessment], None] | None = None,
) -> Assessment:
    """Insert the assessment and its first stage, and claim its uploads; the material is in the object store.

    `then` runs last in the same transaction. The whole transaction runs again when the connection breaks, so `then`
    must have no other effects. Raises UploadNotFound, UploadIncomplete, UploadUsed.
    """

    def take(session: Session) -> Assessment:
        UploadRepository(session, caller).claim_all(uploads, order.id)
        assessment = AssessmentRepository(session, caller).add(order)
        if then is not None:
            then(session, assessment)
        return assessment

    return database.write(take)


def require_models(database: Database) -> tuple[LoadedModel, ...]:
    """The models in use, newest first. Raises ModelNotReady."""
    models = tuple(registered.model for registered in database.read(registered_models))
    if not models:
        raise ModelNotReady("No worker has loaded a model yet.")
    return models


def find_model(database: Database, task: str) -> LoadedModel:
    """The newest model that predicts the task. Raises ModelNotReady, UnknownTask."""
    models = require_models(database)
    for model in models:
        if any(known.name == task for known in model.tasks):
            return model
    known_tasks = sorted({known.name for model in models for known in model.tasks})
    raise UnknownTask(
        f"No model predicts this task; known tasks: {', '.join(known_tasks)}.",
        fields=(FieldProblem(location="metadata.task", reason="is not a known task"),),
    )
