"""What deploy/monitoring says, read for the tests: rules, their tests, dashboards, the metrics that PromQL names."""

import json
import re
from pathlib import Path

import promql_parser as promql
import yaml

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
RUNBOOKS = ROOT / "docs" / "runbooks"
RULES = sorted((MONITORING / "prometheus" / "rules").glob("*.yml"))
RULE_TESTS = sorted((MONITORING / "prometheus" / "tests").glob("*.yml"))
DASHBOARDS = sorted((MONITORING / "grafana" / "dashboards").glob("*.json"))
# What Grafana puts in for its own variables.
FILLED = {"$__rate_interval": "1m", "$task": ".*", "$stage": ".*", "$encoder": ".*"}


def read(path):
    """A YAML file."""
    return yaml.safe_load(path.read_text())


def rules():
    """Every rule, alerts and recordings."""
    return [rule for path in RULES for group in read(path)["groups"] for rule in group["rules"]]


def alerts():
    """Every alert by its name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def dashboards():
    """Every dashboard by its file's name."""
    return {path.stem: json.loads(path.read_text()) for path in DASHBOARDS}


def filled(expr):
    """A dashboard's query as Prometheus gets it."""
    for name, value in FILLED.items():
        expr = expr.replace(name, value)
    return expr


def panels():
    """Every panel, with the dashboard it is on."""
    return [(name, panel) for name, board in dashboards().items() for panel in board["panels"]]


def queries():
    """Every query of every dashboard: (dashboard, panel, PromQL)."""
    return [(name, panel["title"], filled(target["expr"])) for name, panel in panels() for target in panel["targets"]]


def selectors(expr):
    """Every (metric, labels that it is asked by) in a PromQL expression."""
    found = []

    def visit(node):
        if isinstance(node, promql.VectorSelector):
            found.append((node.name, {matcher.name for matcher in node.matchers.matchers}))
        elif isinstance(node, promql.MatrixSelector):
            visit(node.vector_selector)
        for name in ("lhs", "rhs", "expr", "param"):
            if isinstance(child := getattr(node, name, None), promql.Expr):
                visit(child)
        for child in getattr(node, "args", ()) or ():
            visit(child)

    visit(promql.parse(expr))
    return found


def groupings(expr):
    """Labels that aggregations group by or matching looks at."""
    lists = re.findall(r"\b(?:by|on|without|ignoring|group_left)\s*\(([a-z_, ]*)\)", expr)
    return {label.strip() for each in lists for label in each.split(",")} - {""}
