"""Every manifest against the schemas of the API, strictly: no field that Kubernetes does not know."""

import functools

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.deploy.kubernetes.custom_resources import SCHEMAS
from tests.deploy.kubernetes.overlays import KUBERNETES

OLDEST, NEWEST = "1.30", "1.37"
PARTIAL = {"kustomization.yaml", "hardened.yaml", "working.yaml", "keys.yaml", "shared.yaml"}
FILES = sorted(path for path in KUBERNETES.rglob("*.yaml") if path.name not in PARTIAL)


@pytest.fixture(autouse=True)
def _schemas_are_read_once(monkeypatch):
    monkeypatch.setattr(kubernetes_validate.utils, "schema_contents", read_schema)


read_schema = functools.cache(kubernetes_validate.utils.schema_contents)


def check(resource):
    """Raises for what an API server of either version would refuse."""
    if (schema := SCHEMAS.get(resource["kind"])) is not None:
        jsonschema.validate(resource, schema)
        return
    for version in (OLDEST, NEWEST):
        kubernetes_validate.validate(resource, version, strict=True)


def test_each_resource_of_an_overlay_is_what_the_api_takes(overlay):
    for resource in overlay:
        check(resource)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(KUBERNETES)))
def test_each_resource_of_a_file_is_what_the_api_takes(path):
    for resource in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
        check(resource)


def test_a_field_that_is_misspelt_is_refused():
    policy = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "x"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        check({**policy, "spec": {"maxUnavailble": 1}})
    with pytest.raises(jsonschema.ValidationError):
        check(
            {"apiVersion": "keda.sh/v1alpha1", "kind": "TriggerAuthentication", "metadata": {"name": "x"}, "spec": {}}
        )
