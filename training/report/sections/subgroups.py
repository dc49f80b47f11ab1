"""The same measures in parts of the cohort."""

from __future__ import annotations

from markupsafe import Markup

from training.evaluation.measures import Measures
from training.evaluation.subgroups import FEWEST
from training.report.content import Figure, Paragraph, ReportTable, Section, count, estimate
from training.report.sections.model_comparison import draw_forest


def render_subgroups(measures: Measures) -> Section:
    """Discrimination and log loss by sex, age, role and whatever else was known."""
    subgroups = measures.subgroups
    if not subgroups:
        return Section(
            name="subgroups",
            title="Subgroups",
            blocks=(Paragraph(text="No covariate was given to look at parts of the cohort by."),),
        )
    overall = ("all documents", measures.discrimination.macro_auroc)
    rows = [
        overall,
        *(
            (f"{subgroup.covariate}: {subgroup.level} ({subgroup.documents})", subgroup.macro_auroc)
            for subgroup in subgroups
        ),
    ]
    return Section(
        name="subgroups",
        title="Subgroups",
        blocks=(
            Figure(
                name="subgroup-forest",
                caption=f"Macro AUROC in parts of the cohort, with the number of documents and intervals over "
                f"resampled families; the dashed line is chance. A part with fewer than {FEWEST} documents, or without "
                "a case of some outcome, is counted but not measured. Wide intervals mean that nothing can be said, "
                "not that the parts are alike.",
                panels=(draw_forest(rows, name="forest-subgroups", axis="macro AUROC", line=0.5, title="Macro AUROC"),),
                wide=True,
            ),
            ReportTable(
                caption="Documents, families and cases behind each number. Log loss in nats, lower is better; it also "
                "depends on how common the outcomes are in the part.",
                head=("Part", "Documents", "Families", "Cases", "Macro AUROC", "Log loss"),
                rows=tuple(
                    (
                        f"{subgroup.covariate}: {subgroup.level}",
                        count(subgroup.documents),
                        count(subgroup.families),
                        Markup(" / ").join(map(count, subgroup.cases)),
                        estimate(subgroup.macro_auroc),
                        estimate(subgroup.log_loss),
                    )
                    for subgroup in subgroups
                ),
            ),
        ),
    )
