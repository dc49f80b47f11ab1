"""Formats of captions and subtitles: cues of a timing and the words that are shown meanwhile."""
