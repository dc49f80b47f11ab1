"""What the manifests promise beyond their form: little rights, room to stop, and nobody reached without need."""

import ipaddress
import re
import subprocess
from itertools import chain

import yaml
from pydantic import TypeAdapter

from service.setting_groups import Duration
from service.settings import Settings
from service.task_queue.publisher import QUEUES
from tests.deploy.kubernetes.overlays import KUBERNETES

WORKLOADS = {"Deployment", "StatefulSet", "Job"}
INTERNET = ("0.0.0.0/0", "::/0")
NEVER_REACHED = (
    "10.1.2.3",
    "172.20.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.100.100.200",
    "127.0.0.1",
    "fd00:ec2::254",
)
AWAITED = {
    f"HILBERT_{name}"
    for name in ("METRICS_HOST", "METRICS_PORT", "DRAIN_DELAY", "SHUTDOWN_TIMEOUT", "DATABASE_RETRY_TIMEOUT")
}
DURATION = TypeAdapter(Duration)
PROXIES_HEAR_WITHIN = 10
SETTING = re.compile(r"HILBERT_[A-Z0-9_]+")
RULES = "groups:\n  - name: queue\n    rules:\n\n      - alert: A\n        expr: >-\n          up ==\n          0\n"


def of(resources, kind):
    return [resource for resource in resources if resource["kind"] == kind]


def name(resource):
    return resource["metadata"]["name"]


def pods(resources):
    """The pod templates, by the name of what makes them."""
    return {name(one): one["spec"]["template"] for one in resources if one["kind"] in WORKLOADS}


def each_container(resources):
    """Every container, also those that only begin, with the pod it is in."""
    return [
        (container, pod["spec"])
        for pod in pods(resources).values()
        for container in chain(pod["spec"]["containers"], pod["spec"].get("initContainers", ()))
    ]


