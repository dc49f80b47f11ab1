"""Synthesise an interview: questions and answers as one 16 kHz recording with utterance times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from jaxtyping import Float64, Int16

from training.synthetic.sentences import TOPICS, answer, ask
from training.synthetic.speakers import Speaker
from training.synthetic.speech import SAMPLE_RATE as SPOKEN_RATE
from training.synthetic.speech import Voice, speak

SAMPLE_RATE = 16000
PARTICIPANT, INTERVIEWER = "Participant", "Interviewer"

_INTERVIEWER_VOICE = Voice(name="en-gb-x-rp+f4", rate=170, pitch=55, pitch_range=50)
_INTERVIEWER_DECIBELS = -8.0  # further from the microphone
_TURN_PAUSE = (0.5, 1.1)
_HESITATION = (0.7, 1.6)
_COMMA_PAUSE = 0.12
_FULL_SCALE = 32767.0
_HEADROOM = 0.4  # espeak-ng peaks near 0.6 of full scale; the loudest speakers must not clip
_LOUDEST = 11.0  # dB over the usual level: just below full scale
_QUIET = 60  # samples below this are the silence that espeak-ng puts around a phrase
_COMMA = re.compile(r"(?<=,) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenUtterance:
    """A spoken sentence with its start and end in the recording, in seconds."""

    start: float
    end: float
    speaker: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interview:
    """A synthetic interview: its speaker, audio and utterances."""

    speaker: Speaker
    audio: Int16[np.ndarray, " sample"]
    utterances: tuple[SpokenUtterance, ...]


@dataclass(frozen=True, slots=True)
class _AudioPiece:
    """A piece of audio at the sample rate of espeak-ng, with its sentence, if any."""

    samples: Int16[np.ndarray, " sample"]
    speaker: str = ""
    text: str = ""


def record(speaker: Speaker, *, seed: int, seconds: float) -> Interview:
    """Record an interview with at least `seconds` of the participant's speech. Equal arguments give equal samples."""
    rng = np.random.default_rng((seed, 2, speaker.index))
    pieces = list(_dialogue(speaker, seconds, rng))
    dry = _resample(np.concatenate([piece.samples for piece in pieces]))
    return Interview(
        speaker=speaker,
        audio=_add_room_noise(dry, speaker.noise_decibels, rng),
        utterances=tuple(_time(pieces, len(dry) / SAMPLE_RATE)),
    )


def converse(speaker: Speaker, *, seed: int, turns: int) -> tuple[str, ...]:
    """The text of `turns` answers, without audio: training text for the text encoders."""
    rng = np.random.default_rng((seed, 3, speaker.index))
    order = rng.permutation(len(TOPICS))
    return tuple(
        " ".join(answer(TOPICS[int(order[turn % len(order)])], speaker.marker_rates, rng)) for turn in range(turns)
    )


def _dialogue(speaker: Speaker, seconds: float, rng: np.random.Generator) -> Iterator[_AudioPiece]:
    spoken, turn = 0, 0
    order = rng.permutation(len(TOPICS))
    yield _silence(0.4)
    while spoken < seconds * SPOKEN_RATE:
        topic = TOPICS[int(order[turn % len(order)])]
        question = ask(topic, rng)
        voiced = _louder(_trim(speak(question, _INTERVIEWER_VOICE)), _INTERVIEWER_DECIBELS)
        yield _AudioPiece(voiced, INTERVIEWER, question)
        yield _silence(float(rng.uniform(*_TURN_PAUSE)))
        for sentence in answer(topic, speaker.marker_rates, rng):
            piece = _AudioPiece(_say(sentence, speaker, rng), PARTICIPANT, sentence)
            spoken += len(piece.samples)
            yield piece
            yield _silence(speaker.prosody.pause * float(rng.lognormal(0.0, 0.3)))
        turn += 1


