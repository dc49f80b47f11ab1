"""The branch `Unavailable` of `service.errors.tree`: temporary faults that a client should retry."""

from __future__ import annotations

from service.errors.tree import ServiceError


class Unavailable(ServiceError):
    """A dependency of the service is temporarily unavailable."""

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
    """A dependency of the service is missing, or the process is starting or stopping."""

    code = "not_ready"
    title = "The service is not ready"


class Overloaded(Unavailable):
    """The queue has reached its limit, or no worker processes it."""

    code = "overloaded"
    title = "The service has too much to do"
    advice = "Send the request again after the seconds in Retry-After; capacity is reserved for it then."

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class TooManyAssessments(Unavailable):
    """The tenant has reached its limit of waiting assessments."""

    status = 429
    code = "too_many_assessments"
    title = "Too many assessments are waiting"
    advice = "Send the request again after the seconds in Retry-After; capacity is reserved for it then."

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class DatabaseUnavailable(Unavailable):
    """The database does not answer."""

    code = "database_unavailable"
    title = "The database does not answer"


class StorageUnavailable(Unavailable):
    """The object store does not answer or is full."""

    code = "storage_unavailable"
    title = "The object store takes nothing right now"
    retry_after = 15
