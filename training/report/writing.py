"""Write the report of a run: `metrics.json`, `report.html` and `tripod.md`."""

from __future__ import annotations

from pathlib import Path

from training.evaluation.evidence import Evidence
from training.evaluation.measures import Measures, MeasureSettings, measure_evidence
from training.report.page import render_checklist, render_page
from training.report.tripod import fill_checklist

METRICS, PAGE, CHECKLIST = "metrics.json", "report.html", "tripod.md"
_ALL = MeasureSettings()


def write_report(evidence: Evidence, folder: Path, settings: MeasureSettings = _ALL) -> Measures:
    """Compute all measures of a run and write `metrics.json`, `report.html` and `tripod.md` into `folder`.

    Raises EvidenceError when parts of the evidence are not aligned, and then writes nothing.
    """
    measures = measure_evidence(evidence, settings)
    checklist = fill_checklist(evidence, measures)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (
        (METRICS, measures.model_dump_json(indent=2) + "\n"),
        (PAGE, render_page(evidence, measures, checklist)),
        (CHECKLIST, render_checklist(measures, checklist)),
    ):
        (folder / name).write_text(content, encoding="utf-8")
    return measures
