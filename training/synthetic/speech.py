"""Text-to-speech with espeak-ng, through the shared library of the `espeakng-loader` wheel.

espeak-ng has global state: the phase of its oscillators and the positions in its flutter and breath tables survive a
sentence, a change of voice and `espeak_Terminate`. The same sentence spoken twice would differ. Here the library is
loaded anew for every phrase (about 10 ms; a phrase of 3 s takes 7 ms) with a fixed noise seed, so that samples depend
only on text and voice. A process-wide lock allows one loaded image at a time.
"""

from __future__ import annotations

import ctypes
from _ctypes import dlclose
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import espeakng_loader
import numpy as np
from jaxtyping import Int16

from training.errors import SpeechUnavailableError

SAMPLE_RATE = 22050
"""Sample rate of espeak-ng, in Hz."""

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS
_DO_NOT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: return an error instead of exiting the process
_UTF8_TEXT = 0x1001  # espeakCHARS_UTF8 | espeakENDPAUSE
_RATE, _VOLUME, _PITCH, _PITCH_RANGE = 1, 2, 3, 4
_NOISE_SEED = 7

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_one_image = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How a phrase is spoken.

    `name` is an espeak-ng language with a variant, such as `en-us+f2`; `rate` in words a minute (80-450);
    `pitch`, `pitch_range` and `volume` on espeak-ng's scales of 0-99, 0-99 and 0-200 (100 is normal).
    """

    name: str
    rate: int = 165
    pitch: int = 50
    pitch_range: int = 50
    volume: int = 90


def speak(phrase: str, voice: Voice) -> Int16[np.ndarray, " sample"]:
    """The samples of a phrase at `SAMPLE_RATE`; equal arguments give equal samples.

    Raises SpeechUnavailableError when espeak-ng does not start or has no such voice.
    """
    chunks: list[Int16[np.ndarray, " sample"]] = []

    def receive(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if samples and count > 0:
            # A copy, because espeak-ng owns the buffer.
            chunks.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0

    # In a variable, because ctypes holds no reference to a callback that C code calls.
    callback = _Callback(receive)
    with _one_image, _loaded_image() as library:
        library.espeak_SetSynthCallback(callback)
        _set_voice(library, voice)
        text = phrase.encode() + b"\0"
        library.espeak_Synth(text, len(text), 0, 1, 0, _UTF8_TEXT, None, None)
        library.espeak_Synchronize()
    return np.concatenate(chunks) if chunks else np.zeros(0, dtype=np.int16)


@contextmanager
def _loaded_image() -> Iterator[ctypes.CDLL]:
    """Load espeak-ng and unload it at the end, so that no state outlives the phrase."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        # Undeclared, ctypes would pass the seed as a C int.
        library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
        data = espeakng_loader.get_data_path().encode()
        if library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DO_NOT_EXIT) != SAMPLE_RATE:
            raise SpeechUnavailableError("espeak-ng did not start: reinstall the espeakng-loader package")
        library.espeak_ng_SetRandSeed(_NOISE_SEED)
        yield library
        library.espeak_Terminate()
    finally:
        dlclose(library._handle)  # noqa: SLF001 - ctypes has no public way to unload


def _set_voice(library: ctypes.CDLL, voice: Voice) -> None:
    if library.espeak_SetVoiceByName(voice.name.encode()) != 0:
        raise SpeechUnavailableError(f"espeak-ng has no voice {voice.name!r}")
    parameters = (
        (_RATE, voice.rate),
        (_PITCH, voice.pitch),
        (_PITCH_RANGE, voice.pitch_range),
        (_VOLUME, voice.volume),
    )
    for parameter, value in parameters:
        library.espeak_SetParameter(parameter, value, 0)
