"""Render every error as an RFC 9457 problem that holds nothing the client sent."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from service.api.schemas.assessments import Problem, ProblemField
from service.errors.not_found import NotFound
from service.errors.request import InvalidRequest
from service.errors.tree import (
    FieldProblem,
    InternalError,
    MethodNotAllowed,
    RequestRefused,
    ServiceError,
    Unauthenticated,
)
from service.errors.unavailable import DatabaseUnavailable

PROBLEM_MEDIA_TYPE = "application/problem+json"
HTTP_ERRORS: dict[int, ServiceError] = {
    404: NotFound("There is nothing at this path."),
    405: MethodNotAllowed("The path does not take this method."),
}


def install_error_handlers(app: FastAPI) -> None:
    """Register the handlers that answer each kind of error with a problem."""

    @app.exception_handler(ServiceError)
    def on_service_error(request: Request, error: ServiceError) -> JSONResponse:
        return problem_response(request, error)

    @app.exception_handler(RequestValidationError)
    def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem_response(request, _validation_error(error))

    @app.exception_handler(HTTPException)
    def on_http_error(request: Request, error: HTTPException) -> JSONResponse:
        known = HTTP_ERRORS.get(error.status_code, RequestRefused("The request was refused."))
        response = problem_response(request, known)
        if error.headers:
            response.headers.update(error.headers)
        return response

    @app.exception_handler(SQLAlchemyError)
    def on_database_error(request: Request, error: SQLAlchemyError) -> JSONResponse:
        mark_connection_lost(request, error)
        return problem_response(request, _database_error(error))


def problem_response(request: Request, error: ServiceError) -> JSONResponse:
    """The problem document of an error."""
    fields = tuple(ProblemField(location=field.location, reason=field.reason) for field in error.fields)
    problem = Problem(
        type=f"urn:hilbert:problem:{error.code}",
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.code,
        advice=error.advice,
        request_id=request.state.request_id,
        retryable=error.retryable,
        errors=fields or None,
    )
    headers = {"Cache-Control": "no-store", **error.headers}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    # HTTP requires this header of every 401 (RFC 9110, section 15.5.2).
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="hilbert"'
    return JSONResponse(
        problem.model_dump(mode="json", exclude_none=True),
        status_code=error.status,
        headers=headers,
        media_type=PROBLEM_MEDIA_TYPE,
    )


def _validation_error(error: RequestValidationError) -> InvalidRequest:
    # Location and type only: the messages and inputs of pydantic may hold what the client sent.
    fields = tuple(
        FieldProblem(location=".".join(map(str, problem["loc"])), reason=problem["type"]) for problem in error.errors()
    )
    return InvalidRequest("Some fields are not valid.", fields=fields)


def _database_error(error: SQLAlchemyError) -> ServiceError:
    if isinstance(error, PoolTimeout | DBAPIError):
        return DatabaseUnavailable("The database does not answer right now.")
    return InternalError("An unexpected error happened.")


CONNECTION_LOST = "database_lost"
"""Attribute of the request's state; set when its database connection broke."""


def mark_connection_lost(request: Request, error: SQLAlchemyError) -> None:
    """Mark a request whose database connection broke, so that RetryReadsMiddleware may repeat it."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        setattr(request.state, CONNECTION_LOST, True)
