"""What can go wrong between a request and its answer.

    ServiceError
    ├── RequestRefused                the request as sent cannot be accepted
    │   ├── InvalidRequest                a field is missing, unknown or malformed
    │   ├── MalformedUpload               the body is not the multipart form it claims to be
    │   ├── MaterialMissing               neither audio nor transcript
    │   ├── AudioEmpty                    an audio part of zero bytes
    │   ├── AudioUnsupported              leading bytes of no audio format we take
    │   ├── TranscriptEmpty               no words in it
    │   ├── TranscriptNotUtf8             bytes that are not UTF-8
    │   ├── TooLarge                      more bytes than the limit
    │   ├── UnknownTask                   no model predicts it
    │   ├── UploadIncomplete              an upload was named before its last byte had come
    │   └── UploadUsed                    an upload belongs to one assessment or batch
    ├── Unauthenticated               no key, a wrong one, a revoked one
    ├── NotFound                      no such route
    │   ├── AssessmentNotFound            unknown, erased or another tenant's
    │   └── UploadNotFound                unknown, expired or another tenant's
    ├── MethodNotAllowed              the route exists, the method does not
    ├── Unavailable                   try again later
    │   ├── ModelNotReady                 no worker has registered a model yet
    │   ├── NotReady                      a part of the service is missing
    │   ├── Overloaded                    the queue is as long as it may be, or nobody works on it
    │   ├── TooManyAssessments            the tenant has as many waiting as it may have
    │   ├── DatabaseUnavailable           the database does not answer
    │   └── StorageUnavailable            the object store does not answer, or is full
    ├── InternalError                 our fault
    ├── FenceLost                     a stale attempt tried to write; never leaves the worker
    └── ConfigurationRefused          settings that must not run; shown on the command line

Every class that reaches a client has a status, a stable code and what to do. A detail never repeats what the
client sent: no file names, no words of a transcript.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One field of a request that is wrong: where it is and why, never what it held."""

    location: str
    reason: str


