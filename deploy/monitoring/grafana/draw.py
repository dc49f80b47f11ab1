"""Draws Grafana's dashboards: from the YAML beside this file, which people read, to JSON in `dashboards/`.

`python deploy/monitoring/grafana/draw.py` writes them; a test holds that they are what this draws.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
SOURCE = {"type": "prometheus", "uid": "prometheus"}
COLUMNS, WIDTH, HEIGHT = 24, 8, 8


def target(number: int, query: dict[str, str], *, table: bool) -> dict[str, Any]:
    """One query of a panel."""
    shape = {"instant": True, "range": False, "format": "table"} if table else {"instant": False, "range": True}
    name = {"refId": chr(ord("A") + number), "legendFormat": query["legend"] or "__auto"}
    return {"datasource": SOURCE, "expr": query["expr"], "editorMode": "code", **name, **shape}


def panel(number: int, told: dict[str, Any], place: dict[str, int]) -> dict[str, Any]:
    """A panel; its links lead to the runbooks that Grafana serves among its static files."""
    table = told.get("kind") == "table"
    links = [{"title": f"Runbook {name}", "url": f"/public/runbooks/{name}.md"} for name in told["runbooks"]]
    drawn = {
        "id": number,
        "type": "table" if table else "timeseries",
        "title": told["title"],
        "description": told["description"],
        "datasource": SOURCE,
        "gridPos": place,
        "links": [{**link, "targetBlank": True} for link in links],
        "fieldConfig": {"defaults": {"unit": told.get("unit", "short")}, "overrides": []},
        "targets": [target(at, query, table=table) for at, query in enumerate(told["queries"])],
    }
    if not table:
        drawn["fieldConfig"]["defaults"]["min"] = 0
        drawn["options"] = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}}
    return drawn


def places(panels: list[dict[str, Any]]) -> list[dict[str, int]]:
    """Where panels stand: from left to right, a new row where one does not fit."""
    found, x, y = [], 0, 0
    for told in panels:
        width = told.get("width", WIDTH)
        if x + width > COLUMNS:
            x, y = 0, y + HEIGHT
        found.append({"x": x, "y": y, "w": width, "h": HEIGHT})
        x += width
    return found


def variable(told: dict[str, str]) -> dict[str, Any]:
    """A choice above the panels; all at first."""
    query = {"query": told["query"], "refId": f"variable-{told['name']}", "qryType": 1}
    everything = {"selected": True, "text": ["All"], "value": ["$__all"]}
    choice = {"multi": True, "includeAll": True, "allValue": ".*", "current": everything}
    return {"name": told["name"], "type": "query", "datasource": SOURCE, "query": query, "refresh": 2, **choice}


def dashboard(name: str, told: dict[str, Any]) -> dict[str, Any]:
    """A whole dashboard in Grafana's form."""
    others = {"type": "dashboards", "tags": ["hilbert"], "title": "HILBERT", "asDropdown": False, "keepTime": True}
    panels = zip(told["panels"], places(told["panels"]), strict=True)
    return {
        "uid": f"hilbert-{name}",
        "title": told["title"],
        "description": told["description"],
        "tags": ["hilbert"],
        "timezone": "browser",
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "links": [others],
        "templating": {"list": [variable(each) for each in told.get("variables", [])]},
        "annotations": {"list": []},
        "panels": [panel(number, each, place) for number, (each, place) in enumerate(panels, start=1)],
    }


def drawn() -> dict[str, str]:
    """The text of each dashboard by its file's name."""
    made = {}
    for source in sorted(HERE.glob("*.yml")):
        told = yaml.safe_load(source.read_text())
        made[f"{source.stem}.json"] = json.dumps(dashboard(source.stem, told), indent=1) + "\n"
    return made


if __name__ == "__main__":
    for name, text in drawn().items():
        (HERE / "dashboards" / name).write_text(text)
