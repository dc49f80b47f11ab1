"""The branch `NotFound` of `service.errors.tree`: routes and resources that do not exist for this caller."""

from __future__ import annotations

from service.errors.tree import ServiceError


class NotFound(ServiceError):
    """No route has this path."""

    status = 404
    code = "not_found"
    title = "Not found"
    advice = "Check the path; /docs lists every route."


class AssessmentNotFound(NotFound):
    """Unknown, erased, or of another tenant; the response does not say which."""

    code = "assessment_not_found"
    title = "No such assessment"
    advice = "Check the id; an erased assessment cannot be restored."


class BatchNotFound(NotFound):
    """Unknown, erased, or of another tenant; the response does not say which."""

    code = "batch_not_found"
    title = "No such batch"
    advice = "Check the id; an erased batch cannot be restored."


class UploadNotFound(NotFound):
    """Unknown, expired, or of another tenant; the response does not say which."""

    code = "upload_not_found"
    title = "No such upload"
    advice = "Check the id, or upload the file again: unused uploads expire."


class WebhookNotFound(NotFound):
    """Unknown, deleted, or of another tenant; the response does not say which."""

    code = "webhook_not_found"
    title = "No such webhook"
    advice = "Check the id; GET /v1/webhooks lists yours."


class DeliveryNotFound(NotFound):
    """Unknown, past its retention, or of another webhook."""

    code = "delivery_not_found"
    title = "No such delivery"
    advice = "Check the id; the delivery log of the webhook lists the stored ones."
