"""What the compose files say, read without an engine; `make journey` looks at what came of it."""

import json
import re
from typing import Any, cast

import pytest
import yaml

from service.errors.unavailable import Unavailable
from service.settings import Settings
from tests.docker.stack import LONG_RUNNING, ROOT

FILES = sorted(ROOT.glob("compose.*.yml"))


class Compose(yaml.SafeLoader):
    """Knows compose's own tags."""


Compose.add_constructor("!override", lambda loader, node: loader.construct_sequence(cast(Any, node), deep=True))
Compose.add_constructor("!reset", lambda _loader, _node: None)


def read(path):
    return yaml.load(path.read_text(), Compose)


SERVICES = read(ROOT / "docker-compose.yml")["services"]


def names(environment):
    pairs = environment if isinstance(environment, list) else list(environment or {})
    return {str(pair).partition("=")[0] for pair in pairs}


def test_the_stack_has_the_services_that_its_tests_look_at():
    assert set(SERVICES) == {*LONG_RUNNING, "migrate"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_confined_and_comes_back(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) >= {"memory", "pids"}
    assert service["logging"]["options"]["max-size"]
    assert service["restart"] == ("on-failure:5" if name == "migrate" else "unless-stopped")


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_an_image_is_a_variable_with_a_default(name):
    assert re.match(r"\$\{[A-Z_]+:-[a-z0-9./-]+", SERVICES[name]["image"])


@pytest.mark.parametrize("path", [ROOT / "docker-compose.yml", *FILES], ids=lambda path: path.name)
def test_each_setting_that_a_compose_file_names_exists(path):
    known = {f"HILBERT_{name.upper()}" for name in Settings.model_fields}
    of_proxy = {"HILBERT_SITE"}
    for name, service in read(path)["services"].items():
        named = {word for word in names(service.get("environment")) if word.startswith("HILBERT_")}
        assert named <= (of_proxy if name == "proxy" else known)


def test_each_secret_is_made_by_the_script_that_makes_secrets():
    made = set(re.findall(r"keep (\w+)", (ROOT / "deploy" / "make-secrets").read_text()))
    named = {name for path in (ROOT / "docker-compose.yml", *FILES) for name in read(path).get("secrets") or {}}
    assert named - {"alert_receiver"} == made  # That one is whatever the operator's own receiver wants.


def test_no_secret_stands_in_an_environment():
    for service in SERVICES.values():
        assert not {n for n in names(service.get("environment")) if re.search(r"(PASSWORD|PEPPERS|_URL)$", n)}


def test_databases_and_workers_have_no_way_out():
    networks = read(ROOT / "docker-compose.yml")["networks"]
    for name in ("prepare", "encode", "score", "redis", "postgres", "migrate"):
        assert all(networks[network].get("internal") for network in SERVICES[name]["networks"])
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]


def test_every_base_image_of_a_dockerfile_is_an_argument_or_a_stage():
    for path in (ROOT / "Dockerfile", *(ROOT / "deploy").rglob("Dockerfile")):
        stages = set()
        for line in path.read_text().splitlines():
            if found := re.match(r"FROM (\S+)(?: AS (\S+))?", line):
                assert found[1].startswith("${") or found[1] in stages, path
                stages.add(found[2])


def said_by_the_balancer():
    head, body = (ROOT / "deploy" / "balancer" / "unavailable.http").read_bytes().split(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert b"Retry-After: 1" in head.split(b"\r\n")
    return json.loads(body)


def said_by_the_proxy():
    file = (ROOT / "deploy" / "proxy" / "Caddyfile").read_text()
    return json.loads(re.search(r"respond `(.*)` 503", file)[1])


@pytest.mark.parametrize("said", [said_by_the_balancer, said_by_the_proxy])
def test_what_stands_in_front_speaks_of_errors_as_the_service_does(said):
    problem, kind = said(), Unavailable
    assert (problem["status"], problem["code"]) == (kind.status, kind.code)
    assert problem["type"] == f"urn:hilbert:problem:{kind.code}"
    assert problem["retryable"] is kind.retryable