def _say(sentence: str, speaker: Speaker, rng: np.random.Generator) -> Int16[np.ndarray, " sample"]:
    """Speak a sentence phrase by phrase, with a rate and loudness per phrase and pauses between phrases."""
    prosody = speaker.prosody
    parts: list[Int16[np.ndarray, " sample"]] = []
    for phrase in _COMMA.split(_hesitate(sentence, prosody.hesitation, rng)):
        voice = Voice(
            name=speaker.voice,
            rate=round(float(np.clip(prosody.rate * (1 + rng.normal(0, prosody.rate_spread)), 80, 320))),
            pitch=round(float(np.clip(prosody.pitch + rng.normal(0, 2.0), 0, 99))),
            pitch_range=round(prosody.pitch_range),
        )
        if parts:
            hesitates = rng.random() < prosody.hesitation
            parts.append(_silence(float(rng.uniform(*_HESITATION)) if hesitates else _COMMA_PAUSE).samples)
        decibels = min(prosody.loudness + rng.normal(0, prosody.loudness_spread), _LOUDEST)
        parts.append(_louder(_trim(speak(phrase.replace("…", ""), voice)), decibels))
    return np.concatenate(parts)


def _hesitate(sentence: str, probability: float, rng: np.random.Generator) -> str:
    """The sentence, with a random hesitation mark in its middle; the mark is not spoken."""
    words = sentence.split(" ")
    if len(words) < 6 or rng.random() >= probability:  # noqa: PLR2004 - too short to break
        return sentence
    middle = int(rng.integers(2, len(words) - 2))
    return " ".join([*words[:middle], "…,", *words[middle:]]).replace(" …,", "…,")


def _time(pieces: list[_AudioPiece], seconds: float) -> Iterator[SpokenUtterance]:
    """The sentences with their times; `seconds` is the length of the recording and bounds the last time."""
    position = 0
    for piece in pieces:
        start, position = position, position + len(piece.samples)
        if piece.text:
            yield SpokenUtterance(
                start=round(start / SPOKEN_RATE, 3),
                end=round(min(position / SPOKEN_RATE, seconds), 3),
                speaker=piece.speaker,
                # Resampling may shorten the recording by some samples, and no utterance may end after it.
                text=piece.text,
            )


def _silence(seconds: float) -> _AudioPiece:
    return _AudioPiece(np.zeros(round(seconds * SPOKEN_RATE), dtype=np.int16))


def _trim(samples: Int16[np.ndarray, " sample"]) -> Int16[np.ndarray, " sample"]:
    """Remove the silence around a phrase, so that only planned pauses remain."""
    # In int16 the absolute value of -32768 overflows.
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _QUIET)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


def _louder(samples: Int16[np.ndarray, " sample"], decibels: float) -> Int16[np.ndarray, " sample"]:
    return _quantise(samples * (_HEADROOM * 10 ** (decibels / 20)))


def _resample(samples: Int16[np.ndarray, " sample"]) -> Int16[np.ndarray, " sample"]:
    """Resample from the rate of espeak-ng to 16 kHz."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
    frame.sample_rate = SPOKEN_RATE
    # None flushes the samples that the resampler holds back.
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    parts = [np.asarray(part.to_ndarray()[0], dtype=np.int16) for part in frames]
    return np.concatenate(parts)


def _add_room_noise(
    samples: Int16[np.ndarray, " sample"], decibels: float, rng: np.random.Generator
) -> Int16[np.ndarray, " sample"]:
    """Add low-pass noise at `decibels` relative to the recording, so that its signal-to-noise ratio is finite."""
    level = float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))
    white = rng.standard_normal(len(samples))
    room = white[:-1] + white[1:]
    noise = np.append(room, 0.0) / np.sqrt(2.0) * level * 10 ** (decibels / 20)
    return _quantise(samples + noise)


def _quantise(samples: Float64[np.ndarray, " sample"]) -> Int16[np.ndarray, " sample"]:
    whole: Int16[np.ndarray, " sample"] = np.clip(np.rint(samples), -_FULL_SCALE, _FULL_SCALE).astype(np.int16)
    return whole
