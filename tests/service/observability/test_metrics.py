import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from service.observability import metrics
from service.observability.metrics import Reading

PAGE = Path(__file__).resolve().parents[3] / "docs" / "observability.md"
ROW = re.compile(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \|([^|]*)\|", re.MULTILINE)
ALLOWED = {
    "bundle",
    "code",
    "demonstration",
    "digest",
    "encoder",
    "hard",
    "http_request_method",
    "http_response_status_code",
    "http_route",
    "outcome",
    "part",
    "priority",
    "quantile",
    "queue",
    "queues",
    "reason",
    "stage",
    "state",
    "task",
    "version",
}


def defined():
    """Name, kind and labels of every metric."""
    for metric in vars(metrics).values():
        if isinstance(metric, Reading):
            yield metric.name, metric.kind, metric.labels
        elif isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            total = "_total" if family.type == "counter" else ""
            yield f"{family.name}{total}", family.type, metric._labelnames


def test_every_metric_is_in_the_page_and_every_one_of_the_page_exists():
    documented = {
        (name, kind, tuple(re.findall(r"`([a-z_]+)`", labels))) for name, kind, labels in ROW.findall(PAGE.read_text())
    }
    assert documented == {(name, kind, tuple(labels)) for name, kind, labels in defined()}


def test_labels_are_words_of_the_service_and_never_ids_or_tenants():
    assert {label for _, _, labels in defined() for label in labels} <= ALLOWED


def test_names_say_their_unit_as_prometheus_wants_it():
    for name, kind, _ in defined():
        assert name.startswith(("hilbert_", "http_server_"))
        assert (kind == "counter") == name.endswith("_total")


def test_a_reading_begins_empty_each_time():
    reading = Reading(name="x_total", help="x", labels=("a",), kind="counter")
    reading.family().add_metric(["b"], 1)
    assert reading.family().samples == []
