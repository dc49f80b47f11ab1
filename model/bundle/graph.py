"""The names of the inputs and outputs of a bundle's network graph, shared by export and scoring."""

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
    """The name of the output with the logits of a task, of shape "document outcome"."""
    return f"logits_{task}"
