"""Logs, metrics and traces. They hold nothing of a recording."""
