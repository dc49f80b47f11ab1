"""The errors of the model, from a recording to its result.

    ModelError
    ├── RecordingError            the recording or transcript cannot be used; `advice` says what to do
    │   ├── AudioUnreadable           not audio in an accepted format, or damaged
    │   │   └── AudioFormatUnsupported  a container, codec or sample format that is not read
    │   ├── AudioTrackMissing         the file has no audio track of the number asked for
    │   ├── AudioChannelMissing       the audio has no channel of the number asked for
    │   ├── AudioTimesInvalid         timestamps that jump further than is filled with silence
    │   ├── AudioTruncated            shorter than its header declares
    │   ├── AudioTooLong              longer than the limit in seconds or bytes
    │   ├── TranscriptUnreadable      not text, or malformed for its format
    │   └── TranscriptTooLong         longer than the limit in seconds
    ├── BundleError               a bundle that cannot be loaded
    │   ├── BundleInvalid             manifest missing, malformed or of another version
    │   ├── BundleTampered            a file or the manifest differs from its digest or signature
    │   ├── BundleUntrusted           unsigned, or signed by a key that is not trusted
    │   └── SelfTestFailed            the golden recording has another output than at the release
    ├── EncodingError             segments were submitted but not encoded
    │   ├── EncodingCancelled         the features are no longer needed
    │   ├── EncoderBusy               the queue stayed full
    │   └── EncoderClosed             the encoder was closed first
    ├── DeviceUnavailable         the configured device is not available
    ├── SigningKeyUnusable        not an Ed25519 key of the needed kind
    ├── TaskNotInBundle           the bundle has no such task
    ├── UnsupportedEncoder        an architecture that cannot be exported
    ├── CheckpointUnreadable      an encoder checkpoint is missing or incomplete
    └── ParityError               an exported graph disagrees with torch

A message never contains words of a transcript or the file name of a client.
"""

from __future__ import annotations


class ModelError(Exception):
    """Base of all errors of the model; `code` is stable, `advice` says what to do."""

    code = "model_error"
    advice = "Report this with the request id."

    def __init__(self, detail: str, *, advice: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if advice is not None:
            self.advice = advice


class RecordingError(ModelError):
    """The recording or the transcript cannot be used."""

    code = "recording_error"


class AudioUnreadable(RecordingError):
    """The file is not audio in an accepted container and codec, or is damaged."""

    code = "audio_unreadable"
    advice = "Export the recording again from the program that made it, and check that it plays to its end."


class AudioFormatUnsupported(AudioUnreadable):
    """The container, the codec or the shape of the samples is not read; the detail names it."""

    code = "audio_unsupported"
    advice = "Convert the recording to 16-bit PCM WAV or FLAC, and send that."


class AudioTrackMissing(RecordingError):
    """The file has fewer audio tracks than the number of the one asked for."""

    code = "audio_track_missing"
    advice = "Name an audio track that the file has, numbered from 1, or none to use the default one."


class AudioChannelMissing(RecordingError):
    """The audio has fewer channels than the number of the participant's."""

    code = "audio_channel_missing"
    advice = "Name a channel that the audio has, numbered from 1, or none to use all of them."


class AudioTimesInvalid(RecordingError):
    """The timestamps jump forward further than gaps are filled with silence."""

    code = "audio_times_invalid"
    advice = "Export the recording again with continuous timestamps, for instance as FLAC."


class AudioTruncated(RecordingError):
    """The audio is shorter than its header declares."""

    code = "audio_truncated"
    advice = "The upload seems to be incomplete: send the whole file again."


class AudioTooLong(RecordingError):
    """The decoded audio exceeds the configured limit."""

    code = "audio_too_long"
    advice = "Split the recording into shorter files."


class TranscriptUnreadable(RecordingError):
    """The transcript is not text, is empty, is malformed for its format, or has a format that is not read."""

    code = "transcript_unreadable"
    advice = (
        "Send UTF-8 plain text, WebVTT, SubRip (SRT), JSON utterances with start, end, text and speaker, or another "
        "format of docs/transcripts.md."
    )


class TranscriptTooLong(RecordingError):
    """The times or the words of the transcript exceed the configured limit in seconds."""

    code = "transcript_too_long"
    advice = "Check that its times are in the unit of its format, or split the recording into shorter ones."


class BundleError(ModelError):
    """A bundle that cannot be loaded."""

    code = "bundle_error"
    advice = "Install the bundle again from its release."


class BundleInvalid(BundleError):
    """The manifest is missing, malformed or of another format version."""

    code = "bundle_invalid"


class BundleTampered(BundleError):
    """A file differs from its digest in the manifest, or the manifest from its signature."""

    code = "bundle_tampered"


class BundleUntrusted(BundleError):
    """The bundle is unsigned or signed by an untrusted key, and trust is required."""

    code = "bundle_untrusted"
    advice = "Install a bundle signed by a trusted key, or trust the key that signed this one if it is known to you."


class SelfTestFailed(BundleError):
    """The output for the golden recording differs from the output at the release."""

    code = "bundle_misbehaves"
    advice = (
        "Do not score with it here. Another runtime, execution provider or processor may compute differently: go back "
        "to the environment or the bundle that worked before, or release the bundle again for this environment."
    )


class EncodingError(ModelError):
    """Segments were submitted to an encoder but not encoded; the material is valid."""

    code = "encoding_error"
    advice = "Try again."


class EncodingCancelled(EncodingError):
    """The caller cancelled the request."""

    code = "encoding_cancelled"


class EncoderBusy(EncodingError):
    """The queue of the encoder stayed full until the timeout."""

    code = "encoder_busy"
    advice = "Try again later, with fewer stages at once, or on a faster machine."


class EncoderClosed(EncodingError):
    """The encoder was closed before the segments were encoded."""

    code = "encoder_closed"
    advice = "Open the bundle again."


class DeviceUnavailable(ModelError):
    """Graphs cannot run on the configured device, and no fallback is allowed."""

    code = "device_unavailable"
    advice = (
        "Install ONNX Runtime for GPUs (the extra `worker-gpu`, without `worker` beside it), CUDA, cuDNN and, where it "
        "is wanted, TensorRT; or compute on another device."
    )


class SigningKeyUnusable(ModelError):
    """The key is not an Ed25519 key of the needed kind."""

    code = "signing_key_unusable"
    advice = "`hilbert-train keygen` makes a pair: the private half signs, the public half (.pub) is what others trust."


class TaskNotInBundle(ModelError):
    """The bundle has no such task."""

    code = "unknown_task"
    advice = "Ask for one of the tasks listed by the bundle."


class UnsupportedEncoder(ModelError):
    """The architecture of a checkpoint cannot be exported."""

    code = "unsupported_encoder"


class CheckpointUnreadable(ModelError):
    """A checkpoint is missing, or lacks weights, tokenizer or feature extractor."""

    code = "checkpoint_unreadable"
    advice = "Download or save the checkpoint again, whole: configuration, weights, and tokenizer or preprocessor."


class ParityError(ModelError):
    """An exported graph disagrees with torch beyond the tolerance."""

    code = "parity_error"
