"""Replicas that belong to somebody else: an autoscaler's are left alone, and nobody's go back to the default."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from deployments.targets.base import Manifest
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import Forbidden, UnknownKind

AUTOSCALER = ("autoscaling", "HorizontalPodAutoscaler")
API_VERSION = "autoscaling/v2"


def autoscalers_in(cluster: Cluster, items: Iterable[Manifest], namespace: str) -> list[Manifest]:
    """Those of the release and, where it scales anything, those that live in the namespace.

    Without the right to list them only the release's are known; then a conflict over the field still protects theirs.
    """
    items = list(items)
    known = [item for item in items if objects.group_kind(item) == AUTOSCALER]
    if not any(item.get("kind") in objects.SCALED_KINDS for item in items):
        return known
    try:
        return known + cluster.list(API_VERSION, AUTOSCALER[1], namespace)
    except (Forbidden, UnknownKind):
        return known


def scaler_of(item: Manifest, autoscalers: Iterable[Manifest]) -> Manifest | None:
    """The autoscaler that decides how many replicas this workload has."""
    for autoscaler in autoscalers:
        target = objects.mapping(objects.mapping(autoscaler.get("spec")).get("scaleTargetRef"))
        group = str(target.get("apiVersion") or item.get("apiVersion") or "").rpartition("/")[0]
        if (group, str(target.get("kind")), str(target.get("name"))) == objects.identity(item):
            return autoscaler
    return None


def without_replicas(item: dict[str, Any]) -> dict[str, Any]:
    """A copy that leaves the number of replicas open."""
    spec = {name: value for name, value in objects.mapping(item.get("spec")).items() if name != "replicas"}
    return {**item, "spec": spec}


def left_alone(item: Manifest, live: Manifest | None, autoscalers: Iterable[Manifest]) -> tuple[Manifest, str]:
    """The object as it has to be applied now, and what to say about its replicas (mostly nothing).

    An apply that leaves out a field which nobody else owns removes it, and the server fills in its default: so replicas
    that we set earlier stay in the apply, with the number that the cluster has now.
    """
    if item.get("kind") not in objects.SCALED_KINDS:
        return item, ""
    scaler = scaler_of(item, autoscalers)
    said = ""
    if scaler is not None:
        item = without_replicas(dict(item))
        said = f"replicas are left to {objects.title(scaler)}"
    spec = objects.mapping(item.get("spec"))
    if live is None or "replicas" in spec or not _is_ours(live):
        return item, said
    kept = copy.deepcopy(dict(item))
    kept.setdefault("spec", {})["replicas"] = (live.get("spec") or {}).get("replicas", 1)
    return kept, said or f"replicas stay at {kept['spec']['replicas']}"


def first_size(cluster: Cluster, item: Manifest, autoscaler: Manifest, namespace: str) -> int:
    """With how many replicas a workload begins that an autoscaler will scale: what its predecessor has by now.

    It would otherwise begin with one, and be called ready, and get all the traffic, before the autoscaler looked at it.
    """
    spec = objects.mapping(autoscaler.get("spec"))
    sizes = [_number(spec.get("minReplicas"))]
    if objects.annotation(item, objects.VARIANT_OF):
        found = cluster.list(str(item["apiVersion"]), str(item["kind"]), namespace)
        variants = [each for each in found if objects.base_name(each) == objects.base_name(item)]
        sizes += [_number(objects.mapping(each.get("spec")).get("replicas")) for each in variants]
    return min(max(sizes), max(_number(spec.get("maxReplicas")), sizes[0]))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 1


def _is_ours(live: Manifest) -> bool:
    """Whether our field manager owns the number of replicas."""
    for entry in objects.metadata(live).get("managedFields") or []:
        ours = entry.get("manager") == objects.MANAGER and entry.get("operation") == "Apply"
        fields: Mapping[str, Any] = entry.get("fieldsV1") or {}
        if ours and not entry.get("subresource") and "f:replicas" in (fields.get("f:spec") or {}):
            return True
    return False
