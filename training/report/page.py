"""The whole page: what it is and the verdict on top, then one section a kind of measure, then the checklist."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from training.evaluation.evidence import Evidence
from training.evaluation.measures import Measures
from training.report.content import Section
from training.report.sections.contributions import tell_contributions
from training.report.sections.decisions import tell_decisions
from training.report.sections.discrimination import tell_discrimination
from training.report.sections.line_up import tell_line_up
from training.report.sections.participants import tell_participants
from training.report.sections.probabilities import tell_probabilities
from training.report.sections.representation import tell_oddness, tell_representation
from training.report.sections.sets import tell_sets
from training.report.sections.subgroups import tell_subgroups
from training.report.sections.training_run import tell_making, tell_training
from training.report.tripod import ChecklistEntry


def render_page(evidence: Evidence, measures: Measures, checklist: tuple[ChecklistEntry, ...]) -> str:
    """One HTML document that needs nothing else: no network, no script, no file beside it."""
    template = _environment().get_template("report.html.j2")
    return template.render(
        measures=measures,
        sections=tell_sections(evidence, measures),
        checklist=checklist,
        synthetic=is_synthetic(measures),
    )


def render_checklist(measures: Measures, checklist: tuple[ChecklistEntry, ...]) -> str:
    """The checklist alone, as Markdown to fill in."""
    template = _environment().get_template("tripod.md.j2")
    return template.render(measures=measures, checklist=checklist, synthetic=is_synthetic(measures))


def is_synthetic(measures: Measures) -> bool:
    """Whether nobody in the cohort is a person."""
    return measures.about.get("demonstration") is True


def tell_sections(evidence: Evidence, measures: Measures) -> tuple[Section, ...]:
    """The sections in their order."""
    return (
        tell_participants(measures),
        tell_discrimination(evidence, measures),
        tell_line_up(measures),
        tell_probabilities(measures),
        tell_decisions(measures),
        tell_sets(measures),
        tell_subgroups(measures),
        tell_contributions(evidence, measures),
        tell_representation(evidence, measures),
        tell_oddness(evidence, measures),
        tell_training(evidence),
        tell_making(measures),
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("training.report"),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
