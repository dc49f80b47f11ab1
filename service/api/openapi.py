"""What OpenAPI cannot guess: the multipart form, and the problems of each route."""

from __future__ import annotations

from service.api.schemas import Metadata, Problem
from service.errors import ServiceError

Responses = dict[int | str, dict[str, object]]


def problems(*errors: type[ServiceError]) -> Responses:
    """The `responses` of a route that may refuse in these ways."""
    responses: Responses = {}
    for status in sorted({error.status for error in errors}):
        of_status = [error for error in errors if error.status == status]
        responses[status] = {
            "model": Problem,
            "description": "; ".join(error.title for error in of_status),
            "content": {"application/problem+json": {"examples": {e.code: _example(e) for e in of_status}}},
        }
    return responses


def _example(error: type[ServiceError]) -> dict[str, object]:
    return {
        "value": {
            "type": f"urn:hilbert:problem:{error.code}",
            "title": error.title,
            "status": error.status,
            "detail": error.__doc__,
            "code": error.code,
            "advice": error.advice,
            "request_id": "8d0c2f5e-52f0-4c3e-9b1e-0f6a1d6c7b2a",
            "retryable": error.retryable,
        }
    }


SUBMISSION: dict[str, object] = {
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
                            "description": "WAV, FLAC, MP3, Ogg/Opus, M4A/AAC or WebM, whatever its name says",
                        },
                        "transcript": {
                            "type": "string",
                            "description": "UTF-8 plain text, WebVTT, SRT or JSON utterances; file or field",
                        },
                        "metadata": Metadata.model_json_schema(ref_template="#/components/schemas/{model}")
                        | {"description": "JSON"},
                    },
                },
                "encoding": {"metadata": {"contentType": "application/json"}},
                "example": {
                    "audio": "(the bytes of interview.flac)",
                    "transcript": "WEBVTT\n\n00:00.000 --> 00:04.000\n<v Participant>I slept well.",
                    "metadata": '{"task": "spectrum", "reference": "visit-0042"}',
                },
            }
        },
    }
}
