"""What a trained network says of documents: logits, and embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from model.network.batch import DocumentBatch
from model.network.hilbert import HilbertOutput
from training.documents.labelled import LabelledDocument, pad_documents
from training.fit.learner import Learner

Logits = Mapping[str, Float[np.ndarray, "document _"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedDocuments:
    """Document embeddings, in the order of the documents."""

    audio: Float[np.ndarray, "document width"]
    text: Float[np.ndarray, "document width"]
    joint: Float[np.ndarray, "document width"]


@torch.inference_mode()
def predict_logits(learner: Learner, documents: Sequence[LabelledDocument], *, batch: int = 64) -> Logits:
    """Logits by task, in the order of the documents; the learner must be in evaluation mode."""
    outputs = list(_outputs(learner, documents, batch))
    return {task: np.concatenate([output.logits[task].numpy() for output in outputs]) for task in outputs[0].logits}


@torch.inference_mode()
def embed(learner: Learner, documents: Sequence[LabelledDocument], *, batch: int = 64) -> EmbeddedDocuments:
    """Audio, text and joint embeddings of the documents."""
    outputs = list(_outputs(learner, documents, batch))
    return EmbeddedDocuments(
        audio=np.concatenate([output.audio.numpy() for output in outputs]),
        text=np.concatenate([output.text.numpy() for output in outputs]),
        joint=np.concatenate([output.joint.numpy() for output in outputs]),
    )


def _outputs(learner: Learner, documents: Sequence[LabelledDocument], batch: int) -> Sequence[HilbertOutput]:
    batches: list[DocumentBatch] = [
        pad_documents([document.features for document in documents[start : start + batch]])
        for start in range(0, len(documents), batch)
    ]
    return [learner.embed([group]) for group in batches]
