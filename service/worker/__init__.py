"""Worker processes: they claim, compute and complete stages, and deliver webhooks."""
