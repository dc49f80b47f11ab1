"""What a process tells of itself: logs, metrics, traces; never anything of a recording."""
