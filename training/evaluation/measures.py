"""All measures of a run, the content of `metrics.json`: numbers with intervals, counts and settings."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import Field, JsonValue

from model.config import FrozenSettings
from training.evaluation.baseline import BaselineSettings
from training.evaluation.bootstrap import BootstrapSettings, Interval
from training.evaluation.calibration.risk_quality import CalibrationSettings, RiskQuality, measure_risks
from training.evaluation.comparison import ModelComparison, compare_models
from training.evaluation.conformal.cross_conformal import ConformalMeasures, measure_sets
from training.evaluation.contributions import ContributionMeasures, summarise_contributions
from training.evaluation.decisions import DecisionMeasures, measure_decisions
from training.evaluation.discrimination import Discrimination, measure_discrimination
from training.evaluation.evidence import Evidence, RetrievalRecall, check_evidence
from training.evaluation.out_of_fold import log_loss_of, macro_auroc_of
from training.evaluation.representation import (
    NeighbourMeasures,
    OutOfDistributionMeasures,
    measure_neighbours,
    measure_out_of_distribution,
)
from training.evaluation.subgroups import CohortCharacteristics, describe_cohort, measure_subgroups
from training.evaluation.verdict import write_verdict
from training.folds.nested import count_folds


class MeasureSettings(FrozenSettings):
    """Settings of the measures."""

    bootstrap: BootstrapSettings = BootstrapSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    baseline: BaselineSettings = BaselineSettings()
    alpha: float = Field(default=0.1, gt=0, lt=1, description="share of conformal sets that may miss")


class OutcomeCount(FrozenSettings):
    """Number of documents and families with an outcome."""

    outcome: str
    documents: int
    families: int


class PartRange(FrozenSettings):
    """Minimum and maximum number of documents, and of cases of each outcome, over all parts of one kind."""

    part: str
    folds: int
    documents: tuple[int, int]
    by_outcome: tuple[tuple[int, int], ...]


class CohortCounts(FrozenSettings):
    """Number of documents, families and folds. `cohort` counts all documents that the folds were drawn from."""

    cohort: int
    tested: int
    labelled: int
    families: int
    outcomes: tuple[OutcomeCount, ...]
    excluded: Mapping[str, int]
    repeats: int
    folds: int
    inner: int
    parts: tuple[PartRange, ...]


class SubgroupMeasures(FrozenSettings):
    """Macro AUROC and log loss in a subgroup; None where it has too few documents."""

    covariate: str
    level: str
    documents: int
    families: int
    cases: tuple[int, ...]
    macro_auroc: Interval | None
    log_loss: Interval | None


class Measures(FrozenSettings):
    """All measures of a run; `about` describes the run, `settings` the measures."""

    task: str
    outcomes: tuple[str, ...]
    verdict: tuple[str, ...]
    counts: CohortCounts
    characteristics: tuple[CohortCharacteristics, ...]
    discrimination: Discrimination
    risks: RiskQuality
    decisions: DecisionMeasures
    conformal: ConformalMeasures
    line_up: ModelComparison
    subgroups: tuple[SubgroupMeasures, ...]
    retrievals: RetrievalRecall
    neighbours: tuple[NeighbourMeasures, ...]
    contributions: ContributionMeasures | None
    out_of_distribution: tuple[OutOfDistributionMeasures, ...]
    settings: MeasureSettings
    about: Mapping[str, JsonValue]


def measure_evidence(evidence: Evidence, settings: MeasureSettings) -> Measures:
    """Compute all measures of a run; raises EvidenceError when parts of the evidence are not aligned."""
    check_evidence(evidence)
    hilbert, bootstrap = evidence.arms[0], settings.bootstrap
    counts = _count(evidence)
    discrimination = measure_discrimination(hilbert.predictions, bootstrap)
    risks = measure_risks(hilbert, settings.calibration, bootstrap)
    line_up = compare_models(evidence, settings.baseline, bootstrap)
    rarest = min(counts.outcomes, key=lambda outcome: outcome.documents)
    return Measures(
        task=evidence.task,
        outcomes=evidence.outcomes,
        verdict=write_verdict(discrimination, risks, line_up, (rarest.outcome, rarest.documents)),
        counts=counts,
        characteristics=describe_cohort(evidence),
        discrimination=discrimination,
        risks=risks,
        decisions=measure_decisions(hilbert, bootstrap),
        conformal=measure_sets(hilbert.predictions, settings.alpha, bootstrap),
        line_up=line_up,
        subgroups=_measure_subgroups(evidence, bootstrap),
        retrievals=evidence.retrievals,
        neighbours=measure_neighbours(evidence.embeddings, hilbert.predictions) if evidence.embeddings else (),
        contributions=summarise_contributions(evidence.contributions, evidence.outcomes)
        if evidence.contributions
        else None,
        out_of_distribution=measure_out_of_distribution(evidence.out_of_distribution)
        if evidence.out_of_distribution
        else (),
        settings=settings,
        about=evidence.about,
    )


def _count(evidence: Evidence) -> CohortCounts:
    predictions = evidence.arms[0].predictions
    families = np.asarray(predictions.families)
    return CohortCounts(
        cohort=len(evidence.labels),
        tested=len(predictions.rows),
        labelled=int((predictions.labels >= 0).sum()),
        families=len(set(predictions.families)),
        outcomes=tuple(
            OutcomeCount(
                outcome=name,
                documents=int((predictions.labels == index).sum()),
                families=len(set(families[predictions.labels == index].tolist())),
            )
            for index, name in enumerate(evidence.outcomes)
        ),
        excluded=dict(evidence.excluded),
        repeats=len(predictions.fold_of),
        folds=int(predictions.fold_of.max()) + 1,
        inner=max((len(fold.inner) for fold in evidence.folds), default=0),
        parts=_range_parts(evidence),
    )


def _range_parts(evidence: Evidence) -> tuple[PartRange, ...]:
    counted = count_folds(evidence.folds, evidence.labels, evidence.outcomes)
    ranges = []
    for kind in ("training", "test", "inner training", "inner validation"):
        # The names of inner parts end in their number.
        alike = [part for part in counted if part.part.rstrip(" 0123456789") == kind]
        if not alike:
            continue
        columns = zip(*(part.by_outcome for part in alike), strict=True)
        ranges.append(
            PartRange(
                part=kind,
                folds=len(alike),
                documents=(min(part.documents for part in alike), max(part.documents for part in alike)),
                by_outcome=tuple((min(column), max(column)) for column in columns),
            )
        )
    return tuple(ranges)


def _measure_subgroups(evidence: Evidence, bootstrap: BootstrapSettings) -> tuple[SubgroupMeasures, ...]:
    predictions = evidence.arms[0].predictions
    discriminations, losses = (
        measure_subgroups(metric, predictions.families, predictions.labels, evidence.subgroups, bootstrap)
        for metric in (macro_auroc_of(predictions), log_loss_of(predictions))
    )
    return tuple(
        SubgroupMeasures(
            covariate=discrimination.covariate,
            level=discrimination.level,
            documents=discrimination.documents,
            families=discrimination.families,
            cases=discrimination.cases,
            macro_auroc=discrimination.interval,
            log_loss=loss.interval,
        )
        for discrimination, loss in zip(discriminations, losses, strict=True)
    )
