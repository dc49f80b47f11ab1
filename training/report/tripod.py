"""The TRIPOD+AI checklist, filled in from the run where possible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.evaluation.evidence import Evidence
from training.evaluation.measures import Measures
from training.evaluation.number_format import write_interval, write_number
from training.report.tripod_items import ITEMS, ChecklistItem

_SYNTHETIC = "The cohort is synthetic: a program made it, and no person took part."
_BY_PROGRAM = {"5b", "6a", "6c", "8b", "8c", "17"}
"""Items that do not apply to a synthetic cohort."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistEntry:
    """An item with the answer of the run, and the part that the authors must write; at least one is not empty."""

    item: ChecklistItem
    known: str
    to_write: str


def fill_checklist(evidence: Evidence, measures: Measures) -> tuple[ChecklistEntry, ...]:
    """All items, in order."""
    synthetic = measures.about.get("demonstration") is True
    known = {**_data_items(measures), **_methods_items(evidence, measures), **_results_items(measures)}
    if synthetic:
        known |= dict.fromkeys(_BY_PROGRAM, _SYNTHETIC)
    return tuple(
        ChecklistEntry(
            item=item,
            known=known.get(item.number, ""),
            to_write="" if synthetic and item.number in _BY_PROGRAM else item.authors,
        )
        for item in ITEMS
    )


def _data_items(measures: Measures) -> Mapping[str, str]:
    counts = measures.counts
    cases = _list({outcome.outcome: outcome.documents for outcome in counts.outcomes})
    excluded = _list(counts.excluded) or "nobody"
    source = f"{_SYNTHETIC} " if measures.about.get("demonstration") is True else ""
    return {
        "4": "Development and internal validation by nested cross-validation; no evaluation in another cohort.",
        "5a": f"{source}One cohort of {counts.cohort} documents served development and, by cross-validation, "
        "evaluation.",
        "6b": f"Left out: {excluded}.",
        "7": f"Left out before any model, by reason: {excluded}. Speech was cut into segments at pauses; a frozen "
        "encoder gives one vector for each segment and modality.",
        "8a": f"Task {measures.task}, with the outcomes {', '.join(measures.outcomes)}.",
        "9a": "Features of the audio and of the transcript, none selected beforehand. Age, sex, duration and signal to "
        "noise are in the baseline only.",
        "9b": "Features of frozen speech and text encoders, averaged over the frames or tokens of each segment.",
        "10": f"{counts.tested} documents of {counts.families} families ({cases}). The program makes no sample size "
        "calculation; the widths of the intervals show what the size allows.",
        "11": f"{counts.tested - counts.labelled} tested documents have no label and are in no measure. A missing "
        "modality is replaced by a learned token, never imputed; a covariate missing in the baseline takes the "
        "training median and an indicator.",
        "20a": f"{counts.tested} documents tested, {counts.labelled} with a label ({cases}); left out: {excluded}.",
        "20b": "The table of characteristics in the report, over all and by outcome.",
        "20c": "The same cohort by cross-validation; there is no other to compare with.",
    }


def _methods_items(evidence: Evidence, measures: Measures) -> Mapping[str, str]:
    counts, hilbert = measures.counts, measures.line_up.arms[0]
    resamples = measures.settings.bootstrap.resamples
    parts = ", ".join(sorted(evidence.subgroups)) or "none"
    others = ", ".join(arm.title for arm in measures.line_up.arms[1:])
    return {
        "12a": f"{counts.repeats} x {counts.folds} folds, stratified by outcome, whole families together, each with "
        f"{counts.inner} inner folds for everything a model is tuned by.",
        "12b": "Each feature dimension standardised with the statistics of the training part alone; no other "
        "transformation, no selection.",
        "12c": f"HILBERT: cross-modal attention over segments, self-attentive pooling into audio, text and joint "
        f"embeddings, a mixture of experts. {hilbert.candidates} candidates were tried on the inner folds of each "
        "fold. Internal validation by nested cross-validation.",
        "12d": f"Families are the units of folds and of the {resamples} resamples behind each interval.",
        "12e": "Macro and one-against-rest AUROC, average precision beside the prevalence, log loss, Brier score, "
        "calibration slope and intercept, reliability curves, calibration error beside its null, sensitivity and "
        "specificity at thresholds chosen beforehand, decision curves, conformal coverage. Models are compared by "
        f"paired differences over resampled families, with {others}.",
        "12f": "One temperature a fold, fitted on its inner folds; no other updating.",
        "12g": "Softmax of the logits over the temperature, by the network of the fold in which a document is tested; "
        "settings, versions and digests stand at the end of the report.",
        "13": "No over- or undersampling and no interpolated cases. Risks are calibrated by the temperature.",
        "14": f"Performance was measured by: {parts}. Nothing was done to make it equal.",
        "15": "A risk for each outcome, summing to 1. Decisions: by the likeliest outcome, and for each outcome at "
        "thresholds that the inner folds chose for the best balanced accuracy.",
        "16": "None: the same cohort by cross-validation.",
    }


def _results_items(measures: Measures) -> Mapping[str, str]:
    folds, saved = measures.discrimination.folds, measures.risks.temperature.log_loss_saved
    parts = "; ".join(f"{part.part}: {_range(part.documents)} documents" for part in measures.counts.parts)
    demonstration = measures.about.get("demonstration") is True
    shared = {"18e": "The cohort can be made again from its seed and settings."} if demonstration else {}
    return {
        **shared,
        "18f": "The command line, settings, versions and digests of the run stand at the end of the report.",
        "21": f"{parts}. Cases of each outcome stand in the report.",
        "22": "The network of the run, where it is released, is a bundle of ONNX graphs and calibration with digests.",
        "23a": " ".join(measures.verdict),
        "23b": f"Over folds the macro AUROC is {write_number(folds.mean)} on average, with a standard deviation of "
        f"{write_number(folds.spread)}, in {folds.defined_folds} of {folds.folds} folds where it is defined.",
        "24": f"The temperature saved {write_interval(saved, 3)} nats of log loss.",
        "26": "Internal validation only. " + measures.verdict[-1],
        "27a": "Recordings with too little speech, damage or silence get no risk but an abstention; unlike recordings "
        "are marked by an out-of-distribution p-value.",
    }


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items())


def _range(ends: tuple[int, int]) -> str:
    low, high = ends
    return str(low) if low == high else f"{low} to {high}"
