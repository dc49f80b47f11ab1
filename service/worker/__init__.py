"""Stages are claimed, computed and completed here; and the processes that do it are kept alive."""
