"""Rules and dashboards ask only for what exists: metrics of the service, recorded ones, a few others."""

import pytest
from prometheus_client.metrics import MetricWrapperBase

from service.observability import metrics
from service.observability.metrics import Reading
from tests.deploy.monitoring import groupings, queries, rules, selectors

# What Prometheus adds to every series, and what it and the client library tell of themselves.
ADDED = {"job", "instance"}
OTHERS = {
    "up": set(),
    "ALERTS": {"alertname", "alertstate", "severity"},
    "prometheus_rule_evaluation_failures_total": {"rule_group"},
    "process_start_time_seconds": set(),
    "process_resident_memory_bytes": set(),
    "process_cpu_seconds_total": set(),
}
DRAWN_FROM = {"measure", "le", "task", "outcome"}


def defined():
    """Every series of the service with its labels; a histogram has three kinds of them."""
    for metric in vars(metrics).values():
        if isinstance(metric, Reading):
            yield metric.name, set(metric.labels)
        elif isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            labels = set(metric._labelnames)
            if family.type == "histogram":
                yield f"{family.name}_bucket", labels | {"le"}
                yield from ((f"{family.name}_{part}", labels) for part in ("count", "sum"))
            else:
                yield f"{family.name}_total" if family.type == "counter" else family.name, labels


SERVICE = dict(defined())
RECORDED = {rule["record"]: groupings(rule["expr"]) for rule in rules() if "record" in rule}
EXPRESSIONS = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()]
EXPRESSIONS += [(f"{board}: {panel}", expr) for board, panel, expr in queries()]


def labels_of(name):
    """Labels that a series of this name may have; None for one that nobody makes."""
    if name.startswith("hilbert:drift_"):
        return DRAWN_FROM if name in RECORDED else None
    for known in (SERVICE, RECORDED, OTHERS):
        if name in known:
            return known[name] | ADDED
    return None


@pytest.mark.parametrize(("where", "expr"), EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_an_expression_asks_for_what_exists(where, expr):
    asked = selectors(expr)
    assert asked or "vector" in expr
    for name, labels in asked:
        assert labels_of(name) is not None, name
        assert labels - labels_of(name) == set(), name
    known = set().union(*(labels_of(name) for name, _ in asked)) | {"le", "queue"}
    assert groupings(expr) - known == set()


def test_a_misspelt_metric_would_be_noticed():
    assert selectors('max(hilbert_worker{queu="x"}) > rate(a[5m])') == [("hilbert_worker", {"queu"}), ("a", set())]
    assert labels_of("hilbert_worker") is None


def test_every_drift_histogram_is_judged():
    drift = {
        name.removesuffix("_bucket") for name in SERVICE if name.startswith("hilbert_drift_") and "_bucket" in name
    }
    judged = {rule["labels"]["measure"] for rule in rules() if rule.get("record") == "hilbert:drift_bucket:increase1h"}
    assert {f"hilbert_drift_{measure}" for measure in judged} == drift
