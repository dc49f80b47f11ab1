"""Choice of the speakers who are scored: the participant alone, or nobody if the labels leave it open."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache

from model.config import SegmentSettings
from model.recording.options import EVERYONE, RecordingOptions
from model.recording.transcript import Transcript
from model.recording.utterance import Utterance
from model.segments.role_labels import INTERVIEWER_WORDS, LETTER_PAIRS, PARTICIPANT_WORDS, TITLES

# `Interviewer (she/her)`, `Dr. Doe [Zoom]`: an addition, not a part of the name.
_ADDITION = re.compile(r"[(\[<][^()\[\]<>]{0,60}[)\]>]")
_BRACKETS = str.maketrans("()[]<>", " " * 6)
_APOSTROPHE = re.compile("[\u2018\u2019\u02bc\u02bb`\u00b4]")
_NUMBERING = re.compile(r"[\s\d_#:.,\-]+$")
_SPACELESS = re.compile("[\u0e00-\u0e7f\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# Shorter words are abbreviations: as a part of a label they may be a name.
SHORTEST_PART = 4


class Role(StrEnum):
    """What a label says about its speaker."""

    INTERVIEWER = "interviewer"
    TITLED = "titled"
    PARTICIPANT = "participant"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardSpeaker:
    """One speaker of the transcript: seconds of the utterances (None without times), words, and whether scored.

    `label` is None for utterances without a label.
    """

    label: str | None
    seconds: float | None
    words: int
    scored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerChoice:
    """The utterances of those who are scored, and everybody who speaks; `unknown` if nobody could be chosen.

    `labelled` says whether any utterance has a label.
    """

    kept: tuple[Utterance, ...]
    speakers: tuple[HeardSpeaker, ...]
    labelled: bool
    unknown: bool = False

    def left_out(self, transcript: Transcript) -> tuple[Utterance, ...]:
        """The utterances of `transcript` that are not scored."""
        kept = {id(utterance) for utterance in self.kept}
        return tuple(utterance for utterance in transcript.utterances if id(utterance) not in kept)


NO_SPEAKERS = SpeakerChoice(kept=(), speakers=(), labelled=False)
"""The choice of a recording without a transcript."""


def choose_speakers(transcript: Transcript, options: RecordingOptions, settings: SegmentSettings) -> SpeakerChoice:
    """The utterances to score, by the labels that the sender named, else by what the labels say.

    Nobody is chosen if a named participant does not speak, or if several labelled speakers remain and no label says
    who of them is the participant. See docs/method.md (F2).
    """
    labels = {_plain(utterance.speaker): utterance.speaker for utterance in transcript.utterances if utterance.speaker}
    named = {_plain(label) for label in options.participant}
    everyone = not settings.participant_only or named == {EVERYONE}
    scored = set(labels) if everyone or not (labels or named) else _scored_labels(labels, named, options, settings)
    # An utterance without a label may be anybody's. It is scored, unless the sender says whose labels count.
    unlabelled = everyone or not named or not labels
    kept = () if scored is None else tuple(_spoken_by(scored, transcript.utterances, unlabelled=unlabelled))
    return SpeakerChoice(
        kept=kept,
        speakers=tuple(_heard_speakers(transcript.utterances, {id(utterance) for utterance in kept})),
        labelled=bool(labels),
        unknown=scored is None,
    )


def _spoken_by(labels: Collection[str], utterances: Iterable[Utterance], *, unlabelled: bool) -> Iterator[Utterance]:
    for utterance in utterances:
        if _plain(utterance.speaker) in labels if utterance.speaker else unlabelled:
            yield utterance


def _scored_labels(
    labels: Mapping[str, str], named: Collection[str], options: RecordingOptions, settings: SegmentSettings
) -> set[str] | None:
    """The plain labels to score; None if that is open, empty if every label is an interviewer's."""
    if named:
        return set(labels) & set(named) or None
    roles = _roles(labels, options, settings)
    by_role = {role: {label for label in labels if roles[label] is role} for role in Role}
    candidates = by_role[Role.PARTICIPANT] or by_role[Role.UNKNOWN]
    if not candidates and by_role[Role.INTERVIEWER]:
        # `Interviewer` and `Dr. Doe`: the physician is the one who is asked.
        candidates = by_role[Role.TITLED]
    return None if len(candidates) > 1 else candidates


