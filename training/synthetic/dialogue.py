"""A synthetic interview: questions and answers spoken into one timed 16 kHz recording."""

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
    """A sentence with its times in the recording, in seconds."""

    start: float
    end: float
    speaker: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interview:
    """A spoken interview with all that was planted in it."""

    speaker: Speaker
    audio: Int16[np.ndarray, " sample"]
    utterances: tuple[SpokenUtterance, ...]


@dataclass(frozen=True, slots=True)
class _AudioPiece:
    """A stretch of sound at the rate espeak-ng speaks, and the sentence it says, if any."""

    samples: Int16[np.ndarray, " sample"]
    speaker: str = ""
    text: str = ""


def record(speaker: Speaker, *, seed: int, seconds: float) -> Interview:
    """An interview with at least `seconds` of the speaker's speech; equal arguments give equal samples."""
    chance = np.random.default_rng((seed, 2, speaker.index))
    pieces = list(_dialogue(speaker, seconds, chance))
    dry = _resample(np.concatenate([piece.samples for piece in pieces]))
    return Interview(
        speaker=speaker,
        audio=_add_room_noise(dry, speaker.noise_decibels, chance),
        utterances=tuple(_time(pieces, len(dry) / SAMPLE_RATE)),
    )


def converse(speaker: Speaker, *, seed: int, turns: int) -> tuple[str, ...]:
    """What the speaker says in so many answers, without speaking it: text to train a language model on."""
    chance = np.random.default_rng((seed, 3, speaker.index))
    order = chance.permutation(len(TOPICS))
    return tuple(
        " ".join(answer(TOPICS[int(order[turn % len(order)])], speaker.marker_rates, chance)) for turn in range(turns)
    )


def _dialogue(speaker: Speaker, seconds: float, chance: np.random.Generator) -> Iterator[_AudioPiece]:
    spoken, turn = 0, 0
    order = chance.permutation(len(TOPICS))
    yield _silence(0.4)
    while spoken < seconds * SPOKEN_RATE:
        topic = TOPICS[int(order[turn % len(order)])]
        question = ask(topic, chance)
        voiced = _louder(_trim(speak(question, _INTERVIEWER_VOICE)), _INTERVIEWER_DECIBELS)
        yield _AudioPiece(voiced, INTERVIEWER, question)
        yield _silence(float(chance.uniform(*_TURN_PAUSE)))
        for sentence in answer(topic, speaker.marker_rates, chance):
            piece = _AudioPiece(_say(sentence, speaker, chance), PARTICIPANT, sentence)
            spoken += len(piece.samples)
            yield piece
            yield _silence(speaker.prosody.pause * float(chance.lognormal(0.0, 0.3)))
        turn += 1


def _say(sentence: str, speaker: Speaker, chance: np.random.Generator) -> Int16[np.ndarray, " sample"]:
    """A sentence phrase by phrase, each with its own rate and loudness, pauses between."""
    prosody = speaker.prosody
    parts: list[Int16[np.ndarray, " sample"]] = []
    for phrase in _COMMA.split(_hesitate(sentence, prosody.hesitation, chance)):
        voice = Voice(
            name=speaker.voice,
            rate=round(float(np.clip(prosody.rate * (1 + chance.normal(0, prosody.rate_spread)), 80, 320))),
            pitch=round(float(np.clip(prosody.pitch + chance.normal(0, 2.0), 0, 99))),
            pitch_range=round(prosody.pitch_range),
        )
        if parts:
            hesitates = chance.random() < prosody.hesitation
            parts.append(_silence(float(chance.uniform(*_HESITATION)) if hesitates else _COMMA_PAUSE).samples)
        decibels = min(prosody.loudness + chance.normal(0, prosody.loudness_spread), _LOUDEST)
        parts.append(_louder(_trim(speak(phrase.replace("…", ""), voice)), decibels))
    return np.concatenate(parts)


def _hesitate(sentence: str, probability: float, chance: np.random.Generator) -> str:
    """The sentence, sometimes broken once more in its middle; the mark is not spoken."""
    words = sentence.split(" ")
    if len(words) < 6 or chance.random() >= probability:  # noqa: PLR2004 - too short to break
        return sentence
    middle = int(chance.integers(2, len(words) - 2))
    return " ".join([*words[:middle], "…,", *words[middle:]]).replace(" …,", "…,")


def _time(pieces: list[_AudioPiece], seconds: float) -> Iterator[SpokenUtterance]:
    """The sentences with their times; `seconds` is the recording's length, which bounds the last."""
    position = 0
    for piece in pieces:
        start, position = position, position + len(piece.samples)
        if piece.text:
            yield SpokenUtterance(
                start=round(start / SPOKEN_RATE, 3),
                end=round(min(position / SPOKEN_RATE, seconds), 3),
                speaker=piece.speaker,
                text=piece.text,
            )


def _silence(seconds: float) -> _AudioPiece:
    return _AudioPiece(np.zeros(round(seconds * SPOKEN_RATE), dtype=np.int16))


def _trim(samples: Int16[np.ndarray, " sample"]) -> Int16[np.ndarray, " sample"]:
    """Without the silence around the phrase, so that pauses are ours alone."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _QUIET)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


def _louder(samples: Int16[np.ndarray, " sample"], decibels: float) -> Int16[np.ndarray, " sample"]:
    return _quantise(samples * (_HEADROOM * 10 ** (decibels / 20)))


def _resample(samples: Int16[np.ndarray, " sample"]) -> Int16[np.ndarray, " sample"]:
    """From the rate espeak-ng speaks to 16 kHz."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
    frame.sample_rate = SPOKEN_RATE
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    parts = [np.asarray(part.to_ndarray()[0], dtype=np.int16) for part in frames]
    return np.concatenate(parts)


def _add_room_noise(
    samples: Int16[np.ndarray, " sample"], decibels: float, chance: np.random.Generator
) -> Int16[np.ndarray, " sample"]:
    """Adds low-pass noise so many dB under the recording's level, so that its signal-to-noise ratio is finite."""
    level = float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))
    white = chance.standard_normal(len(samples))
    room = white[:-1] + white[1:]
    noise = np.append(room, 0.0) / np.sqrt(2.0) * level * 10 ** (decibels / 20)
    return _quantise(samples + noise)


def _quantise(samples: Float64[np.ndarray, " sample"]) -> Int16[np.ndarray, " sample"]:
    whole: Int16[np.ndarray, " sample"] = np.clip(np.rint(samples), -_FULL_SCALE, _FULL_SCALE).astype(np.int16)
    return whole