def selects(selector, labels):
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def test_no_container_may_do_more_than_it_needs(overlay):
    for container, pod in each_container(overlay):
        own, shared = container["securityContext"], pod["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["readOnlyRootFilesystem"] is True
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert shared["runAsNonRoot"] is True
        assert shared["runAsUser"] > 0
        assert shared["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()


def test_the_namespace_lets_nobody_do_more_either(overlay):
    (namespace,) = of(overlay, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {one["metadata"].get("namespace") for one in overlay if one["kind"] != "Namespace"} == {name(namespace)}


def test_every_container_has_bounds(overlay):
    for container, pod in each_container(overlay):
        assert container["resources"]["limits"]["memory"]
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert all("sizeLimit" in volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume)


def test_workers_compute_with_what_they_may_use(overlay):
    for queue in ("prepare", "encode", "score"):
        (container,) = pods(overlay)[f"hilbert-{queue}"]["spec"]["containers"]
        variable = next(one for one in container["env"] if one["name"] == "HILBERT_THREADS")
        assert variable["valueFrom"]["resourceFieldRef"] == {"containerName": "hilbert", "resource": "limits.cpu"}
        assert int(container["resources"]["limits"]["cpu"]) > 0


def test_every_container_that_stays_is_asked_whether_it_is_ready(overlay):
    for pod in pods(overlay).values():
        for container in pod["spec"]["containers"]:
            assert {"startupProbe", "readinessProbe"} <= container.keys()


def test_no_worker_is_restarted_because_the_database_is_away(overlay):
    for who, pod in pods(overlay).items():
        (container,) = pod["spec"]["containers"]
        assert ("livenessProbe" in container) == (who == "hilbert-api")
    (api,) = pods(overlay)["hilbert-api"]["spec"]["containers"]
    assert api["livenessProbe"]["httpGet"]["path"] == "/livez"


def test_there_is_a_worker_for_every_queue(overlay):
    served = [
        pod["spec"]["containers"][0]["args"][2]
        for who, pod in pods(overlay).items()
        if pod["spec"]["containers"][0].get("args", [""])[0] == "worker"
    ]
    assert sorted(served) == sorted(QUEUES)


def test_every_deployment_has_a_budget_for_disruptions_that_lets_a_node_be_emptied(overlay):
    budgets = of(overlay, "PodDisruptionBudget")
    for deployment in of(overlay, "Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        (budget,) = (one for one in budgets if selects(one["spec"]["selector"], labels))
        assert budget["spec"]["maxUnavailable"] == 1


def test_an_api_is_replaced_before_it_stops_and_has_time_to_finish(overlay):
    (api,) = (one for one in of(overlay, "Deployment") if name(one) == "hilbert-api")
    assert api["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    (settings,) = (one["data"] for one in of(overlay, "ConfigMap") if name(one).startswith("hilbert-settings"))
    drain, finish = (
        DURATION.validate_python(settings[f"HILBERT_{word}"]) for word in ("DRAIN_DELAY", "SHUTDOWN_TIMEOUT")
    )
    grace = api["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert drain.total_seconds() >= PROXIES_HEAR_WITHIN
    assert grace > (drain + finish).total_seconds()


def test_every_pod_is_under_a_policy_in_both_directions(overlay):
    policies = of(overlay, "NetworkPolicy")
    for pod in pods(overlay).values():
        over = [one["spec"] for one in policies if selects(one["spec"]["podSelector"], pod["metadata"]["labels"])]
        assert {kind for spec in over for kind in spec["policyTypes"]} == {"Ingress", "Egress"}


def test_only_the_one_that_delivers_reaches_the_internet_and_nothing_private(overlay):
    for policy in of(overlay, "NetworkPolicy"):
        blocks = [to["ipBlock"] for rule in policy["spec"].get("egress", ()) for to in rule["to"] if "ipBlock" in to]
        wide = [block for block in blocks if block["cidr"] in INTERNET]
        reached = [ipaddress.ip_network(block["cidr"]) for block in blocks if block not in wide]
        assert all(network.is_private for network in reached)
        if wide:
            assert policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "deliver"
            closed = [ipaddress.ip_network(one) for block in wide for one in block["except"]]
            for address in map(ipaddress.ip_address, NEVER_REACHED):
                assert any(address in network for network in closed if network.version == address.version), address


def test_every_setting_that_is_named_exists(overlay):
    known = {f"HILBERT_{field.upper()}" for field in Settings.model_fields}
    named = {key for one in of(overlay, "ConfigMap") for key in one["data"] if key.startswith("HILBERT_")}
    named |= {variable["name"] for container, _ in each_container(overlay) for variable in container.get("env", ())}
    secret = {key.upper() for one in of(overlay, "Secret") for key in one["data"] if key.startswith("hilbert_")}
    assert {one for one in named | secret if SETTING.fullmatch(one)} - known - AWAITED == set()
    assert not named & secret


def test_nothing_secret_stands_in_a_manifest(overlay):
    for container, _ in each_container(overlay):
        for variable in container.get("env", ()):
            assert not re.search("PASSWORD$|SECRET|PEPPER|_URL$|KEY$", variable["name"]), variable["name"]
    assert not any(
        "password" in str(one["data"]).lower()
        for one in of(overlay, "ConfigMap")
        if name(one).startswith("hilbert-settings")
    )


def test_no_secret_is_in_the_repository():
    tracked = subprocess.run(
        ("git", "ls-files", "deploy/kubernetes"), cwd=KUBERNETES.parents[1], capture_output=True, text=True, check=False
    )
    assert not [line for line in tracked.stdout.splitlines() if "/secrets/" in line or "/keys/" in line]


def test_what_a_service_leads_to_is_a_port_that_a_pod_names(overlay):
    for service in of(overlay, "Service"):
        targets = [
            pod
            for pod in pods(overlay).values()
            if selects({"matchLabels": service["spec"]["selector"]}, pod["metadata"]["labels"])
        ]
        assert targets
        for pod in targets:
            ports = {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}
            assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_what_is_mounted_is_there(overlay):
    claimed = {name(one) for state in of(overlay, "StatefulSet") for one in state["spec"]["volumeClaimTemplates"]}
    for container, pod in each_container(overlay):
        volumes = {volume["name"] for volume in pod["volumes"]} | claimed
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    made = {(one["kind"], name(one)) for one in overlay}
    for pod in pods(overlay).values():
        for volume in pod["spec"]["volumes"]:
            if "secret" in volume:
                assert ("Secret", volume["secret"]["secretName"]) in made
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in made


def test_no_service_puts_a_setting_into_an_environment(overlay):
    assert all(pod["spec"]["enableServiceLinks"] is False for pod in pods(overlay).values())


def test_what_scales_names_what_is_there(rendered):
    resources = rendered["production"]
    deployments = {name(one) for one in of(resources, "Deployment")}
    scaled = [*of(resources, "ScaledObject"), *of(resources, "HorizontalPodAutoscaler")]
    assert {one["spec"]["scaleTargetRef"]["name"] for one in scaled} == deployments
    assert not any("replicas" in one["spec"] for one in of(resources, "Deployment"))
    secrets = {name(one): set(one["data"]) for one in of(resources, "Secret")}
    for authentication in of(resources, "TriggerAuthentication"):
        for reference in authentication["spec"]["secretTargetRef"]:
            assert reference["key"] in secrets[reference["name"]]


def test_a_gpu_has_one_owner_and_its_worker_several_slots(rendered):
    (encode,) = (one for one in of(rendered["gpu"], "Deployment") if name(one) == "hilbert-encode")
    (container,) = encode["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert encode["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert "worker-gpu" in container["image"]


def test_rules_for_prometheus_only_get_another_envelope(tmp_path):
    (tmp_path / "a_b.yml").write_text(RULES)
    done = subprocess.run((KUBERNETES / "prometheus-rules", tmp_path), capture_output=True, text=True, check=True)
    (rule,) = yaml.safe_load_all(done.stdout)
    assert (rule["kind"], rule["metadata"]["name"]) == ("PrometheusRule", "hilbert-a-b")
    assert rule["spec"] == yaml.safe_load(RULES)
    missing = subprocess.run(
        (KUBERNETES / "prometheus-rules", tmp_path / "none"), capture_output=True, text=True, check=False
    )
    assert missing.returncode == 1
    assert "name the folder" in missing.stderr