def _roles(labels: Mapping[str, str], options: RecordingOptions, settings: SegmentSettings) -> dict[str, Role]:
    named = {_plain(label) for label in options.interviewer}
    known = {_bare(label) for label in settings.interviewer_labels}
    roles = {label: _role(label, known) for label in labels}
    for label, spelling in labels.items():
        if roles[label] is Role.UNKNOWN:
            # `Anna (therapist)`
            roles[label] = _role(_plain(" ".join(_ADDITION.findall(spelling)).translate(_BRACKETS)), known)
    for pair in LETTER_PAIRS:
        if set(labels) == set(pair):
            roles[pair[0]] = Role.INTERVIEWER
    return roles | {label: Role.INTERVIEWER for label in labels if label in named}


def _role(label: str, interviewers: Collection[str]) -> Role:
    bare = _bare(label)
    if bare in interviewers or _names(bare, _words_of(Role.INTERVIEWER)):
        return Role.INTERVIEWER
    if _names(bare, _words_of(Role.PARTICIPANT)):
        return Role.PARTICIPANT
    opening = bare.split(maxsplit=1)[0] if bare else ""
    return Role.TITLED if opening in TITLES else Role.UNKNOWN


def _names(label: str, known: Collection[str]) -> bool:
    """Whether a label is a known word, or holds one as its first or last part.

    Scripts without spaces write name and word together, as in `王医生`, so there the word may stand at either end.
    """
    if label in known:
        return True
    if _SPACELESS.search(label):
        return any(label.startswith(word) or label.endswith(word) for word in known if _SPACELESS.search(word))
    parts = label.split()
    ends = (parts[0], parts[-1]) if len(parts) > 1 else ()
    return any(len(part) >= SHORTEST_PART and part in known for part in ends)


@cache
def _words_of(role: Role) -> frozenset[str]:
    table = INTERVIEWER_WORDS if role is Role.INTERVIEWER else PARTICIPANT_WORDS
    return frozenset(_bare(word) for words in table.values() for word in words.split(","))


@lru_cache(maxsize=4096)
def _plain(label: str) -> str:
    """A label without case, accents, additions in brackets and repeated spaces, so that spellings compare equal."""
    # A label that consists of an addition alone is kept whole.
    letters = unicodedata.normalize("NFKD", _ADDITION.sub(" ", label) or label).casefold()
    spelt = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(_APOSTROPHE.sub("'", spelt).replace(".", ". ").split())


def _bare(label: str) -> str:
    """A plain label without numbering and punctuation, as in `Interviewer 1` and `SPEAKER_00`."""
    return " ".join(
        _NUMBERING.sub("", part).strip("\"'*#-") for part in _plain(label).replace("_", " ").split()
    ).strip()


def _heard_speakers(utterances: Sequence[Utterance], scored: Collection[int]) -> Iterator[HeardSpeaker]:
    """The speakers in the order of their first utterance."""
    spoken: dict[str | None, list[Utterance]] = {}
    for utterance in utterances:
        spoken.setdefault(utterance.speaker and _plain(utterance.speaker), []).append(utterance)
    for own in spoken.values():
        times = [
            utterance.end - utterance.start
            for utterance in own
            if utterance.end is not None and utterance.start is not None
        ]
        yield HeardSpeaker(
            label=own[0].speaker,
            seconds=sum(times) if times else None,
            words=Transcript(utterances=tuple(own)).words,
            scored=any(id(utterance) in scored for utterance in own),
        )
