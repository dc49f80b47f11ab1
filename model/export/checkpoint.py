"""Hugging Face checkpoints, from the hub or a local folder, with error messages for missing parts."""

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

# Weights that no exported graph contains; a checkpoint may lack them.
UNUSED = ("masked_spec_embed", "decoder.", "pooler.")
# Raised by transformers and the hub's client for missing files, refused access, no network and malformed JSON.
_UNREADABLE = (OSError, ValueError, ImportError)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubCheckpoint:
    """The source of a checkpoint, and its configuration."""

    source: str
    revision: str | None
    config: Any

    @property
    def name(self) -> str:
        """Hub name, or the name of a local folder without its path, which does not belong in a bundle."""
        return Path(self.source).name if Path(self.source).is_dir() else self.source

    @property
    def commit(self) -> str | None:
        """The commit of the checkpoint on the hub; None for a local folder."""
        commit: str | None = getattr(self.config, "_commit_hash", None)
        return commit

    def load(self, architecture: Any, *, config: Any = None, **options: Any) -> Any:
        """The network in float32, ready for tracing; `config` replaces that of the checkpoint.

        Raises CheckpointUnreadable for missing weights, which transformers would initialise at random.
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
            "It must contain model.safetensors, or the parts that model.safetensors.index.json names.",
        )
        missing = sorted(key for key in report["missing_keys"] if not any(part in key for part in UNUSED))
        if missing or report["mismatched_keys"]:
            raise CheckpointUnreadable(
                f"the checkpoint lacks weights of its architecture, or has them in other sizes: "
                f"{', '.join(missing[:3]) or 'sizes differ'}"
            )
        return model.eval()

    def feature_extractor(self) -> Any:
        """Its feature extractor for waveforms; raises UnsupportedEncoder unless it expects 16 kHz."""
        extractor = self._read(
            lambda: AutoFeatureExtractor.from_pretrained(self.source, revision=self.revision),
            "it has no configuration of the preparation of waveforms",
            "Copy the preprocessor_config.json of the original checkpoint next to its weights.",
        )
        if extractor.sampling_rate != SAMPLE_RATE:
            raise UnsupportedEncoder(f"the checkpoint expects {extractor.sampling_rate} Hz, not {SAMPLE_RATE}")
        return extractor

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Its tokenizer in the form of `tokenizer.json`; a SentencePiece model is converted."""
        advice = (
            "Copy the tokenizer.json of the original checkpoint next to its weights "
            "(`AutoTokenizer.from_pretrained(...).save_pretrained(folder)` writes one)."
        )
        tokenizer = self._read(
            lambda: AutoTokenizer.from_pretrained(self.source, revision=self.revision),
            "its tokenizer cannot be read",
            advice,
        )
        if not isinstance(tokenizer, PreTrainedTokenizerFast):
            raise CheckpointUnreadable("it has no fast tokenizer", advice=advice)
        # Without any tokenizer file, transformers silently makes one with an empty vocabulary.
        read = {token for row in tokenizer(list(TEXTS))["input_ids"] for token in row}
        if not read - set(tokenizer.all_special_ids):
            raise CheckpointUnreadable("its tokenizer has an empty vocabulary", advice=advice)
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

    Raises CheckpointUnreadable if it does not exist or the hub does not answer, UnsupportedEncoder if its architecture
    (`model_type`) is not in `supported`.
    """
    advice = f"Supported are: {', '.join(sorted(supported))}."
    try:
        config = AutoConfig.from_pretrained(source, revision=revision)
    except ValueError as error:
        raise UnsupportedEncoder(f"the architecture is unknown: {_first_line(error)}", advice=advice) from error
    except OSError as error:
        raise CheckpointUnreadable(
            f"the checkpoint cannot be opened: {_first_line(error)}",
            advice="Give a folder that exists, with its config.json, or a name on the hub (`owner/name`); a hub that "
            "cannot be reached is not asked for what its cache holds.",
        ) from error
    if config.model_type not in supported:
        raise UnsupportedEncoder(f"no exporter for the architecture '{config.model_type}'", advice=advice)
    return HubCheckpoint(source=source, revision=revision, config=config)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
