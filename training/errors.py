"""The errors of training, from the manifest of a cohort to a released bundle.

    TrainingError
    ├── CohortError                    a cohort that cannot be used; `problems` lists every reason
    │   ├── ManifestError                  the manifest, or a file that it names, is unusable
    │   └── CohortEncodingError            recordings that cannot be decoded, or transcripts that cannot be parsed
    ├── FoldError                      folds that cannot be drawn, or that would bias a result
    │   ├── FamilyLeakError                a family is in two parts of a split
    │   └── OutcomeAbsentError             an outcome has no case in a part of a fold
    ├── FitError                       a network that cannot be trained
    │   ├── NoTrainingDocumentsError       no recording has both features and a label
    │   ├── HeldOutDocumentError           a family of the test part is among the training documents
    │   ├── DivergedError                  a loss is not finite
    │   └── RunMismatchError               the saved state belongs to another run
    ├── EvaluationError                predictions that cannot be evaluated
    │   ├── EvidenceError                  parts of the evidence do not belong together
    │   └── TooFewCalibrationCasesError    too few cases for a conformal threshold
    ├── ReleaseError                   a bundle that cannot be released
    │   ├── CheckpointError                the checkpoint is incomplete or malformed
    │   ├── GoldenUnusableError            no golden recording can be cut from a recording
    │   ├── BundlePartsError               the parts of a bundle do not fit together
    │   ├── RobustnessError                the robustness of a bundle cannot be measured or breaks a bound
    │   └── CardError                      the model card is malformed or disagrees with the evaluation
    └── SpeechUnavailableError         espeak-ng did not start or has no such voice

A message names files, lines, columns and counts. It never holds the content of a cell, which is personal data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class TrainingError(Exception):
    """Base of all errors of training; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortProblem:
    """A defect of a cohort. A warning does not make the cohort unusable.

    `line` counts from 1 with the header included; it is None when the whole file is affected. A Parquet file has no
    lines: there it is the row, counted from 1.
    """

    line: int | None
    column: str | None
    detail: str
    advice: str
    warning: bool = False

    def __str__(self) -> str:
        where = [f"line {self.line}"] if self.line is not None else []
        where += [f"column {self.column}"] if self.column is not None else []
        return f"{', '.join(where) or 'the manifest'}: {self.detail}: {self.advice}"


class CohortError(TrainingError):
    """A cohort that cannot be used; `problems` holds all problems, not only the first."""

    def __init__(self, problems: Sequence[CohortProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class ManifestError(CohortError):
    """The manifest, or a file that it names, is unusable."""


class CohortEncodingError(CohortError):
    """Recordings that cannot be decoded, or transcripts that cannot be parsed."""


class FoldError(TrainingError):
    """Folds that cannot be drawn, or that would bias a result."""


class FamilyLeakError(FoldError):
    """A family is in two parts of a split, so that a test would measure what was trained on its relatives."""


class OutcomeAbsentError(FoldError):
    """An outcome has no case in a part of a fold, where it could be neither learnt nor measured."""


class FitError(TrainingError):
    """A network that cannot be trained."""


class NoTrainingDocumentsError(FitError):
    """No recording of the cohort has both features and a label of the task."""


class HeldOutDocumentError(FitError):
    """A family of the test part is among the training documents."""


class DivergedError(FitError):
    """A term of the loss is not finite; the message names the fold, the step and the term."""


class RunMismatchError(FitError):
    """The saved state belongs to a run with other documents or settings."""


class EvaluationError(TrainingError):
    """Predictions that cannot be evaluated."""


class EvidenceError(EvaluationError):
    """Parts of the evidence of a run do not belong together."""


class TooFewCalibrationCasesError(EvaluationError):
    """No finite conformal threshold exists for so few cases: every set would hold every outcome."""


class ReleaseError(TrainingError):
    """A bundle that cannot be released."""


class CheckpointError(ReleaseError):
    """The checkpoint is incomplete, malformed, or its parts do not fit together."""


class GoldenUnusableError(ReleaseError):
    """No golden recording can be cut from a recording."""


class BundlePartsError(ReleaseError):
    """The parts of a bundle do not fit together."""


class RobustnessError(ReleaseError):
    """The robustness of a bundle cannot be measured, breaks a bound, or is that of another bundle."""


class CardError(ReleaseError):
    """The model card is malformed, or a number in it is not the evaluation's."""


class SpeechUnavailableError(TrainingError):
    """espeak-ng did not start, or has no such voice."""
