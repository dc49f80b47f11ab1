"""The tree of the service's errors.

    ServiceError
    ├── RequestRefused                the request as sent cannot be accepted
    │   ├── InvalidRequest                a field is missing, unknown or malformed
    │   ├── MalformedUpload               the body is not a valid multipart form
    │   ├── MaterialMissing               neither audio nor transcript
    │   ├── AudioEmpty                    an audio part of zero bytes
    │   ├── AudioUnsupported              first bytes are not of an accepted audio format
    │   ├── TranscriptEmpty               a transcript without words
    │   ├── TranscriptNotUtf8             a transcript that is not UTF-8
    │   ├── TooLarge                      larger than the limit
    │   ├── UnknownTask                   no loaded model predicts the task
    │   ├── BatchInvalid                  lines of a batch that are not valid, listed by number
    │   ├── BatchUnreadable               the body is not a valid tar archive of plain files
    │   ├── BatchUnsupported              neither lines of JSON nor a tar archive
    │   ├── BodyStalled                   the rest of the body did not arrive in time
    │   ├── IdempotencyKeyInvalid         the Idempotency-Key header is not valid
    │   ├── IdempotencyInFlight           the first request with this key has not completed
    │   ├── IdempotencyKeyReused          the key was used with another request
    │   ├── UploadHeaderInvalid           a header of the tus protocol is missing or malformed
    │   ├── UploadVersionUnsupported      another version of tus, or none
    │   ├── UploadTypeUnsupported         a PATCH without the content type of tus
    │   ├── UploadOffsetConflict          the bytes sent do not start at the offset
    │   ├── UploadChecksumMismatch        the bytes received do not match the checksum
    │   ├── UploadLocked                  another request writes to the upload
    │   ├── WebhookUrlRefused             the service does not send to this URL
    │   ├── WebhookLimit                  the tenant has the maximum number of webhooks
    │   ├── WebhookDisabled               the webhook is disabled
    │   ├── UploadIncomplete              the upload has not received all of its bytes
    │   └── UploadUsed                    the upload already belongs to an assessment or batch
    ├── Unauthenticated               no API key, or one that is unknown or revoked
    ├── NotFound                      no such route
    │   ├── AssessmentNotFound            unknown, erased or of another tenant
    │   ├── BatchNotFound                 unknown, erased or of another tenant
    │   ├── UploadNotFound                unknown, expired or of another tenant
    │   ├── WebhookNotFound               unknown, deleted or of another tenant
    │   └── DeliveryNotFound              unknown, past its retention or of another webhook
    ├── MethodNotAllowed              the route exists, the method does not
    ├── Unavailable                   temporarily unavailable
    │   ├── ModelNotReady                 no worker has registered a model yet
    │   ├── NotReady                      a dependency is missing, or the process starts or stops
    │   ├── Overloaded                    the queue has reached its limit, or no worker processes it
    │   ├── TooManyAssessments            the tenant has reached its limit of waiting assessments
    │   ├── DatabaseUnavailable           the database does not answer
    │   └── StorageUnavailable            the object store does not answer or is full
    ├── InternalError                 an error inside the service
    ├── WorkLost                      an object that a stage needs is missing; internal to the worker
    ├── FenceLost                     a stale attempt tried to write; internal to the worker
    └── ConfigurationRefused          invalid settings or bundle; shown on the command line

Every class that reaches a client has a status, a stable code and advice. A detail never repeats what the client sent:
no file names and no words of a transcript.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """An invalid field of a request: its location and the reason, never its value."""

    location: str
    reason: str


class ServiceError(Exception):
    """Base of all errors of the service; the class attributes are rendered as the problem."""

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
        self.headers: dict[str, str] = {}


class RequestRefused(ServiceError):
    """The request as sent cannot be accepted."""

    status = 422
    code = "request_refused"
    title = "The request was refused"
    advice = "Correct the request and send it again."


class Unauthenticated(ServiceError):
    """No API key, or one that is unknown or revoked; the response does not say which."""

    status = 401
    code = "unauthenticated"
    title = "A valid API key is needed"
    advice = "Send `Authorization: Bearer <key>`; `hilbert keys create` issues a key."


class MethodNotAllowed(ServiceError):
    """The route exists, the method does not."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"
    advice = "Check the method; /docs lists every route."


class InternalError(ServiceError):
    """An error inside the service."""

    retryable = True


class FenceLost(ServiceError):
    """A stale attempt tried to write: its stage was cancelled or claimed by another worker."""

    code = "fence_lost"
    title = "The stage belongs to another attempt"


class WorkLost(ServiceError):
    """The material, or an object of an earlier stage, is not in the object store."""

    code = "work_lost"
    title = "What the stage needs is gone"


class ConfigurationRefused(ServiceError):
    """Invalid settings or an unusable bundle; shown on the command line."""

    code = "configuration_refused"
    title = "The settings were refused"
