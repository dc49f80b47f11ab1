"""Placement of decoded frames on the clock of the container; gaps become silence, within bounds."""

from __future__ import annotations

import av

from model.errors import AudioTimesInvalid
from model.recording.decoder.scratch import ScratchWriter

GAP = 0.1
LONGEST_GAP = 900.0
"""Seconds of silence for one gap: a participant who joins a call a quarter of an hour late."""
FILLED_FREELY = 1800.0
FILLED_PER_SECOND = 3.0
"""Silence in all: half an hour, and three seconds for each decoded one, as a codec leaves out pauses (Opus DTX)."""
REPORTED_GAP = 1.0
"""Shorter gaps are pauses that the codec left out; longer ones are told."""
WITHOUT_TIMESTAMPS = frozenset({"mp3", "aac", "wav", "flac", "aiff", "ac3", "eac3", "amr", "au", "caf", "w64"})
"""Containers whose timestamps libav computes from the first rate: after a change of rate they mean nothing."""


class Timeline:
    """The clock of one file or link of a chain; `origin` is the timestamp, in seconds, of the writer's beginning."""

    def __init__(self, writer: ScratchWriter, container: av.container.InputContainer) -> None:
        self._writer = writer
        self._origin = (container.start_time or 0) / av.time_base - writer.seconds
        self._computed = container.format.name in WITHOUT_TIMESTAMPS
        self._rate: int | None = None
        self._usable = True
        self.filled = 0.0
        self.reported = 0.0
        self.reported_gaps = 0

    def append(self, frame: av.AudioFrame) -> None:
        """Append a frame at its timestamp; one that goes backwards moves the origin. Raises AudioTimesInvalid."""
        if self._computed and self._rate not in {None, frame.sample_rate}:
            self._usable = False
        self._rate = frame.sample_rate
        if self._usable and frame.pts is not None and frame.time_base:
            gap = float(frame.pts * frame.time_base) - self._origin - self._writer.seconds
            if gap > GAP:
                self._fill(gap)
            elif gap < -GAP:
                self._origin += gap
        self._writer.add(frame)

    def _fill(self, gap: float) -> None:
        at = self._writer.seconds
        decoded = at - self.filled
        if gap > LONGEST_GAP:
            raise AudioTimesInvalid(
                f"At second {at:.1f} the timestamps of the audio jump forward by {gap:.0f} s; at most "
                f"{LONGEST_GAP:.0f} s are filled with silence."
            )
        if self.filled + gap > FILLED_FREELY + FILLED_PER_SECOND * decoded:
            raise AudioTimesInvalid(
                f"The timestamps of the audio have gaps of {self.filled + gap:.0f} s up to second {at:.1f}, which "
                f"holds {decoded:.0f} s of sound: too much silence to fill in."
            )
        self.filled += gap
        if gap > REPORTED_GAP:
            self.reported += gap
            self.reported_gaps += 1
        self._writer.silence(gap)
