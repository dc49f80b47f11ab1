"""Exported encoders of all architectures, for the evaluation of encoder pairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from model.bundle.manifest import SPEECH, TEXT
from model.encoders.description import DESCRIPTION, read_description
from model.export.encoder import export_encoder
from training.config import StandinSettings
from training.synthetic.standins import Report, make_standin

ARCHITECTURES_BY_MODALITY = {SPEECH: ("hubert", "whisper"), TEXT: ("roberta", "t5")}


def make_encoders(
    work: Path, settings: StandinSettings, report: Report, *, at_hand: Path | None = None
) -> dict[str, dict[str, Path]]:
    """Folders of exported encoders by modality and architecture: {"speech": {"hubert": ...}, "text": {...}}.

    Encoders in `at_hand/speech` and `at_hand/text` (such as those of a bundle) are used directly. The others are
    stand-ins, which are trained and exported below `work` unless they exist there.
    """
    existing_encoders = dict(_exported(at_hand)) if at_hand is not None else {}
    return {
        modality: {
            architecture: existing_encoders.get(architecture) or _make(architecture, modality, work, settings, report)
            for architecture in architectures
        }
        for modality, architectures in ARCHITECTURES_BY_MODALITY.items()
    }


def _exported(folder: Path) -> Iterator[tuple[str, Path]]:
    for modality in ARCHITECTURES_BY_MODALITY:
        if (folder / modality / DESCRIPTION).exists():
            yield read_description(folder / modality).architecture, folder / modality


def _make(architecture: str, modality: str, work: Path, settings: StandinSettings, report: Report) -> Path:
    target = work / "encoders" / architecture
    if not target.exists():
        checkpoint = make_standin(architecture, work / "checkpoints" / architecture, settings, report)
        dither = settings.dither if modality == SPEECH else 0.0
        exported = export_encoder(str(checkpoint), target, dither=dither)
        report(f"{architecture} exported, within {exported.parity:.1e} of torch")
    return target
