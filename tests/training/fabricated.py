"""A run that never was: evidence with plausible numbers, for the tests of measures and report."""

from dataclasses import replace

import numpy as np

from training.evaluation.baseline import BaselineSettings, Covariates
from training.evaluation.bootstrap import BootstrapSettings
from training.evaluation.calibration.risk_quality import CalibrationSettings
from training.evaluation.evidence import (
    ArmEvidence,
    ContributionEvidence,
    DocumentEmbeddings,
    Evidence,
    LossCurve,
    OutOfDistributionPValues,
    RetrievalRecall,
)
from training.evaluation.measures import MeasureSettings
from training.evaluation.metrics import softmax
from training.evaluation.out_of_fold import gather_predictions
from training.evaluation.subgroups import name_age_bands
from training.folds.nested import FoldSettings, draw_folds

OUTCOMES = ("none", "depressive", "psychotic")
SHARES = (0.6, 0.25, 0.15)
ARMS = {
    "hilbert": ("HILBERT", 1.0),
    "audio_only": ("Audio alone", 0.55),
    "text_only": ("Text alone", 0.6),
    "early_concat": ("Early concatenation", 0.85),
    "late_fusion": ("Late fusion", 0.97),
}


QUICK = MeasureSettings(
    bootstrap=BootstrapSettings(resamples=100),
    calibration=CalibrationSettings(bins=5, simulations=100),
    baseline=BaselineSettings(strengths=(0.01, 1.0)),
)
SMALL = FoldSettings(seed=1, repeats=2, folds=3, inner=2)


def fabricate(documents=60, *, folding=SMALL, seed=0, outcomes=OUTCOMES, shares=SHARES):
    """Evidence of one run over a cohort of its own; every fourth document has a relative in the next."""
    chance = np.random.default_rng(seed)
    families = tuple(f"f{row - (row % 4 == 1)}" for row in range(documents))
    cases = np.maximum(np.round(np.array(shares) * documents).astype(int), 1)
    cases[0] = documents - cases[1:].sum()
    labels = chance.permutation(np.repeat(np.arange(len(outcomes)), cases))
    drawn = draw_folds(families, labels, outcomes, folding)
    base = np.log(cases / documents) + 1.1 * np.eye(len(outcomes))[labels] + chance.normal(size=(documents, len(cases)))
    age, sex = chance.normal(38, 14, documents).clip(12, 90), chance.choice(["female", "male"], documents)
    logits = {name: strength * base for name, (_, strength) in ARMS.items()}

    def collect(predictions):
        return gather_predictions(drawn, predictions, families, labels, outcomes)

    arms = tuple(_arm(name, logits[name], drawn, collect, chance) for name in ARMS)
    return Evidence(
        task="spectrum",
        outcomes=outcomes,
        arms=arms,
        labels=labels,
        families=families,
        covariates=Covariates(
            age=np.where(chance.random(documents) < 0.1, np.nan, age),
            sex=tuple(sex.tolist()),
            duration=chance.gamma(6, 200, documents),
            noise_ratio=chance.normal(24, 6, documents),
        ),
        subgroups={
            "sex": tuple(sex.tolist()),
            "age": name_age_bands(age),
            "role": tuple(chance.choice(["parent", "offspring"], documents).tolist()),
        },
        folds=drawn,
        loss_curves=tuple(_history(name, chance) for name in ("spectrum", "audio_to_joint", "text_to_joint", "cka")),
        retrievals=RetrievalRecall(audio_to_joint=0.81, text_to_joint=0.77, audio_to_text=0.12, chance=0.05),
        embeddings=_embeddings(labels, arms[0].predictions.fold_of[0], chance),
        contributions=_contributions(labels, chance),
        out_of_distribution=OutOfDistributionPValues(
            audio=np.where(chance.random(documents) < 0.05, np.nan, chance.random(documents)),
            text=chance.random(documents) ** 1.2,
        ),
        excluded={"no label": 3, "too little speech": 2},
        about={
            "demonstration": True,
            "command": "hilbert-train example --out report",
            "date": "2026-11-24",
            "seed": seed,
            "versions": {"hilbert": "0.1.0", "torch": "2.13.0"},
            "digests": {"manifest": "0" * 64},
            "settings": {"network": {"width": 128}, "trainer": {"epochs": 60}},
        },
    )


def without(evidence, *names):
    """The same run, had it not measured these."""
    return replace(evidence, **dict.fromkeys(names))


def _arm(name, logits, drawn, collect, chance):
    """Overconfident by a factor of two, which the temperatures of about two undo."""
    repeats, folds = 1 + max(fold.repeat for fold in drawn), 1 + max(fold.number for fold in drawn)
    noisy = [2.0 * (logits + 0.3 * chance.normal(size=logits.shape)) for _ in range(repeats)]
    found, uncalibrated = (
        collect([softmax(noisy[fold.repeat][list(fold.test)] / temperature) for fold in drawn])
        for temperature in (2.0, 1.0)
    )
    return ArmEvidence(
        name=name,
        title=ARMS[name][0],
        predictions=found,
        thresholds=chance.uniform(0.9, 1.1, (repeats, folds, 1)) * np.bincount(found.labels) / len(found.labels),
        temperatures=chance.uniform(1.8, 2.2, (repeats, folds)),
        uncalibrated=uncalibrated.probabilities,
        candidates=6,
        chosen=tuple(chance.choice(["width 128", "width 256"], len(drawn)).tolist()),
        seconds=40.0,
    )


def _history(name, chance):
    steps = np.arange(0, 300, 10)
    mean = 0.4 + 2 * np.exp(-steps / 80) + 0.02 * chance.normal(size=len(steps))
    return LossCurve(name=name, steps=steps, mean=mean, low=mean - 0.15, high=mean + 0.2)


def _embeddings(labels, fold_of, chance):
    def draw(strength):
        return chance.normal(size=(len(labels), 8)) + strength * np.eye(8)[labels]

    return DocumentEmbeddings(audio=draw(1.0), text=draw(1.2), joint=draw(2.0), fold_of=fold_of)


def _contributions(labels, chance):
    planted = chance.choice(["audio", "text", "both"], len(labels))
    planted[labels == 0] = "none"
    audio = chance.normal(0.1, 0.3, len(labels)) + 0.9 * np.isin(planted, ["audio", "both"])
    text = chance.normal(0.1, 0.3, len(labels)) + 0.9 * np.isin(planted, ["text", "both"])
    size = np.abs(audio) + np.abs(text)
    return ContributionEvidence(
        audio=audio,
        text=text,
        interaction=chance.normal(0, 0.1, len(labels)),
        baseline=chance.normal(-1, 0.1, len(labels)),
        share_audio=np.where(size > 0.3, np.abs(audio) / size, np.nan),
        stable=chance.random(len(labels)) > 0.1,
        reported=np.where(labels == 0, 1, labels),
        planted=tuple(planted.tolist()),
    )
