"""The names in a bundle's network graph: the contract between its export and its scoring."""

from __future__ import annotations

INPUTS = (
    "audio_features",
    "text_features",
    "audio_mask",
    "text_mask",
    "audio_times",
    "text_times",
    "audio_present",
    "text_present",
)
EMBEDDINGS = ("audio", "text", "joint")


def logits_name(task: str) -> str:
    """Name of the output that holds a task's logits, "document outcome"."""
    return f"logits_{task}"
