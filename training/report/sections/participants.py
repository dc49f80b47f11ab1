"""The section on participants: counts, exclusions, characteristics and folds."""

from __future__ import annotations

from markupsafe import Markup

from training.evaluation.contributions import Quantiles
from training.evaluation.measures import Measures
from training.report.content import Paragraph, ReportTable, Section, Text, count, number


def render_participants(measures: Measures) -> Section:
    """Documents, families and outcomes; exclusions by reason; the size of each part of a fold."""
    counts = measures.counts
    return Section(
        name="participants",
        title="Participants",
        blocks=(
            Paragraph(
                text=Markup(
                    "{} documents of {} families were tested, {} of them with a label; the folds were drawn from a "
                    "cohort of {}. Each was tested once in each of {} repeats of {} folds, by a network that did not "
                    "see its family. All tuning of a model used {} inner folds of its training part."
                ).format(
                    *map(count, (counts.tested, counts.families, counts.labelled, counts.cohort)),
                    *map(count, (counts.repeats, counts.folds, counts.inner)),
                )
            ),
            ReportTable(
                caption="Documents and families with each outcome.",
                head=("Outcome", "Documents", "Families"),
                rows=tuple(
                    (outcome.outcome, count(outcome.documents), count(outcome.families)) for outcome in counts.outcomes
                ),
            ),
            _exclusions_table(measures),
            _characteristics_table(measures),
            ReportTable(
                caption="Minimum to maximum number of documents, and of cases of each outcome, in a part of a fold.",
                head=("Part", "Number of parts", "Documents", *measures.outcomes),
                rows=tuple(
                    (part.part, count(part.folds), _range(part.documents), *map(_range, part.by_outcome))
                    for part in counts.parts
                ),
            ),
        ),
    )


def _exclusions_table(measures: Measures) -> ReportTable | Paragraph:
    excluded = measures.counts.excluded
    if not excluded:
        return Paragraph(text="No document was excluded.")
    return ReportTable(
        caption="Excluded documents, by reason.",
        head=("Reason", "Documents"),
        rows=tuple((reason, count(number)) for reason, number in excluded.items()),
    )


def _characteristics_table(measures: Measures) -> ReportTable:
    groups = measures.characteristics
    sexes = sorted({sex for group in groups for sex in group.sexes})
    return ReportTable(
        caption="Characteristics: medians with the 10th and 90th percentile; in parentheses the number of unknown "
        "values.",
        head=("", *(group.group for group in groups)),
        rows=(
            ("Documents", *(count(group.documents) for group in groups)),
            ("Age (years)", *(_spread(group.age, group.documents) for group in groups)),
            *((f"Sex: {sex}", *(count(group.sexes.get(sex, 0)) for group in groups)) for sex in sexes),
            ("Duration (s)", *(_spread(group.duration, group.documents) for group in groups)),
            ("Signal-to-noise ratio (dB)", *(_spread(group.noise_ratio, group.documents) for group in groups)),
        ),
    )


def _spread(quantiles: Quantiles, documents: int) -> Text:
    if quantiles.median is None:
        return number(None)
    written = Markup('{} <span class="interval">[{}, {}]</span>').format(
        number(quantiles.median, 0), number(quantiles.low, 0), number(quantiles.high, 0)
    )
    unknown = documents - quantiles.documents
    return written + Markup(" ({})").format(unknown) if unknown else written


def _range(ends: tuple[int, int]) -> Text:
    low, high = ends
    return count(low) if low == high else Markup("{}&#160;to&#160;{}").format(count(low), count(high))
