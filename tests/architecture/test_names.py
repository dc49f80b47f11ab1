"""Names say what the field says, and one name stands for one thing."""

from collections import defaultdict

import pytest

from service.settings import RENAMED, Settings
from tests.architecture.sources import PACKAGES, modules, name_of, public_definitions, tree, words_of

BANNED = {
    "outlook": "queue position",
    "standing": "queue position",
    "pace": "throughput",
    "forecast": "simulation",
    "rehearsal": "simulation",
    "fluid": "simulation",
    "guessing": "duration estimate",
    "guess": "estimate",
    "staffing": "coverage",
    "stranded": "model replacement",
    "pump": "publisher",
    "doorbell": "publisher",
    "bell": "message",
    "republishing": "redelivery",
    "announcing": "outbox",
    "destinations": "URL policy",
    "refusals": "errors",
    "presence": "heartbeat",
    "beat": "heartbeat",
    "bury": "mark dead",
    "tether": "parent death",
    "turns": "consumer",
    "perseverance": "retry",
    "patience": "retry",
    "deaf": "consumer stall",
    "silence": "timeout",
    "linger": "delay",
    "assessing": "model adapter",
    "assessor": "model protocol",
    "holding": "request body",
    "preferring": "prefer wait",
    "watching": "change feed",
    "admitting": "admission",
    "door": "admission",
    "measuring": "metrics",
    "correlation": "request id",
    "keeping": "early stopping",
    "kept": "early stopping",
    "lineup": "baselines",
    "oddness": "out of distribution",
    "strangeness": "out of distribution",
    "utils": "the concept",
    "util": "the concept",
    "helpers": "the concept",
    "helper": "the concept",
    "manager": "the concept",
    "misc": "the concept",
}
"""Words of no field, with the term to use instead (CONTRIBUTING.md, Writing)."""
ALLOWED = {
    "model/segments/quality.py": "silence in a recording is the field's own word",
    "model/segments/voice_activity.py": "silence in a recording is the field's own word",
    "training/robustness/agreement.py": "the intraclass correlation is a measure of statistics",
    "training/synthetic/dialogue.py": "silence in a recording is the field's own word",
}
TWICE: dict[str, str] = {}
"""Public class names that stand in two packages, with the reason; printed when the test runs."""


def definitions():
    """Every module, class, function and constant at the top of a module, as (where, name)."""
    for path in modules(*PACKAGES):
        yield name_of(path), path.parent.name if path.stem == "__init__" else path.stem
        for node in tree(path).body:
            if hasattr(node, "name"):
                yield name_of(path), node.name
    for setting in Settings.model_fields:
        yield "service/settings.py", setting


def test_no_name_is_of_a_private_vocabulary():
    faults = [
        f"{where}: {name}: say {BANNED[word]!r} instead of {word!r}"
        for where, name in definitions()
        for word in sorted(words_of(name) & BANNED.keys())
        if where not in ALLOWED
    ]
    assert faults == []


@pytest.mark.parametrize("name", ["QueueOutlook", "pump", "MODEL_UTILS", "keep_alive_door"])
def test_a_banned_word_is_found_in_any_spelling(name):
    assert words_of(name) & BANNED.keys()


def test_a_class_name_stands_for_one_thing_in_all_packages():
    places = defaultdict(set)
    for path in modules(*PACKAGES):
        for node in public_definitions(path):
            if node.__class__.__name__ == "ClassDef":
                places[node.name].add(name_of(path))
    twice = {name: sorted(where) for name, where in places.items() if len(where) > 1}
    for name, why in TWICE.items():
        print(f"{name} stands in {twice.get(name)}: {why}")  # noqa: T201 - the allow-list is shown
    assert twice.keys() == TWICE.keys(), {name: twice[name] for name in twice.keys() - TWICE.keys()}


def test_an_old_name_of_a_setting_is_no_setting_and_its_new_name_is():
    assert RENAMED.keys() & Settings.model_fields.keys() == set()
    assert set(RENAMED.values()) <= Settings.model_fields.keys()
