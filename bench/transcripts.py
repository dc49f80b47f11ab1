"""How the time of reading a transcript grows with its length, in every format and on adversarial input.

Each input is read at a length and at its double, up to the limit of the service. Bar: doubling the
input takes at most 2.5 times the time. Times of the processor below 0.2 s are not compared, they are noise.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from rich.console import Console
from rich.table import Table

from model.config import AudioLimits
from model.errors import RecordingError
from model.recording.transcript import parse_transcript

LARGEST = 5_000_000
BAR = 2.5
LEAST_SECONDS = 0.2
ROUNDS = 5

# The beginning of a transcript of each format, up to its first words.
HEADS: dict[str, str | tuple[str, str]] = {
    "webvtt": "WEBVTT\n\n00:00:00.000 --> 00:00:10.000\n",
    "webvtt voice": "WEBVTT\n\n00:00:00.000 --> 00:00:10.000\n<v ",
    "webvtt timing": "WEBVTT\n\n00:00:00.000 -->",
    "subrip": "1\n00:00:00,000 --> 00:00:10,000\n",
    "ass": "[Script Info]\n[Events]\nDialogue: 0,0:00:00.00,0:00:10.00,Default,P,0,0,0,,",
    "ttml": ('<tt xmlns="http://www.w3.org/ns/ttml"><body><div><p begin="0s" end="10s">', "</p></div></body></tt>"),
    "ttml paragraphs": ('<tt xmlns="http://www.w3.org/ns/ttml"><body><div>', "</div></body></tt>"),
    "elan": "<ANNOTATION_DOCUMENT><TIER TIER_ID='P'><ANNOTATION><ALIGNABLE_ANNOTATION><ANNOTATION_VALUE>",
    "sbv": "0:00:00.000,0:00:10.000\n",
    "lrc": "[00:00.00]",
    "json": ('{"segments": [{"start": 0, "end": 10, "text": "', '"}]}'),
    "json array": ('{"segments": [', '{"start": 1, "end": 2, "text": "yes"}]}'),
    "whisper tsv": "start\tend\ttext\n0\t10000\t",
    "e-daic": "Start_Time,End_Time,Text,Confidence\n0,10,",
    "textgrid": 'File type = "ooTextFile"\nObject class = "TextGrid"\n0 10 <exists> 1 "IntervalTier" "P" 0 10 1 0 10 ',
    "chat": "@UTF8\n@Begin\n*PAR:\t",
    "labelled text": "Interviewer: Well.\nParticipant: ",
    "timed text": "[00:00:00] Participant: ",
    "prose": "Well then, ",
}
UNITS = {
    "words": "I slept badly. ",
    "lines": "a b\n",
    "blank lines": "\n",
    "blanks": " ",
    "tabs": "\t",
    "digits": "1",
    "clocks": "00:00:01.000 ",
    "arrows": "00:00:01 --> 00:00:02\n",
    "labels": "P: yes\n",
    "combining marks": "a\u0301\u0327",
    "only marks": "\u0301\u0327",
    "less than": "<",
    "brackets": "[",
    "braces": "{",
    "backslashes": "{\\p1",
    "ampersands": "&",
    "references": "&#99999999",
    "quotes": '"',
    "quoted": '"" ',
    "commas": ",",
    "lrc times": "[00:01.00]",
    "colons": ":",
    "Chinese": "\u6211\u5f88\u597d\u3002",
    "Thai": "\u0e40\u0e18\u0e2d\u0e49",
    "open tags": "<b>",
    "items": '{"start": 1, "end": 2, "text": "yes"}, ',
    "paragraphs": '<p begin="1s" end="2s">yes</p>',
    "bullets": "\x151_2\x15 ",
}


def main() -> None:
    """Print the table; the exit status is 1 if an input breaks the bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=LARGEST, help="bytes of the longer input")
    parser.add_argument("--all", action="store_true", help="print every pair, not the slowest of each format")
    options = parser.parse_args()
    table = Table("format", "repeated", f"{options.largest // 2:,} bytes", f"{options.largest:,} bytes", "ratio")
    broken = 0
    for head, pairs in _measurements(options.largest):
        broken += sum(1 for _, _, _, ratio in pairs if ratio > BAR)
        shown = pairs if options.all else sorted(pairs, key=lambda pair: -pair[2])[:3]
        shown += [pair for pair in pairs if pair[3] > BAR and pair not in shown]
        for unit, short, long, ratio in shown:
            table.add_row(head, unit, f"{short:.3f} s", f"{long:.3f} s", f"{ratio:.2f}" if ratio else "-")
    Console().print(table)
    Console().print(f"{len(HEADS) * len(UNITS)} inputs, {broken} over {BAR} times the time for double the length")
    sys.exit(1 if broken else 0)


def _measurements(largest: int) -> Iterator[tuple[str, list[tuple[str, float, float, float]]]]:
    for head_name, head in HEADS.items():
        pairs = []
        for unit_name, unit in UNITS.items():
            short, long = _times(partial(_filled, head, unit), largest)
            compared = max(short, LEAST_SECONDS)
            pairs.append((unit_name, short, long, long / compared if long > LEAST_SECONDS else 0.0))
        yield head_name, pairs


def _filled(head: str | tuple[str, str], unit: str, size: int) -> bytes:
    start, end = (head, "") if isinstance(head, str) else head
    part = unit.encode()
    return start.encode() + part * ((size - len(start)) // len(part)) + end.encode()


def _times(content_of: Callable[[int], bytes], largest: int) -> tuple[float, float]:
    """Seconds of half the length and of the whole; a ratio above the bar is measured again."""
    shorter, longer = content_of(largest // 2), content_of(largest)
    best = (float("inf"), float("inf"))
    for _ in range(ROUNDS):
        best = min(best[0], _seconds(shorter)), min(best[1], _seconds(longer))
        if best[1] <= BAR * max(best[0], LEAST_SECONDS):
            break
    return best


def _seconds(content: bytes) -> float:
    gc.collect()
    started = time.process_time()
    with contextlib.suppress(RecordingError):
        parse_transcript(content, AudioLimits())
    return time.process_time() - started


if __name__ == "__main__":
    main()
