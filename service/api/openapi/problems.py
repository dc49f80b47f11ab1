"""Documentation that FastAPI cannot derive: request bodies, the problems of each route, example responses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from service.api.openapi.examples import json_content
from service.api.schemas.assessments import EXAMPLE_ID, Message, Metadata, Problem, Submission
from service.errors.tree import ServiceError

Responses = dict[int | str, dict[str, Any]]
REFERENCE = "#/components/schemas/{model}"
# FastAPI declares them for its own 422, which this API answers with a problem.
UNUSED_FASTAPI_SCHEMAS = ("HTTPValidationError", "ValidationError")


def responses(status: int, example: Message, *errors: type[ServiceError]) -> Responses:
    """The `responses` of a route: an example of its success, and its problems."""
    return {status: {"content": json_content(example)}, **problem_responses(*errors)}


def problem_responses(*errors: type[ServiceError]) -> Responses:
    """The `responses` of a route that may raise these errors."""
    documented: Responses = {}
    for status in sorted({error.status for error in errors}):
        of_status = [error for error in errors if error.status == status]
        documented[status] = {
            "description": "; ".join(error.title for error in of_status),
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": REFERENCE.format(model="Problem")},
                    "examples": {error.code: {"value": _problem_example(error)} for error in of_status},
                }
            },
        }
    return documented


def extend_openapi(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """The application's `openapi` function, extended by schemas that no route declares."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        schemas = schema["components"]["schemas"]
        models = [(Problem, "serialization"), (Metadata, "validation"), (Submission, "validation")]
        _, extra = models_json_schema(models, ref_template=REFERENCE)  # type: ignore[arg-type]
        schemas.update(extra["$defs"])
        for name in UNUSED_FASTAPI_SCHEMAS:
            schemas.pop(name, None)
        return schema

    return openapi


def _problem_example(error: type[ServiceError]) -> dict[str, object]:
    return {
        "type": f"urn:hilbert:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.__doc__,
        "code": error.code,
        "advice": error.advice,
        "request_id": "8d0c2f5e-52f0-4c3e-9b1e-0f6a1d6c7b2a",
        "retryable": error.retryable,
    }


SUBMISSION_REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "audio": {
                            "type": "string",
                            "format": "binary",
                            "description": "WAV, FLAC, MP3, Ogg/Opus, M4A/AAC, WebM and more, whatever its name says",
                        },
                        "transcript": {
                            "type": "string",
                            "description": "UTF-8 plain text, WebVTT, SRT or JSON utterances; file or field",
                        },
                        "metadata": {"$ref": REFERENCE.format(model="Metadata")},
                    },
                },
                "encoding": {"metadata": {"contentType": "application/json"}},
                "example": {
                    "audio": "(the bytes of interview.flac)",
                    "transcript": "WEBVTT\n\n00:00.000 --> 00:04.000\n<v Participant>I slept well.",
                    "metadata": '{"task": "spectrum", "reference": "visit-0042"}',
                },
            },
            "application/json": {
                "schema": {"$ref": REFERENCE.format(model="Submission")},
                "example": {
                    "audio": {"upload": EXAMPLE_ID},
                    "transcript": {"text": "WEBVTT\n\n00:00.000 --> 00:04.000\n<v Participant>I slept well."},
                    "reference": "visit-0042",
                },
            },
        },
    }
}

UPLOAD_REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "content": {"application/offset+octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
