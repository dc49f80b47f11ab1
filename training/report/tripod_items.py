"""The items of TRIPOD+AI (Collins et al., BMJ 2024;385:e078378), with short titles.

`authors` describes the part of an item that a run cannot answer.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistItem:
    """One item or part of an item."""

    number: str
    section: str
    title: str
    authors: str


def _section(name: str, *items: tuple[str, str, str]) -> tuple[ChecklistItem, ...]:
    return tuple(
        ChecklistItem(number=number, section=name, title=title, authors=authors) for number, title, authors in items
    )


ITEMS = (
    *_section(
        "Title and abstract",
        ("1", "Title", "a title with the population, the outcome, and that a model is developed and validated"),
        ("2", "Abstract", "an abstract after the TRIPOD+AI items for abstracts"),
    ),
    *_section(
        "Introduction",
        ("3a", "Clinical context", "why a risk estimate is wanted here, diagnostic or prognostic, and earlier models"),
        ("3b", "Intended use", "for whom, where in care and by whom the model would be used"),
        ("3c", "Known inequalities", "what is known of health inequalities between groups of this population"),
        ("4", "Objectives", "the question of the study"),
    ),
    *_section(
        "Methods",
        ("5a", "Data sources", "where the recordings come from, why, and how representative they are"),
        ("5b", "Dates", "when recording and follow-up began and ended"),
        ("6a", "Setting", "kind, number and place of the centres"),
        ("6b", "Eligibility", "who could take part"),
        ("6c", "Treatments", "treatments received and how they were taken into account"),
        ("7", "Data preparation", "whether recording and quality checks were alike for all groups"),
        ("8a", "Outcome", "how and when the outcome was assessed, and its time horizon"),
        ("8b", "Assessors", "who assessed the outcome, with what training"),
        ("8c", "Blinding to the predictors", "whether assessors knew the recordings"),
        ("9a", "Choice of predictors", "why voice and words, in the light of earlier work"),
        ("9b", "Definition of predictors", "how the interviews were held and recorded"),
        ("9c", "Who measured predictors", "who transcribed, or which program, and with what error"),
        ("10", "Sample size", "how the size was arrived at and why it suffices"),
        ("11", "Missing data", "why data are missing"),
        ("12a", "Use of the data", ""),
        ("12b", "Handling of predictors", ""),
        ("12c", "Model and its building", "why this kind of model"),
        ("12d", "Heterogeneity", "how centres or countries were told apart, if there were several"),
        ("12e", "Measures of performance", "which measure was primary, and that it was chosen beforehand"),
        ("12f", "Updating", ""),
        ("12g", "How predictions were made", ""),
        ("13", "Class imbalance", ""),
        ("14", "Fairness", "which groups matter and why, and what was done for fairness"),
        ("15", "Output", "which threshold a use would need, and why"),
        ("16", "Development against evaluation", "how far another setting would differ"),
        ("17", "Ethics", "the ethics committee's approval and the consent"),
    ),
    *_section(
        "Open science",
        ("18a", "Funding", "who paid and what say they had"),
        ("18b", "Conflicts of interest", "all authors' conflicts of interest"),
        ("18c", "Protocol", "where the protocol is, or that there was none"),
        ("18d", "Registration", "the register and number, or that it was not registered"),
        ("18e", "Data sharing", "who can have the data and how"),
        ("18f", "Code sharing", "where the code is, under which licence"),
        ("19", "Patients and the public", "how they took part, or that they did not"),
    ),
    *_section(
        "Results",
        ("20a", "Flow of participants", "how many were approached, refused, or were lost"),
        ("20b", "Characteristics", "what else describes them: treatments, centres, how groups differ"),
        ("20c", "Evaluation against development data", ""),
        ("21", "Numbers in each analysis", ""),
        ("22", "Full model", "where the model can be had and what restricts its use"),
        ("23a", "Performance", ""),
        ("23b", "Heterogeneity of performance", "performance by centre or country, if there were several"),
        ("24", "Result of updating", ""),
    ),
    *_section(
        "Discussion",
        ("25", "Interpretation", "what the results mean beside the objectives, fairness and earlier studies"),
        ("26", "Limitations", "what else limits this study, and in which direction"),
        ("27a", "Poor or missing input", "what a user is to do when no result is given"),
        ("27b", "Users' part and expertise", "what users must do and know"),
        ("27c", "Next steps", "what has to be shown next, above all elsewhere"),
    ),
)
