"""The branch `RequestRefused` of `service.errors.tree`: requests that cannot be accepted as sent."""

from __future__ import annotations

from service.errors.tree import RequestRefused


class InvalidRequest(RequestRefused):
    """A field is missing, unknown or malformed."""

    code = "invalid_request"
    title = "The request is not valid"
    advice = "Correct the fields listed in `errors`; /docs shows an example of each request."


class MalformedUpload(RequestRefused):
    """The body is not a valid multipart form, or the connection ended before its end."""

    status = 400
    code = "malformed_upload"
    title = "The upload could not be read"
    advice = "Send multipart/form-data with the parts `audio`, `transcript` and `metadata`, each at most once."


class MaterialMissing(RequestRefused):
    """The request holds neither audio nor a transcript."""

    code = "material_missing"
    title = "Nothing to assess"
    advice = "Send a part `audio`, a part `transcript`, or both."


class AudioEmpty(RequestRefused):
    """The audio part holds no bytes."""

    code = "audio_empty"
    title = "The audio is empty"
    advice = "Check that the recording was saved, then send it again."


class AudioUnsupported(RequestRefused):
    """The first bytes are not those of an accepted audio format."""

    status = 415
    code = "audio_unsupported"
    title = "Not an accepted audio format"
    advice = "Convert the recording to 16-bit PCM WAV or FLAC; the content decides, not the name of the file."


class TranscriptEmpty(RequestRefused):
    """The transcript holds no words."""

    code = "transcript_empty"
    title = "The transcript is empty"
    advice = "Leave out the part `transcript` to score the recording on its audio alone."


class TranscriptNotUtf8(RequestRefused):
    """The transcript's bytes are not UTF-8."""

    code = "transcript_not_utf8"
    title = "The transcript is not UTF-8 text"
    advice = "Save the transcript as UTF-8 plain text, WebVTT, SRT or JSON and send it again."


class TooLarge(RequestRefused):
    """The request or one of its files is larger than the limit."""

    status = 413
    code = "too_large"
    title = "The upload is too large"
    advice = "Send a smaller file, for instance as FLAC or Opus, or split the recording."


class UnknownTask(RequestRefused):
    """No loaded model predicts the requested task."""

    code = "unknown_task"
    title = "Unknown task"
    advice = "Request one of the tasks that GET /v1/models lists."


class BatchInvalid(RequestRefused):
    """Some lines of the batch are not valid; nothing of the batch was stored."""

    code = "batch_invalid"
    title = "The batch is not valid"
    advice = "Correct the lines listed in `errors` and send the whole batch again."


class BatchUnreadable(RequestRefused):
    """The body is not a valid tar archive of plain files."""

    status = 400
    code = "batch_unreadable"
    title = "The archive could not be read"
    advice = "Send an uncompressed tar of plain files whose first member is manifest.jsonl."


class BatchUnsupported(RequestRefused):
    """The body is neither lines of JSON nor a tar archive."""

    status = 415
    code = "batch_unsupported"
    title = "Not an accepted form of a batch"
    advice = "Send application/x-ndjson with one assessment a line, or application/x-tar."


class BodyStalled(RequestRefused):
    """The rest of the request body did not arrive in time."""

    status = 408
    code = "body_stalled"
    title = "The rest of the request did not come"
    advice = "Send the request again; over a poor connection use resumable uploads under /v1/uploads."
    retryable = True


class IdempotencyKeyInvalid(RequestRefused):
    """The Idempotency-Key header is not valid."""

    status = 400
    code = "idempotency_key_invalid"
    title = "The Idempotency-Key is not valid"
    advice = "Send 1 to 255 printable ASCII characters, for instance a UUID, with or without double quotes."


class IdempotencyInFlight(RequestRefused):
    """The first request with this key has not completed."""

    status = 409
    code = "idempotency_in_flight"
    title = "A request with this key is still at work"
    advice = "Send the request again after the seconds in Retry-After to get the response of the first one."
    retryable = True
    retry_after = 2


class IdempotencyKeyReused(RequestRefused):
    """The key was used with another body or path before."""

    code = "idempotency_key_reused"
    title = "The Idempotency-Key belongs to another request"
    advice = "Generate a new key for each new request; reuse a key only to repeat the same request."


class UploadHeaderInvalid(RequestRefused):
    """A header of the tus protocol is missing or malformed."""

    status = 400
    code = "upload_header_invalid"
    title = "A header of the upload is not valid"
    advice = "Send the headers that tus 1.0 requires; docs/api.md shows them."


class UploadVersionUnsupported(RequestRefused):
    """The request names another version of tus, or none."""

    status = 412
    code = "upload_version_unsupported"
    title = "Not a version of tus that is spoken here"
    advice = "Send `Tus-Resumable: 1.0.0`."


class UploadTypeUnsupported(RequestRefused):
    """The PATCH does not have the content type of tus."""

    status = 415
    code = "upload_type_unsupported"
    title = "Not the content type of an upload"
    advice = "Send `Content-Type: application/offset+octet-stream`."


class UploadOffsetConflict(RequestRefused):
    """The bytes sent do not start at the offset of the upload."""

    status = 409
    code = "upload_offset_conflict"
    title = "The upload stands at another offset"
    advice = "Read the offset with HEAD and continue from there."


class UploadChecksumMismatch(RequestRefused):
    """The bytes received do not match the checksum."""

    status = 460
    code = "upload_checksum_mismatch"
    title = "The checksum does not match"
    advice = "Send these bytes again; none of them was stored."
    retryable = True


class UploadLocked(RequestRefused):
    """Another request is writing to the upload."""

    status = 423
    code = "upload_locked"
    title = "Another request is writing to this upload"
    advice = "Wait for the seconds in Retry-After, read the offset with HEAD, and continue from there."
    retryable = True
    retry_after = 2


class WebhookUrlRefused(RequestRefused):
    """The service does not send requests to this URL."""

    code = "webhook_url_refused"
    title = "The URL of the webhook was refused"
    advice = "Give the https:// URL of a receiver on the public internet; docs/webhooks.md says what is accepted."


class WebhookLimit(RequestRefused):
    """The tenant has reached the maximum number of webhooks."""

    status = 409
    code = "webhook_limit"
    title = "Too many webhooks"
    advice = "Delete a webhook that is no longer used, or let one receiver handle several events."


class WebhookDisabled(RequestRefused):
    """The webhook is disabled, so nothing is sent to it."""

    status = 409
    code = "webhook_disabled"
    title = "The webhook is disabled"
    advice = "Repair the receiver, enable the webhook with PATCH, then send the request again."


class UploadIncomplete(RequestRefused):
    """The request names an upload that has not received all of its bytes."""

    status = 409
    code = "upload_incomplete"
    title = "The upload is not complete"
    advice = "Complete the upload from the offset that HEAD returns, then send the request again."


class UploadUsed(RequestRefused):
    """The upload already belongs to an assessment or batch."""

    status = 409
    code = "upload_used"
    title = "The upload was used before"
    advice = "Upload the file again for each assessment, or look up the assessment that uses it."
