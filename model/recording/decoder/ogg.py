"""Chained Ogg files: several complete streams one after the other, each with its own codec and rate (RFC 3533, 4).

libav decodes such a file only while the codec and its parameters stay the same, and ends without an error otherwise.
So the chain is cut here, and each link is opened on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from model.errors import AudioUnreadable

CAPTURE = b"OggS"
HEADER = 27
FIRST_PAGE = 0x02
SHORTEST_SEARCH, LONGEST_SEARCH = 1 << 8, 1 << 20
PAGES_PER_CHECK = 1000
MOST_LINKS = 500


def find_links(file: BinaryIO, size: int, check: Callable[[], None]) -> list[tuple[int, int]]:
    """Start and end of each link, in bytes; one link for an ordinary file. Raises AudioUnreadable for too many.

    Linear in the number of pages. `check` is called often and may raise to stop.
    """
    starts = [0]
    position, pages, after_first = 0, 0, False
    while position + HEADER <= size:
        if pages % PAGES_PER_CHECK == 0:
            check()
        pages += 1
        file.seek(position)
        head = file.read(HEADER + 255)
        if head[:4] != CAPTURE:
            position = _next_page(file, position + 1, size)
            continue
        opens = bool(head[5] & FIRST_PAGE)
        # The tracks of a link open one after the other; an opening page after other pages begins a new link.
        if opens and after_first:
            starts.append(position)
        after_first = not opens
        position += HEADER + head[26] + sum(head[HEADER : HEADER + head[26]])
    if len(starts) > MOST_LINKS:
        raise AudioUnreadable(
            f"The Ogg file is a chain of {len(starts)} streams; at most {MOST_LINKS} are read.",
            advice="Convert the recording to one 16-bit PCM WAV or FLAC file.",
        )
    return list(zip(starts, [*starts[1:], size], strict=True))


def _next_page(file: BinaryIO, position: int, size: int) -> int:
    """The position of the next capture pattern at or after `position`, or `size`.

    The reads grow with the distance, so that many short stretches of damage cost no more than their length.
    """
    window = SHORTEST_SEARCH
    while position < size:
        file.seek(position)
        at = file.read(window).find(CAPTURE)
        if at >= 0:
            return position + at
        # The reads overlap, because the pattern may lie across two of them.
        position += window - len(CAPTURE) + 1
        window = min(2 * window, LONGEST_SEARCH)
    return size
