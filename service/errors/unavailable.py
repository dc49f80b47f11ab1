"""The branch `Unavailable` of `service.errors.tree`: temporary faults that a client should retry."""

from __future__ import annotations

from service.errors.tree import ServiceError


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
    """A part of the service is missing, or the process takes no requests: not yet, or no more."""

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
