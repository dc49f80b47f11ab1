"""Speaks lines of text with espeak-ng: `python spoken.py OUT.npy` reads them from standard input.

A process of its own, because espeak-ng keeps its state in globals of the library: what one test said would
change what the next one hears. Writes int16 at 22050 Hz; a line that is a number is a pause of so many seconds.
"""

import ctypes
import sys

import espeakng_loader
import numpy as np

RATE = 22_050
SYNCHRONOUS, UTF8 = 2, 1
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def speak(lines):
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    assert rate == RATE
    said: list[list[np.ndarray]] = []

    @CALLBACK
    def receive(samples, count, _events):
        if samples and count > 0:
            said[-1].append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    library.espeak_SetSynthCallback(receive)
    assert library.espeak_SetVoiceByName(b"en-us") == 0
    for line in lines:
        said.append([])
        if line.replace(".", "", 1).isdigit():
            said[-1].append(np.zeros(int(float(line) * RATE), dtype=np.int16))
            continue
        text = line.encode() + b"\0"
        library.espeak_Synth(text, len(text), 0, 1, 0, UTF8, None, None)
        library.espeak_Synchronize()
    return [np.concatenate(chunks) for chunks in said]


if __name__ == "__main__":
    parts = speak(sys.stdin.read().splitlines())
    np.savez(sys.argv[1], sound=np.concatenate(parts), lengths=[part.size for part in parts])
