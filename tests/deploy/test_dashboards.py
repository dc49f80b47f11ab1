"""Dashboards: what Grafana's own models make of them, and that each panel can be read and acted upon."""

import importlib.util
import json

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.deploy.monitoring import DASHBOARDS, FILLED, MONITORING, ROOT, RUNBOOKS, dashboards, panels

GRAFANA = MONITORING / "grafana"
# Those that dashboards use, as Grafana names them.
UNITS = {"short", "reqps", "percentunit", "s", "h", "bytes", "dB"}


def not_taken(given, taken, at=""):
    """Places in the first that the second lacks or has otherwise."""
    if isinstance(given, dict):
        return [
            p for k, v in given.items() for p in (not_taken(v, taken[k], f"{at}/{k}") if k in taken else [f"{at}/{k}"])
        ]
    if isinstance(given, list):
        pairs = zip(given, taken, strict=True)
        return [p for n, (a, b) in enumerate(pairs) for p in not_taken(a, b, f"{at}/{n}")]
    return [] if given == taken else [at]


def drawing():
    """The module that draws them; it lies beside the dashboards, in no package."""
    spec = importlib.util.spec_from_file_location("draw", GRAFANA / "draw.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_grafana_s_models_know_every_field(path):
    register_default_plugins()
    given = json.loads(path.read_text())
    assert not_taken(given, json.loads(JSONEncoder().encode(Dashboard.from_json(given)))) == []


def test_they_are_what_their_descriptions_draw():
    assert drawing().drawn() == {path.name: path.read_text() for path in DASHBOARDS}


def test_there_are_the_four_that_the_page_names():
    assert set(dashboards()) == {"service", "model", "workers", "webhooks"}
    text = (ROOT / "docs" / "monitoring.md").read_text()
    assert [name for name in ("Service", "Model", "Workers", "Webhooks") if f"**{name}**" not in text] == []


@pytest.mark.parametrize(
    ("board", "panel"), panels(), ids=lambda each: each["title"] if isinstance(each, dict) else each
)
def test_a_panel_has_a_unit_says_what_to_do_and_leads_to_a_runbook(board, panel):
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert len(panel["description"]) > 20
    assert panel["links"]
    for link in panel["links"]:
        assert (RUNBOOKS / link["url"].removeprefix("/public/runbooks/")).exists()


@pytest.mark.parametrize("board", dashboards().values(), ids=dashboards())
def test_panels_do_not_overlap(board):
    cells = [
        (place["x"] + dx, place["y"] + dy)
        for place in (panel["gridPos"] for panel in board["panels"])
        for dx in range(place["w"])
        for dy in range(place["h"])
    ]
    assert len(cells) == len(set(cells))


def test_the_tests_fill_in_every_variable():
    names = {f"${each['name']}" for board in dashboards().values() for each in board["templating"]["list"]}
    assert names == set(FILLED) - {"$__rate_interval"}


def test_the_source_that_panels_name_is_provisioned():
    told = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "hilbert.yml").read_text())
    assert {panel["datasource"]["uid"] for _, panel in panels()} == {told["datasources"][0]["uid"]}
