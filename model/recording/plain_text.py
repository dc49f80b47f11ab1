"""Plain text: one utterance per line, or per paragraph where lines are wrapped."""

from __future__ import annotations

import re

from model.recording.speaker_labels import name_speakers
from model.recording.utterance import Utterance


def parse_plain_text(text: str) -> list[Utterance]:
    """Utterances without times; with speakers if lines consistently start with `Speaker: `."""
    lines = [" ".join(line.split()) for line in text.split("\n")]
    utterance = [Utterance(start=None, end=None, text=line, speaker=None) for line in lines if line]
    named = name_speakers(utterance)
    if any(line.speaker for line in named):
        return named
    paragraphs = (" ".join(block.split()) for block in re.split(r"\n\s*\n", text))
    return [Utterance(start=None, end=None, text=block, speaker=None) for block in paragraphs if block]
