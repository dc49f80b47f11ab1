"""From a run's evidence to the files that a reviewer reads."""

from __future__ import annotations

from pathlib import Path

from training.evaluation.evidence import Evidence
from training.evaluation.measures import Measures, MeasureSettings, measure_evidence
from training.report.page import render_checklist, render_page
from training.report.tripod import fill_checklist

METRICS, PAGE, CHECKLIST = "metrics.json", "report.html", "tripod.md"
_ALL = MeasureSettings()


def write_report(evidence: Evidence, folder: Path, settings: MeasureSettings = _ALL) -> Measures:
    """Measures a run and writes `metrics.json`, `report.html` and `tripod.md` into the folder, which it makes.

    Raises EvidenceError when parts of the evidence do not belong together; nothing is written then.
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
