import socket

import httpx
import pytest
from prometheus_client.core import GaugeMetricFamily

from service.errors.tree import ConfigurationRefused
from service.observability.exposition import MetricsServer, metrics_server
from service.settings import Settings
from tests.processes import answers


class Answering:
    """A collector with one metric, or with a fault."""

    def __init__(self, fault=None):
        self.fault = fault

    def collect(self):
        if self.fault is not None:
            raise self.fault
        return [GaugeMetricFamily("asked", "asked", value=7)]


@pytest.fixture
def served():
    with metrics_server(Settings(metrics_port=0)) as exposition:
        yield exposition


def get(exposition, path="/metrics", **headers):
    return httpx.get(f"http://127.0.0.1:{exposition.port}{path}", headers=headers, trust_env=False)


def test_counted_metrics_and_process_metrics_are_served(served):
    response = get(served)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    for name in ("hilbert_build_info{version=", "process_resident_memory_bytes", "python_info", "python_gc_"):
        assert name in response.text
    assert "_created" not in response.text


def test_a_scraper_may_ask_for_openmetrics(served):
    assert get(served, Accept="application/openmetrics-text; version=1.0.0").text.endswith("# EOF\n")


def test_other_paths_are_not_found(served):
    assert [get(served, path).status_code for path in ("/", "/metrics/x", "/metrics?name=x")] == [404, 404, 200]


def test_a_collector_is_scraped_while_its_block_runs(served):
    with served.collecting(Answering()):
        assert "\nasked 7.0\n" in get(served).text
    assert "asked" not in get(served).text


def test_a_failing_collector_is_a_500_without_its_message(served):
    with served.collecting(Answering(ValueError("Ada Lovelace"))):
        response = get(served)
    assert response.status_code == 500
    assert "Ada" not in response.text
    assert get(served).status_code == 200


def test_by_default_no_port_is_opened():
    with metrics_server(Settings()) as exposition:
        assert exposition.port is None
        assert b"hilbert_build_info" in exposition.text()[0]


def test_a_taken_port_is_refused_with_what_to_do():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConfigurationRefused, match="HILBERT_METRICS_PORT"):
            MetricsServer("127.0.0.1", other.getsockname()[1]).start()


def test_stopping_frees_the_port():
    with metrics_server(Settings(metrics_port=0)) as exposition:
        port = exposition.port
        assert answers(port)
    assert not answers(port)
