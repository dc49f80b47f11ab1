"""Check uploads as the material of an assessment, for single submissions and batches."""

from __future__ import annotations

from dataclasses import dataclass

from service.errors.request import MaterialMissing, TooLarge, UploadIncomplete
from service.storage.objects import ObjectStore
from service.uploads.audio_format import HEADER_BYTES, require_audio, require_transcript
from service.uploads.duration_estimate import estimate_duration
from service.uploads.repository import StoredUpload


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Keys and estimated duration of checked uploads; `uploads` are the ids to claim."""

    audio_key: str | None
    transcript_key: str | None
    audio_seconds: float | None
    uploads: tuple[str, ...]


def resolve_material(
    objects: ObjectStore, *, audio: StoredUpload | None, transcript: StoredUpload | None, transcript_limit: int
) -> Material:
    """Check the content of uploads. Reads the object store, so it must not run inside a transaction.

    A complete upload no longer changes, so `UploadRepository.claim` later claims what was checked.
    Raises MaterialMissing, UploadIncomplete, AudioEmpty, AudioUnsupported, TooLarge, TranscriptEmpty,
    TranscriptNotUtf8.
    """
    if audio is None and transcript is None:
        raise MaterialMissing("The request names neither audio nor a transcript.")
    if transcript is not None:
        _require_transcript_upload(objects, transcript, transcript_limit)
    return Material(
        audio_key=None if audio is None else audio.key,
        transcript_key=None if transcript is None else transcript.key,
        audio_seconds=None if audio is None else _audio_seconds(objects, audio),
        uploads=tuple(upload.id for upload in (audio, transcript) if upload is not None),
    )


def _audio_seconds(objects: ObjectStore, upload: StoredUpload) -> float:
    _require_complete(upload)
    head = objects.head(upload.key, HEADER_BYTES) if upload.length else b""
    require_audio(head)
    return estimate_duration(head, upload.length)


def _require_transcript_upload(objects: ObjectStore, upload: StoredUpload, limit: int) -> None:
    _require_complete(upload)
    if upload.length > limit:
        raise TooLarge(f"The transcript is larger than {limit} bytes.")
    require_transcript(objects.get(upload.key) if upload.length else b"")


def _require_complete(upload: StoredUpload) -> None:
    if not upload.complete:
        raise UploadIncomplete("The upload named here is not complete.")
