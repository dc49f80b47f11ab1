"""The report of a run: one self-contained page, its numbers as JSON, and the TRIPOD+AI checklist."""
