"""A run told to its readers: one self-contained page, its numbers as JSON, and the TRIPOD+AI checklist."""
