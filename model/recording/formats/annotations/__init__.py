"""Formats of annotation programs: Praat TextGrid, ELAN and CHAT."""
