"""A Hugging Face checkpoint, from the hub or a local folder, and what is said when a part of it is missing."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoTokenizer, PreTrainedTokenizerFast

from model.encoders.speech import SAMPLE_RATE
from model.errors import CheckpointUnreadable, UnsupportedEncoder
from model.export.probes import TEXTS

# Weights that no exported graph holds; a checkpoint may lack them.
UNUSED = ("masked_spec_embed", "decoder.", "pooler.")
# What transformers and the hub's client raise for absent files, refused access, no network, broken JSON.
_UNREADABLE = (OSError, ValueError, ImportError)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubCheckpoint:
    """Where a checkpoint is, and its configuration."""

    source: str
    revision: str | None
    config: Any

    @property
    def name(self) -> str:
        """Hub name, or the name of a local folder: where it lay is nobody's business."""
        return Path(self.source).name if Path(self.source).is_dir() else self.source

    @property
    def commit(self) -> str | None:
        """The commit on the hub; None for a local folder."""
        commit: str | None = getattr(self.config, "_commit_hash", None)
        return commit

    def load(self, architecture: Any, *, config: Any = None, **options: Any) -> Any:
        """The network in float32, ready to be traced; `config` in place of the checkpoint's own.

        Raises CheckpointUnreadable where weights are missing that transformers would make up at random.
        """
        model, report = self._read(
            lambda: architecture.from_pretrained(
                self.source,
                revision=self.revision,
                config=config or self.config,
                dtype=torch.float32,
                output_loading_info=True,
                **options,
            ),
            "its weights cannot be read",
            "It has to hold model.safetensors, or the parts that model.safetensors.index.json names.",
        )
        missing = sorted(key for key in report["missing_keys"] if not any(part in key for part in UNUSED))
        if missing or report["mismatched_keys"]:
            raise CheckpointUnreadable(
                f"the checkpoint lacks weights of its own architecture, or has them in other sizes: "
                f"{', '.join(missing[:3]) or 'sizes differ'}"
            )
        return model.eval()

    def feature_extractor(self) -> Any:
        """What prepares waveforms for it; its sampling rate has to be ours."""
        extractor = self._read(
            lambda: AutoFeatureExtractor.from_pretrained(self.source, revision=self.revision),
            "it says nowhere how waveforms are prepared",
            "Put the preprocessor_config.json of the checkpoint it was made from beside its weights.",
        )
        if extractor.sampling_rate != SAMPLE_RATE:
            raise UnsupportedEncoder(f"the checkpoint wants {extractor.sampling_rate} Hz, not {SAMPLE_RATE}")
        return extractor

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Its tokenizer, converted where it comes as a SentencePiece model, in the form of `tokenizer.json`."""
        advice = (
            "Put the tokenizer.json of the checkpoint it was made from beside its weights "
            "(`AutoTokenizer.from_pretrained(...).save_pretrained(folder)` writes one)."
        )
        tokenizer = self._read(
            lambda: AutoTokenizer.from_pretrained(self.source, revision=self.revision),
            "its tokenizer cannot be read",
            advice,
        )
        if not isinstance(tokenizer, PreTrainedTokenizerFast):
            raise CheckpointUnreadable("it has no fast tokenizer", advice=advice)
        # Without any file, transformers makes a tokenizer that knows no word, and says nothing.
        read = {token for row in tokenizer(list(TEXTS))["input_ids"] for token in row}
        if not read - set(tokenizer.all_special_ids):
            raise CheckpointUnreadable("its tokenizer knows no word", advice=advice)
        if len(tokenizer) > self.config.vocab_size:
            raise CheckpointUnreadable("its tokenizer has more tokens than the network", advice=advice)
        return tokenizer

    def _read(self, read: Callable[[], Any], what: str, advice: str) -> Any:
        try:
            return read()
        except _UNREADABLE as error:
            raise CheckpointUnreadable(f"{what}: {_first_line(error)}", advice=advice) from error


def open_checkpoint(source: str, revision: str | None, supported: Collection[str]) -> HubCheckpoint:
    """Read the configuration of a hub name or a local folder.

    Raises CheckpointUnreadable where there is none, or the hub does not answer; UnsupportedEncoder for an architecture
    (`model_type`) that is not among the supported.
    """
    advice = f"Supported are: {', '.join(sorted(supported))}."
    try:
        config = AutoConfig.from_pretrained(source, revision=revision)
    except ValueError as error:
        raise UnsupportedEncoder(f"no known architecture: {_first_line(error)}", advice=advice) from error
    except OSError as error:
        raise CheckpointUnreadable(
            f"no checkpoint there: {_first_line(error)}",
            advice="Give a folder that exists, with its config.json, or a name on the hub (`owner/name`); a hub that "
            "cannot be reached is not asked for what its cache holds.",
        ) from error
    if config.model_type not in supported:
        raise UnsupportedEncoder(f"no exporter for the architecture '{config.model_type}'", advice=advice)
    return HubCheckpoint(source=source, revision=revision, config=config)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
