"""The scale subresource: a workload's replicas as an `autoscaling/v1` Scale."""

from collections.abc import Mapping
from typing import Any

from deployments.sandbox.errors import bad_request
from deployments.sandbox.kinds import Kind
from deployments.sandbox.objects import Object


def read_scale(kind: Kind, obj: Object) -> Object:
    names = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = (obj["spec"].get("selector") or {}).get("matchLabels") or {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: obj["metadata"][name] for name in names if name in obj["metadata"]},
        "spec": {"replicas": obj["spec"].get("replicas", 0)},
        "status": {
            "replicas": obj.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        },
    }


def scaled(obj: Object, scale: Mapping[str, Any]) -> Object:
    """The object with the replicas that a Scale asks for. Raises ApiError 400 when it asks for none."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int):
        raise bad_request("Scale.spec.replicas must be a number")
    version = (scale.get("metadata") or {}).get("resourceVersion")
    metadata = {**obj["metadata"], **({"resourceVersion": version} if version else {})}
    return {**obj, "metadata": metadata, "spec": {**obj["spec"], "replicas": replicas}}
