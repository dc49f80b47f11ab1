"""The report page: header and verdict, one section per kind of measure, and the TRIPOD+AI checklist."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from training.evaluation.evidence import Evidence
from training.evaluation.measures import Measures
from training.report.content import Section
from training.report.sections.contributions import render_contributions
from training.report.sections.decisions import render_decisions
from training.report.sections.discrimination import render_discrimination
from training.report.sections.model_comparison import render_model_comparison
from training.report.sections.participants import render_participants
from training.report.sections.probabilities import render_probabilities
from training.report.sections.representation import render_out_of_distribution, render_representation
from training.report.sections.sets import render_sets
from training.report.sections.subgroups import render_subgroups
from training.report.sections.training_run import render_provenance, render_training
from training.report.tripod import ChecklistEntry


def render_page(evidence: Evidence, measures: Measures, checklist: tuple[ChecklistEntry, ...]) -> str:
    """One self-contained HTML document: no network, no script, no other file."""
    template = _environment().get_template("report.html.j2")
    return template.render(
        measures=measures,
        sections=render_sections(evidence, measures),
        checklist=checklist,
        synthetic=is_synthetic(measures),
    )


def render_checklist(measures: Measures, checklist: tuple[ChecklistEntry, ...]) -> str:
    """The checklist as a Markdown document to complete."""
    template = _environment().get_template("tripod.md.j2")
    return template.render(measures=measures, checklist=checklist, synthetic=is_synthetic(measures))


def is_synthetic(measures: Measures) -> bool:
    """Whether the cohort is synthetic."""
    return measures.about.get("demonstration") is True


def render_sections(evidence: Evidence, measures: Measures) -> tuple[Section, ...]:
    """The sections, in order."""
    return (
        render_participants(measures),
        render_discrimination(evidence, measures),
        render_model_comparison(measures),
        render_probabilities(measures),
        render_decisions(measures),
        render_sets(measures),
        render_subgroups(measures),
        render_contributions(evidence, measures),
        render_representation(evidence, measures),
        render_out_of_distribution(evidence, measures),
        render_training(evidence),
        render_provenance(measures),
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("training.report"),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
