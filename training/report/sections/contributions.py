"""The section on contributions of audio and text."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from markupsafe import Markup
from matplotlib.axes import Axes

from training.evaluation.contributions import PLANTED_MODALITIES, GroupContributions, Quantiles
from training.evaluation.evidence import ContributionEvidence, Evidence
from training.evaluation.measures import Measures
from training.report.content import Block, Figure, Paragraph, ReportTable, Section, Text, count, number, percent
from training.report.drawing import INK, MARKERS, MUTED, SERIES, draw, draw_legend


def render_contributions(evidence: Evidence, measures: Measures) -> Section:
    """Distributions over documents and, for a synthetic cohort, by planted modality."""
    contributions = measures.contributions
    blocks: tuple[Block, ...] = (Paragraph(text="Contributions were not computed in this run."),)
    if contributions is not None and evidence.contributions is not None:
        blocks = (
            Paragraph(
                text="A contribution is the exact Shapley value of a modality in the log-odds of the reported outcome: "
                "the change in the score of this model when the modality is withheld. It does not say where an illness "
                "is expressed. The share of the audio is defined only where both contributions are not negligible."
            ),
            _draw(evidence.contributions, evidence.outcomes),
            _tabulate("All documents, and by reported outcome.", (contributions.overall, *contributions.by_reported)),
            *(
                (_tabulate("By where the synthetic cohort planted the outcome.", contributions.by_planted),)
                if contributions.by_planted
                else ()
            ),
        )
    return Section(name="contributions", title="Contributions of audio and text", blocks=blocks)


def _tabulate(caption: str, groups: tuple[GroupContributions, ...]) -> ReportTable:
    return ReportTable(
        caption=f"{caption} Medians with the 10th and 90th percentile over documents, in log-odds. Unstable: the sign "
        "of a contribution changes under another baseline. Audio leads: share above one half.",
        head=("Group", "Documents", "Unstable", "Audio", "Text", "Interaction", "Audio's share", "Audio leads"),
        rows=tuple(
            (
                group.group,
                count(group.documents),
                count(group.unstable),
                *map(_render_quantiles, (group.audio, group.text, group.interaction, group.share_audio)),
                percent(group.audio_leads),
            )
            for group in groups
        ),
    )


def _render_quantiles(quantiles: Quantiles) -> Text:
    if quantiles.median is None:
        return number(None)
    shown = map(number, (quantiles.median, quantiles.low, quantiles.high))
    return Markup('{} <span class="interval">[{}, {}]</span>').format(*shown)


def _draw(evidence: ContributionEvidence, outcomes: tuple[str, ...]) -> Figure:
    groups, values, by = outcomes, np.array(outcomes)[evidence.reported], "the reported outcome"
    if evidence.planted is not None:
        groups, values, by = PLANTED_MODALITIES, np.array(evidence.planted), "where the outcome was planted"
    members = {name: values == name for name in groups if (values == name).any()}
    defined = int(np.isfinite(evidence.share_audio).sum())
    return Figure(
        name="contribution-distributions",
        caption=f"Left: contributions of audio and text to the log-odds of each of {len(evidence.audio)} documents, "
        f"marked by {by}. To the right of and above the lines a modality raised the score. Right: the share of the "
        f"audio in both contributions, for the {defined} documents in which it is defined, with a bar at the median. "
        "Near 1 the score followed the audio, near 0 the text.",
        legend=draw_legend(list(members), name="contribution-legend"),
        panels=(_draw_plane(evidence, members, by), _draw_shares(evidence.share_audio, members, by)),
        wide=True,
    )


def _draw_plane(evidence: ContributionEvidence, members: dict[str, Bool[np.ndarray, " document"]], by: str) -> Markup:
    def paint(axes: Axes) -> None:
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.axvline(0, color=MUTED, linewidth=1)
        for place, rows in enumerate(members.values()):
            axes.plot(
                evidence.audio[rows],
                evidence.text[rows],
                MARKERS[place],
                color=SERIES[place],
                markersize=4,
                alpha=0.7,
                linestyle="none",
            )
        axes.set(xlabel="contribution of audio (log-odds)", ylabel="contribution of text")

    return draw(paint, name="contribution-plane", alt=f"Contributions of audio against text, by {by}", size=(4.2, 3.2))


def _draw_shares(
    shares: Float[np.ndarray, " document"], members: dict[str, Bool[np.ndarray, " document"]], by: str
) -> Markup:
    rng = np.random.default_rng(0)
    medians = []

    def paint(axes: Axes) -> None:
        axes.axhline(0.5, color=MUTED, linestyle="--", linewidth=1)
        for place, rows in enumerate(members.values()):
            known = shares[rows & np.isfinite(shares)]
            if not len(known):
                continue
            scattered = place + rng.uniform(-0.22, 0.22, len(known))
            axes.plot(scattered, known, MARKERS[place], color=SERIES[place], markersize=3.5, alpha=0.6)
            axes.plot([place - 0.3, place + 0.3], [np.median(known)] * 2, color=INK, linewidth=2)
        axes.set_xticks(range(len(members)), list(members))
        axes.set(ylabel="audio's share", ylim=(-0.03, 1.03))
        axes.grid(axis="x", visible=False)

    for name, rows in members.items():
        known = shares[rows & np.isfinite(shares)]
        medians.append(f"{name} {np.median(known):.2f}" if len(known) else f"{name} undefined")
    alt = f"The audio's share by {by}; medians: {', '.join(medians)}"
    return draw(paint, name="contribution-shares", alt=alt, size=(4.2, 3.2))
