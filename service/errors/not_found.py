"""The branch `NotFound` of `service.errors.tree`: routes and resources that do not exist for this caller."""

from __future__ import annotations

from service.errors.tree import ServiceError


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


class BatchNotFound(NotFound):
    """Unknown, erased, or another tenant's: the three are not told apart."""

    code = "batch_not_found"
    title = "No such batch"
    advice = "Check the id; an erased batch cannot be brought back."


class UploadNotFound(NotFound):
    """Unknown, expired, or another tenant's: the three are not told apart."""

    code = "upload_not_found"
    title = "No such upload"
    advice = "Check the id, or upload the file again: uploads that nothing uses expire."


class WebhookNotFound(NotFound):
    """Unknown, deleted, or another tenant's: the three are not told apart."""

    code = "webhook_not_found"
    title = "No such webhook"
    advice = "Check the id; GET /v1/webhooks lists yours."


class DeliveryNotFound(NotFound):
    """Unknown, too old to be kept, or of another webhook."""

    code = "delivery_not_found"
    title = "No such delivery"
    advice = "Check the id; the log of the webhook lists those that are kept."
