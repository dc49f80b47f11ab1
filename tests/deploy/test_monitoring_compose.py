"""compose.monitoring.yml and what Prometheus scrapes, read together with docker-compose.yml."""

import yaml

from tests.deploy.monitoring import MONITORING, ROOT, read

SERVICE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
WATCHING = yaml.safe_load((ROOT / "compose.monitoring.yml").read_text())["services"]
PROMETHEUS = read(MONITORING / "prometheus" / "prometheus.yml")
PORT = 9464


def serving_metrics():
    return {name for name, service in SERVICE.items() if "HILBERT_METRICS_PORT" in (service.get("environment") or {})}


def test_every_process_that_serves_metrics_is_scraped_by_its_name_and_all_replicas():
    jobs = {job["job_name"]: job for job in PROMETHEUS["scrape_configs"]}
    assert set(jobs) == (serving_metrics() - {"migrate"}) | {"prometheus", "alertmanager"}
    for name in serving_metrics() - {"migrate"}:
        (found,) = jobs[name]["dns_sd_configs"]
        assert (found["names"], found["type"], found["port"]) == ([name], "A", PORT)
        assert SERVICE[name]["environment"]["HILBERT_METRICS_PORT"] == str(PORT)


def test_prometheus_shares_a_network_with_each_that_it_scrapes():
    for name in serving_metrics() - {"migrate"}:
        assert set(SERVICE[name]["networks"]) & set(WATCHING["prometheus"]["networks"])


def test_nothing_that_watches_writes_outside_its_volume_or_has_rights():
    for name, service in WATCHING.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["deploy"]["resources"]["limits"].keys() == {"memory", "pids"}, name
        assert service["healthcheck"]["test"], name
        assert all("127.0.0.1" in port for port in service["ports"]), name


def test_images_are_an_operator_s_choice():
    assert {service["image"].split(":-")[0] for service in WATCHING.values()} == {
        "${PROMETHEUS_IMAGE",
        "${ALERTMANAGER_IMAGE",
        "${GRAFANA_IMAGE",
    }


def test_prometheus_keeps_what_drift_looks_back_to():
    (retention,) = [each for each in WATCHING["prometheus"]["command"] if "retention.time" in each]
    assert int(retention.split(":-")[1].removesuffix("d}")) > 29
