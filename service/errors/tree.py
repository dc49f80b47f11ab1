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
    │   ├── BatchInvalid                  lines of a batch that cannot be accepted, all of them listed
    │   ├── BatchUnreadable               the body is not the archive it claims to be
    │   ├── BatchUnsupported              neither lines of JSON nor a tar archive
    │   ├── BodyStalled                   the rest of the body did not come
    │   ├── IdempotencyKeyInvalid         the header is no key
    │   ├── IdempotencyInFlight           the first request with this key is still at work
    │   ├── IdempotencyKeyReused          the key belongs to another request
    │   ├── UploadHeaderInvalid           a header of the tus protocol is missing or malformed
    │   ├── UploadVersionUnsupported      another version of the tus protocol
    │   ├── UploadTypeUnsupported         the body of a PATCH is not announced as one
    │   ├── UploadOffsetConflict          the bytes sent do not begin where the stored ones end
    │   ├── UploadChecksumMismatch        the bytes that came are not those that were sent
    │   ├── UploadLocked                  another request is writing
    │   ├── WebhookUrlRefused             a URL that the service does not send to
    │   ├── WebhookLimit                  the tenant has as many webhooks as it may
    │   ├── WebhookDisabled               nothing is sent to it until it is enabled again
    │   ├── UploadIncomplete              an upload was named before its last byte had come
    │   └── UploadUsed                    an upload belongs to one assessment or batch
    ├── Unauthenticated               no key, a wrong one, a revoked one
    ├── NotFound                      no such route
    │   ├── AssessmentNotFound            unknown, erased or another tenant's
    │   ├── BatchNotFound                 unknown, erased or another tenant's
    │   ├── UploadNotFound                unknown, expired or another tenant's
    │   ├── WebhookNotFound               unknown, deleted or another tenant's
    │   └── DeliveryNotFound              unknown, too old or of another webhook
    ├── MethodNotAllowed              the route exists, the method does not
    ├── Unavailable                   try again later
    │   ├── ModelNotReady                 no worker has registered a model yet
    │   ├── NotReady                      a part of the service is missing
    │   ├── Overloaded                    the queue is as long as it may be, or nobody works on it
    │   ├── TooManyAssessments            the tenant has as many waiting as it may have
    │   ├── DatabaseUnavailable           the database does not answer
    │   └── StorageUnavailable            the object store does not answer, or is full
    ├── InternalError                 our fault
    ├── WorkLost                      what a stage needs is not in the store; never leaves the worker
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
        self.headers: dict[str, str] = {}


class RequestRefused(ServiceError):
    """The request as sent cannot be accepted."""

    status = 422
    code = "request_refused"
    title = "The request was refused"
    advice = "Correct the request and send it again."


class Unauthenticated(ServiceError):
    """No key, a wrong one or a revoked one; the three are not told apart."""

    status = 401
    code = "unauthenticated"
    title = "A valid API key is needed"
    advice = "Send `Authorization: Bearer <key>`; `hilbert keys create` makes a key."


class MethodNotAllowed(ServiceError):
    """The route exists, the method does not."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"
    advice = "Check the method; /docs lists every route."


class InternalError(ServiceError):
    """Our fault."""

    retryable = True


class FenceLost(ServiceError):
    """A stale attempt tried to write: its stage was cancelled or taken over by another worker."""

    code = "fence_lost"
    title = "The stage belongs to another attempt"


class WorkLost(ServiceError):
    """What was sent, or what the stages before have left, is not in the object store."""

    code = "work_lost"
    title = "What the stage needs is gone"


class ConfigurationRefused(ServiceError):
    """Settings that must not run; shown on the command line."""

    code = "configuration_refused"
    title = "The settings were refused"
