"""The demonstration's card without a word about its evaluation, for tests that bring an evaluation of their own."""

from pathlib import Path

import yaml

DEMONSTRATION = Path(__file__).parents[3] / "training" / "card" / "demonstration.yaml"


def plain_card(**usefulness):
    """The card's fields; `usefulness` replaces fields of the question that the demonstration answers with numbers."""
    source = yaml.safe_load(DEMONSTRATION.read_text())
    told = {
        "MetricGoal": "To be found again.",
        "Results": [],
        "Interpretation": "None.",
        "TestType": "By hand",
        "TestingDataDescription": "None",
        "ValidationProcessAndJustification": "None",
    }
    source["KeyMetrics"]["UsefulnessUsabilityEfficacy"] = told | usefulness
    return source


def write_plain_card(file, **usefulness):
    """The same as a file, whose path is returned."""
    file.write_text(yaml.safe_dump(plain_card(**usefulness), sort_keys=False))
    return file
