"""What can go wrong between a recording and its assessment.

    ModelError
    ├── RecordingError            the client's material; `advice` says what to do about it
    │   ├── AudioUnreadable           not audio we decode, or damaged
    │   ├── AudioTruncated            ends before its own header says it should
    │   ├── AudioTooLong              more seconds or bytes than allowed
    │   └── TranscriptUnreadable      not text, or malformed for its format
    ├── BundleError               a bundle that must not be loaded
    │   ├── BundleInvalid             manifest missing, malformed or of another version
    │   ├── BundleTampered            a file differs from its digest, or the manifest from what was signed
    │   ├── BundleUntrusted           unsigned, or signed by a key that is not trusted
    │   └── SelfTestFailed          answers otherwise here than where it was released
    ├── EncodingError             segments that were handed to an encoder and not encoded
    │   ├── EncodingCancelled         nobody waits for them any more
    │   ├── EncoderBusy               too much waited already, for too long
    │   └── EncoderClosed             the encoder was closed
    ├── DeviceUnavailable         the wanted GPU, or ONNX Runtime's support of it, is not there
    ├── SigningKeyUnusable        no Ed25519 key of the kind that is needed
    ├── TaskNotInBundle           the bundle predicts no such task
    ├── UnsupportedEncoder        an architecture that cannot be exported
    ├── CheckpointUnreadable      an encoder's checkpoint that is not there, or lacks a part
    └── ParityError               an exported graph disagrees with torch

A message never holds words of a transcript or a client's file name.
"""

from __future__ import annotations


class ModelError(Exception):
    """Anything the model refuses; `code` is stable, `advice` tells the reader what to do."""

    code = "model_error"
    advice = "Report this with the request id."

    def __init__(self, detail: str, *, advice: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if advice is not None:
            self.advice = advice


class RecordingError(ModelError):
    """The client's material cannot be used as it is."""

    code = "recording_error"


class AudioUnreadable(RecordingError):
    """The bytes are not audio in an accepted container and codec, or are damaged."""

    code = "audio_unreadable"
    advice = "Send WAV, FLAC, MP3, Ogg/Opus, M4A/AAC or WebM audio that plays to its end in an ordinary player."


class AudioTruncated(RecordingError):
    """The audio ends before its header says it should."""

    code = "audio_truncated"
    advice = "The upload seems to be incomplete: send the whole file again."


class AudioTooLong(RecordingError):
    """The audio decodes to more than the configured limit."""

    code = "audio_too_long"
    advice = "Split the recording into shorter files."


class TranscriptUnreadable(RecordingError):
    """The transcript is not UTF-8 text, is empty, or is malformed for its format."""

    code = "transcript_unreadable"
    advice = "Send UTF-8 plain text, WebVTT, SubRip (SRT) or JSON utterances with start, end, text and speaker."


class BundleError(ModelError):
    """A bundle that must not be loaded."""

    code = "bundle_error"
    advice = "Install the bundle again from its release."


class BundleInvalid(BundleError):
    """The manifest is missing, malformed or of another format version."""

    code = "bundle_invalid"


class BundleTampered(BundleError):
    """A file differs from the digest in the manifest, or the manifest from what was signed."""

    code = "bundle_tampered"


class BundleUntrusted(BundleError):
    """Unsigned, or signed by a key that is not trusted, where trust is required."""

    code = "bundle_untrusted"
    advice = "Install a bundle signed by a trusted key, or trust the key that signed this one if it is known to you."


class SelfTestFailed(BundleError):
    """Its golden recording is not answered as it was at release."""

    code = "bundle_misbehaves"
    advice = (
        "Do not score with it here. Another runtime, execution provider or processor may compute differently: go back "
        "to the environment or the bundle that worked before, or release the bundle again for this environment."
    )


class EncodingError(ModelError):
    """Segments were handed to an encoder and not encoded; nothing is wrong with the material."""

    code = "encoding_error"
    advice = "Try again."


class EncodingCancelled(EncodingError):
    """Whoever waited for the features said that they are no longer needed."""

    code = "encoding_cancelled"


class EncoderBusy(EncodingError):
    """More waited to be encoded than may, until patience was at its end."""

    code = "encoder_busy"
    advice = "Try again later, with fewer stages at once, or on a faster machine."


class EncoderClosed(EncodingError):
    """The encoder was closed before the segments were encoded."""

    code = "encoder_closed"
    advice = "Open the bundle again."


class DeviceUnavailable(ModelError):
    """Graphs cannot run on the device that was asked for, and nothing else was allowed."""

    code = "device_unavailable"
    advice = (
        "Install ONNX Runtime for GPUs (the extra `worker-gpu`, without `worker` beside it), CUDA, cuDNN and, where it "
        "is wanted, TensorRT; or compute on another device."
    )


class SigningKeyUnusable(ModelError):
    """Not an Ed25519 key of the kind that is needed."""

    code = "signing_key_unusable"
    advice = "`hilbert-train keygen` makes a pair: the private half signs, the public half (.pub) is what others trust."


class TaskNotInBundle(ModelError):
    """The bundle predicts no such task."""

    code = "unknown_task"
    advice = "Ask for one of the tasks listed by the bundle."


class UnsupportedEncoder(ModelError):
    """A checkpoint of an architecture that cannot be exported."""

    code = "unsupported_encoder"


class CheckpointUnreadable(ModelError):
    """A checkpoint that is not there, or lacks weights, tokenizer or the preparation of its waveforms."""

    code = "checkpoint_unreadable"
    advice = "Download or save the checkpoint again, whole: configuration, weights, and tokenizer or preprocessor."


class ParityError(ModelError):
    """An exported graph disagrees with torch beyond the tolerance."""

    code = "parity_error"
