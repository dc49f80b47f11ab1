"""`/v1/models`: the models that workers have loaded."""

from __future__ import annotations

from fastapi import APIRouter

from service.api.dependencies import ComponentsDep
from service.api.openapi.examples import MODEL_LIST
from service.api.openapi.problems import responses
from service.api.schemas.assessments import ModelList, model_view
from service.errors.tree import Unauthenticated
from service.errors.unavailable import DatabaseUnavailable
from service.worker_registry import registered_models

router = APIRouter(prefix="/models", tags=["models"])


@router.get(
    "",
    response_model=ModelList,
    summary="List the models in use",
    responses=responses(200, MODEL_LIST, Unauthenticated, DatabaseUnavailable),
)
def list_models(components: ComponentsDep) -> ModelList:
    """Each with its tasks and their outcomes."""
    with components.database.reading() as session:
        registered = registered_models(session)
    return ModelList(items=tuple(map(model_view, registered)))
