"""The sections on embeddings (maps, neighbours, retrieval) and on out-of-distribution documents."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from sklearn.decomposition import PCA

from training.evaluation.evidence import DocumentEmbeddings, Evidence
from training.evaluation.measures import Measures
from training.report.content import Block, Figure, Paragraph, ReportTable, Section, count, percent
from training.report.drawing import MARKERS, MUTED, SERIES, draw, draw_legend

_FEWEST = 3
_PLANE = 2


def render_representation(evidence: Evidence, measures: Measures) -> Section:
    """The joint embeddings of one repeat by fold, nearest neighbours, and retrieval."""
    recall = measures.retrievals
    mapped: tuple[Block, ...] = ()
    if evidence.embeddings is not None:
        mapped = (_draw_maps(evidence, evidence.embeddings), _tabulate_neighbours(measures))
    return Section(
        name="representation",
        title="Embeddings",
        blocks=(
            *mapped,
            ReportTable(
                caption="Recall at 1 on held-out documents, mean over folds: how often the nearest embedding of the "
                "other kind belongs to the same document. No loss term contrasts audio with text. High recall to the "
                "joint embedding without recall from audio to text would mean copying.",
                head=("From", "To", "Recall at 1"),
                rows=(
                    ("Audio", "joint", percent(recall.audio_to_joint)),
                    ("Text", "joint", percent(recall.text_to_joint)),
                    ("Audio", "text", percent(recall.audio_to_text)),
                    ("Chance", "", percent(recall.chance)),
                ),
            ),
        ),
    )


def render_out_of_distribution(evidence: Evidence, measures: Measures) -> Section:
    """Out-of-distribution p-values of each modality."""
    p_values = evidence.out_of_distribution
    blocks: tuple[Block, ...] = (Paragraph(text="Out-of-distribution values were not computed in this run."),)
    if p_values is not None:
        levels = measures.out_of_distribution[0].levels
        blocks = (
            Figure(
                name="out-of-distribution",
                caption="Conformal p-values of each tested document against the training documents of its fold, "
                f"{len(p_values.audio)} documents. The p-values of documents like the training documents are uniform "
                "(dashed line). A peak at the left means documents unlike them, whose risks are less reliable.",
                panels=tuple(
                    _draw_p_values(place, name, values)
                    for place, (name, values) in enumerate((("audio", p_values.audio), ("text", p_values.text)))
                ),
            ),
            ReportTable(
                caption="Share of documents with a p-value of at most each level; for documents like the training "
                "documents the share equals the level.",
                head=("Modality", "Documents", "Missing", *(f"p at most {level:g}" for level in levels)),
                rows=tuple(
                    (
                        modality.modality,
                        count(modality.documents),
                        count(modality.missing),
                        *map(percent, modality.shares),
                    )
                    for modality in measures.out_of_distribution
                ),
            ),
        )
    return Section(name="out-of-distribution", title="Out-of-distribution recordings", blocks=blocks)


def _tabulate_neighbours(measures: Measures) -> ReportTable:
    return ReportTable(
        caption="Share of documents whose nearest neighbour of another family, among the test documents of the fold, "
        "has the same outcome, with the share for a random neighbour.",
        head=("Embedding", "Documents", "Same outcome", "At random"),
        rows=tuple(
            (
                neighbours.embedding,
                count(neighbours.documents),
                percent(neighbours.same_outcome),
                percent(neighbours.chance),
            )
            for neighbours in measures.neighbours
        ),
    )


def _draw_maps(evidence: Evidence, embeddings: DocumentEmbeddings) -> Figure:
    labels = evidence.arms[0].predictions.labels
    usable = np.isfinite(embeddings.joint).all(axis=1)
    folds = [fold for fold in np.unique(embeddings.fold_of) if (usable & (embeddings.fold_of == fold)).sum() >= _FEWEST]
    return Figure(
        name="embedding-map",
        caption=f"The joint embeddings of {int(usable.sum())} test documents of one repeat on the first two principal "
        "components of each fold; colour and shape show the outcome. Each fold has its own network and embedding "
        "space: panels are not comparable, and left or right has no meaning. Documents that lie together are similar "
        "to the network. The title of a panel gives the share of the variance that it shows.",
        panels=tuple(
            _draw_map(int(fold), embeddings.joint[rows], labels[rows], evidence.outcomes)
            for fold in folds
            for rows in (usable & (embeddings.fold_of == fold),)
        ),
        legend=draw_legend(evidence.outcomes, name="embedding-legend"),
    )


def _draw_map(
    fold: int,
    vectors: Float[np.ndarray, "document width"],
    labels: Int[np.ndarray, " document"],
    names: tuple[str, ...],
) -> Markup:
    analysis = PCA(n_components=_PLANE, svd_solver="full").fit(vectors)
    places, shown = analysis.transform(vectors), float(analysis.explained_variance_ratio_.sum())

    def paint(axes: Axes) -> None:
        axes.plot(*places[labels < 0].T, ".", color=MUTED, markersize=4)
        for index in range(len(names)):
            axes.plot(*places[labels == index].T, MARKERS[index], color=SERIES[index], markersize=4, alpha=0.75)
        axes.set(xticks=[], yticks=[], xlabel="component 1", ylabel="component 2")
        axes.set_title(f"fold {fold + 1}: {len(vectors)} documents, {100 * shown:.0f} %")

    alt = (
        f"Map of the joint embeddings of fold {fold + 1}: {len(vectors)} documents, {100 * shown:.0f} % of the variance"
    )
    return draw(paint, name=f"map-{fold}", alt=alt, size=(2.6, 2.5))


def _draw_p_values(place: int, name: str, values: Float[np.ndarray, " document"]) -> Markup:
    known = values[np.isfinite(values)]

    def paint(axes: Axes) -> None:
        axes.hist(known, bins=20, range=(0, 1), color=SERIES[place], alpha=0.7)
        axes.axhline(len(known) / 20, color=MUTED, linestyle="--", linewidth=1)
        axes.set(xlabel="p-value", ylabel="documents", xlim=(0, 1))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(f"{name} ({len(known)} documents)")

    return draw(paint, name=f"out-of-distribution-{place}", alt=f"Histogram of {len(known)} p-values of {name}")
