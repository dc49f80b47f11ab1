"""What the manifests use of resources that Kubernetes itself does not know, field by field; nothing else is allowed.

Written from the definitions of KEDA 2.18 (keda.sh/v1alpha1) and of the Prometheus operator 0.80
(monitoring.coreos.com/v1): a model of the fields in use, not a copy of their schemas.
"""

from typing import Any


def fields(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object with these fields and no others."""
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


def several(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


def one_of(*values: str) -> dict[str, Any]:
    return {"enum": [*values]}


TEXT = {"type": "string", "minLength": 1}
NUMBER = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}
COUNT = {"type": "integer", "minimum": 1}
SECONDS = {"type": "integer", "minimum": 0, "maximum": 3600}
LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
METADATA = fields({"name": TEXT}, {"namespace": TEXT, "labels": LABELS})

POLICY = fields({"type": one_of("Pods", "Percent"), "value": COUNT, "periodSeconds": {**COUNT, "maximum": 1800}})
RULES = fields({"stabilizationWindowSeconds": SECONDS, "policies": several(POLICY)})
BEHAVIOR = fields({"scaleUp": RULES, "scaleDown": RULES})
TRIGGER = fields(
    {
        "type": one_of("postgresql"),
        "name": TEXT,
        "metricType": one_of("AverageValue", "Value"),
        "useCachedMetrics": {"type": "boolean"},
        "authenticationRef": fields({"name": TEXT}),
        # Of the scaler for PostgreSQL; the connection comes from the authentication.
        "metadata": fields({"query": TEXT, "targetQueryValue": NUMBER}, {"activationTargetQueryValue": NUMBER}),
    }
)
SCALED_OBJECT = fields(
    {"scaleTargetRef": fields({"name": TEXT}), "triggers": several(TRIGGER)},
    {
        "minReplicaCount": COUNT,
        "maxReplicaCount": COUNT,
        "pollingInterval": COUNT,
        "fallback": fields(
            {
                "failureThreshold": COUNT,
                "replicas": COUNT,
                "behavior": one_of("static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"),
            }
        ),
        "advanced": fields({"horizontalPodAutoscalerConfig": fields({"behavior": BEHAVIOR})}),
    },
)
AUTHENTICATION = fields(
    {"secretTargetRef": several(fields({"parameter": one_of("connection"), "name": TEXT, "key": TEXT}))}
)
POD_MONITOR = fields(
    {
        "selector": fields({"matchLabels": LABELS}),
        "podMetricsEndpoints": several(
            fields(
                {"port": TEXT},
                {
                    "path": TEXT,
                    "interval": {"type": "string", "pattern": "^[0-9]+s$"},
                    "relabelings": several(fields({"sourceLabels": several(TEXT), "targetLabel": TEXT})),
                },
            )
        ),
    }
)


def resource(api: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return fields({"apiVersion": one_of(api), "kind": one_of(kind), "metadata": METADATA, "spec": spec})


SCHEMAS = {
    "ScaledObject": resource("keda.sh/v1alpha1", "ScaledObject", SCALED_OBJECT),
    "TriggerAuthentication": resource("keda.sh/v1alpha1", "TriggerAuthentication", AUTHENTICATION),
    "PodMonitor": resource("monitoring.coreos.com/v1", "PodMonitor", POD_MONITOR),
}
