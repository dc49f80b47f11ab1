"""The section on subgroups."""

from __future__ import annotations

from markupsafe import Markup

from training.evaluation.measures import Measures
from training.evaluation.subgroups import FEWEST
from training.report.content import Figure, Paragraph, ReportTable, Section, count, estimate
from training.report.sections.model_comparison import draw_forest


def render_subgroups(measures: Measures) -> Section:
    """Macro AUROC and log loss by sex, age, role and other known covariates."""
    subgroups = measures.subgroups
    if not subgroups:
        return Section(
            name="subgroups",
            title="Subgroups",
            blocks=(Paragraph(text="No covariate was given for subgroups."),),
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
                caption="Macro AUROC in subgroups, with the number of documents and intervals over resampled "
                f"families; the dashed line is chance. A subgroup with fewer than {FEWEST} documents, or without a "
                "case of some outcome, is counted but not measured. Wide intervals mean that no conclusion is "
                "possible, not that the subgroups are alike.",
                panels=(draw_forest(rows, name="forest-subgroups", axis="macro AUROC", line=0.5, title="Macro AUROC"),),
                wide=True,
            ),
            ReportTable(
                caption="Documents, families and cases behind each number. Log loss in nats, lower is better; it also "
                "depends on the prevalence of the outcomes in the subgroup.",
                head=("Subgroup", "Documents", "Families", "Cases", "Macro AUROC", "Log loss"),
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