class ServiceError(Exception):
    """Anything the service refuses or fails at; class attributes say how it is told to the client."""

    status = 500
    code = "internal_error"
    title = "Internal error"
    advice = "Try again; if it happens again, report it with the request id."
    retryable = False
    retry_after: int | None = None

    def __init__(self, detail: str, *, fields: tuple[FieldProblem, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields


class RequestRefused(ServiceError):
    """The request as sent cannot be accepted."""

    status = 422
    code = "request_refused"
    title = "The request was refused"
    advice = "Correct the request and send it again."


class InvalidRequest(RequestRefused):
    """A field is missing, unknown or malformed."""

    code = "invalid_request"
    title = "The request is not valid"
    advice = "Correct the fields listed in `errors`; /docs shows an example of each request."


class MalformedUpload(RequestRefused):
    """The body is not the multipart form it claims to be."""

    status = 400
    code = "malformed_upload"
    title = "The upload could not be read"
    advice = "Send multipart/form-data with the parts `audio`, `transcript` and `metadata`, each at most once."


class MaterialMissing(RequestRefused):
    """Neither audio nor transcript was sent."""

    code = "material_missing"
    title = "Nothing to assess"
    advice = "Send a part `audio`, a part `transcript`, or both."


class AudioEmpty(RequestRefused):
    """The audio part holds no bytes."""

    code = "audio_empty"
    title = "The audio is empty"
    advice = "Check that the recording was saved, then send it again."


class AudioUnsupported(RequestRefused):
    """The leading bytes belong to no audio format we take."""

    status = 415
    code = "audio_unsupported"
    title = "Not an accepted audio format"
    advice = "Send WAV, FLAC, MP3, Ogg/Opus, M4A/AAC or WebM audio; the content counts, not the file's name."


class TranscriptEmpty(RequestRefused):
    """The transcript holds no words."""

    code = "transcript_empty"
    title = "The transcript is empty"
    advice = "Leave the part `transcript` out to have the recording scored on its audio alone."


class TranscriptNotUtf8(RequestRefused):
    """The transcript's bytes are not UTF-8."""

    code = "transcript_not_utf8"
    title = "The transcript is not UTF-8 text"
    advice = "Save the transcript as UTF-8 plain text, WebVTT, SRT or JSON and send it again."


class TooLarge(RequestRefused):
    """More bytes than the limit."""

    status = 413
    code = "too_large"
    title = "The upload is too large"
    advice = "Send a smaller file, for instance as FLAC or Opus, or split the recording."


class UnknownTask(RequestRefused):
    """No model predicts the task asked for."""

    code = "unknown_task"
    title = "Unknown task"
    advice = "Ask for one of the tasks that GET /v1/models lists."


class UploadIncomplete(RequestRefused):
    """An upload was named before its last byte had come."""

    status = 409
    code = "upload_incomplete"
    title = "The upload is not complete"
    advice = "Finish it: HEAD on the upload says at which offset to go on; then send the request again."


class UploadUsed(RequestRefused):
    """An upload belongs to one assessment or batch."""

    status = 409
    code = "upload_used"
    title = "The upload was used before"
    advice = "Upload the file again for each assessment, or look for the assessment that has it already."


class Unauthenticated(ServiceError):
    """No key, a wrong one or a revoked one; the three are not told apart."""

    status = 401
    code = "unauthenticated"
    title = "A valid API key is needed"
    advice = "Send `Authorization: Bearer <key>`; `hilbert keys create` makes a key."


class NotFound(ServiceError):
    """No such route."""

    status = 404
    code = "not_found"
    title = "Not found"
    advice = "Check the path; /docs lists every route."


class AssessmentNotFound(NotFound):
    """Unknown, erased, or another tenant's: the three are not told apart."""

    code = "assessment_not_found"
    title = "No such assessment"
    advice = "Check the id; an erased assessment cannot be brought back."


class UploadNotFound(NotFound):
    """Unknown, expired, or another tenant's: the three are not told apart."""

    code = "upload_not_found"
    title = "No such upload"
    advice = "Check the id, or upload the file again: uploads that nothing uses expire."


class MethodNotAllowed(ServiceError):
    """The route exists, the method does not."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"
    advice = "Check the method; /docs lists every route."


class Unavailable(ServiceError):
    """Something the service needs is not there right now."""

    status = 503
    code = "unavailable"
    title = "Not available right now"
    advice = "Try again after the seconds in Retry-After."
    retryable = True
    retry_after = 5


class ModelNotReady(Unavailable):
    """No worker has registered a model yet."""

    code = "model_not_ready"
    title = "No model is loaded yet"


class NotReady(Unavailable):
    """A part of the service is missing."""

    code = "not_ready"
    title = "The service is not ready"


class Overloaded(Unavailable):
    """The queue is as long as it may be, or nobody works on it."""

    code = "overloaded"
    title = "The service has too much to do"
    advice = "Send the request again after the seconds in Retry-After; a place is kept for it then."

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class TooManyAssessments(Unavailable):
    """The tenant has as many assessments waiting as it may have."""

    status = 429
    code = "too_many_assessments"
    title = "Too many assessments are waiting"
    advice = "Send the request again after the seconds in Retry-After; a place is kept for it then."

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class DatabaseUnavailable(Unavailable):
    """The database does not answer."""

    code = "database_unavailable"
    title = "The database does not answer"


class StorageUnavailable(Unavailable):
    """The object store does not answer, or has no room left."""

    code = "storage_unavailable"
    title = "The object store takes nothing right now"
    retry_after = 15


class InternalError(ServiceError):
    """Our fault."""

    retryable = True


class FenceLost(ServiceError):
    """A stale attempt tried to write: its stage was cancelled or taken over by another worker."""

    code = "fence_lost"
    title = "The stage belongs to another attempt"


class ConfigurationRefused(ServiceError):
    """Settings that must not run; shown on the command line."""

    code = "configuration_refused"
    title = "The settings were refused"
