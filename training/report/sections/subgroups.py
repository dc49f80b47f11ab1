"""The same measures in parts of the cohort."""

from __future__ import annotations

from markupsafe import Markup

from training.evaluation.measures import Measures
from training.evaluation.subgroups import FEWEST
from training.report.content import Figure, Paragraph, Section, Table, count, estimate
from training.report.sections.line_up import draw_forest


def tell_subgroups(measures: Measures) -> Section:
    """Discrimination and log loss by sex, age, role and whatever else was known."""
    found = measures.subgroups
    if not found:
        return Section(
            name="subgroups",
            title="Subgroups",
            blocks=(Paragraph(text="No covariate was given to look at parts of the cohort by."),),
        )
    overall = ("all documents", measures.discrimination.macro_auroc)
    rows = [overall, *((f"{one.covariate}: {one.level} ({one.documents})", one.macro_auroc) for one in found)]
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
            Table(
                caption="Documents, families and cases behind each number. Log loss in nats, lower is better; it also "
                "depends on how common the outcomes are in the part.",
                head=("Part", "Documents", "Families", "Cases", "Macro AUROC", "Log loss"),
                rows=tuple(
                    (
                        f"{one.covariate}: {one.level}",
                        count(one.documents),
                        count(one.families),
                        Markup(" / ").join(map(count, one.cases)),
                        estimate(one.macro_auroc),
                        estimate(one.log_loss),
                    )
                    for one in found
                ),
            ),
        ),
    )
