"""Canary: a second, smaller Deployment of the release beside the one that runs, which stays as it is.

By replicas the canary's pods carry the labels of the others, so the same Service sends to both, in proportion to their
number. By a route they carry labels that no Service of the release selects, and get Services of their own, between
which the route splits. What runs is never touched before the last step: taking a canary away is all it takes to go
back.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from deployments.targets.base import Failed, InvalidContent, Manifest, StepResult, Succeeded, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying import apply, scaling
from deployments.targets.kubernetes.strategies import traffic
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.strategies import traffic_of

SUFFIX = "-canary"
# What pods may need to start. What is there already is changed by the apply only: the running pods use it, too.
NEEDED_KINDS = frozenset({"ConfigMap", "PersistentVolumeClaim", "Role", "RoleBinding", "Secret", "ServiceAccount"})
NOTHING_TO_COMPARE: Mapping[str, Any] = {"nothing_runs": True}

Observe = Callable[[Work], StepResult]


@dataclass(frozen=True, slots=True)
class Candidate:
    """The canary of a release: its Deployments, their Services, and which Service each of these stands beside."""

    deployments: tuple[Manifest, ...]
    services: tuple[Manifest, ...] = ()
    pairs: Mapping[str, str] | None = None


def check_names(items: Sequence[Manifest]) -> None:
    """Raises InvalidContent when the release itself holds what a canary would be called."""
    names = {(item.get("kind"), objects.name_of(item)) for item in items}
    taken = [item for item in items if (item.get("kind"), objects.name_of(item) + SUFFIX) in names]
    if taken:
        told = f"{objects.title(taken[0])}{SUFFIX}"
        raise InvalidContent([f"The release holds {told}, which is the name of a canary. Give it another name."])


def shift(cluster: Cluster, work: Work, percent: int, observe: Observe) -> StepResult:
    """Bring the canary to its size for `percent`, wait for its pods, then give it the traffic.

    Succeeded with NOTHING_TO_COMPARE as checkpoint where no earlier release runs.
    """
    sizes = _sizes(cluster, work)
    if not any(sizes.values()):
        return Succeeded("No earlier release runs here, so there is nothing to compare with.", NOTHING_TO_COMPARE)
    candidate = candidate_of(work, percent, sizes)
    if not candidate.deployments:
        return Failed("No Service of this release selects its Deployments, so no route can split their traffic.")
    brought = apply.apply_objects(cluster, replace(work, objects=_brought(cluster, work, candidate)))
    if not isinstance(brought, Succeeded):
        return brought
    told = tuple(line for line in brought.log if not line.endswith(": unchanged"))
    seen = observe(replace(work, objects=candidate.deployments))
    if not isinstance(seen, Succeeded):
        return replace(seen, log=(*told, *seen.log))
    if candidate.pairs is None:
        return replace(seen, log=(*told, *seen.log))
    routed = traffic.split(cluster, work, candidate.pairs, percent)
    return replace(routed, log=(*told, *seen.log, *routed.log))


def candidate_of(work: Work, percent: int, sizes: Mapping[str, int]) -> Candidate:
    """The canary's objects. `sizes` are the replicas of the Deployments that run, by name. Pure."""
    deployments = [item for item in work.objects if sizes.get(objects.name_of(item)) and _is_deployment(item)]
    if traffic_of(work.strategy).by == "replicas":
        return Candidate(tuple(_deployment(item, _size(item, percent, work, sizes), {}) for item in deployments))
    services = [
        item for item in work.objects
        if objects.service_selector(item) and any(_selects(item, each) for each in deployments)
    ]  # fmt: skip
    changed = {
        name: {key: _other(value) for item in services if _selects(item, each)
               for key, value in objects.service_selector(item).items()}
        for each in deployments if (name := objects.name_of(each))
    }  # fmt: skip
    return Candidate(
        tuple(
            _deployment(item, _size(item, percent, work, sizes), labels)
            for item in deployments if (labels := changed[objects.name_of(item)])
        ),
        tuple(_service(item, _route_of(work)) for item in services),
        {objects.name_of(item): objects.name_of(item) + SUFFIX for item in services},
    )  # fmt: skip


def _sizes(cluster: Cluster, work: Work) -> dict[str, int]:
    found = {}
    for item in filter(_is_deployment, work.objects):
        live = cluster.get(str(item["apiVersion"]), "Deployment", work.namespace, objects.name_of(item))
        replicas = ((live or {}).get("spec") or {}).get("replicas", 1)
        found[objects.name_of(item)] = int(replicas) if live is not None else 0
    return found


def _brought(cluster: Cluster, work: Work, candidate: Candidate) -> tuple[Manifest, ...]:
    missing = [
        item for item in work.objects
        if item.get("kind") in NEEDED_KINDS
        and cluster.get(str(item["apiVersion"]), str(item["kind"]), work.namespace, objects.name_of(item)) is None
    ]  # fmt: skip
    return (*missing, *candidate.services, *candidate.deployments)


def _size(item: Manifest, percent: int, work: Work, sizes: Mapping[str, int]) -> int:
    """Of the replicas that the release asks for; where an autoscaler decides, of those that run."""
    autoscalers = [each for each in work.objects if objects.group_kind(each) == scaling.AUTOSCALER]
    wanted = None if scaling.scaler_of(item, autoscalers) else (item.get("spec") or {}).get("replicas")
    return max(1, ceil(percent * (sizes[objects.name_of(item)] if wanted is None else int(wanted)) / 100))


def _deployment(item: Manifest, replicas: int, changed: Mapping[str, str]) -> dict[str, Any]:
    made = _renamed(item)
    spec = made["spec"]
    spec["replicas"] = replicas
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    matched = spec.setdefault("selector", {}).setdefault("matchLabels", {})
    matched |= {key: value for key, value in changed.items() if key in matched}
    matched[objects.TRACK] = "canary"
    labels |= {**changed, objects.TRACK: "canary"}
    return made


def _service(item: Manifest, route: str) -> dict[str, Any]:
    made = _renamed(objects.inner_service(item))
    made["spec"]["selector"] = {key: _other(value) for key, value in made["spec"]["selector"].items()}
    made["metadata"]["annotations"] |= {traffic.ROUTE: route} if route else {}
    return made


def _route_of(work: Work) -> str:
    """The HTTPRoute that has to be put back afterwards; empty by nginx, whose clusters may not even serve that kind."""
    split = traffic_of(work.strategy)
    return split.name if split.by == "gateway" else ""


def _renamed(item: Manifest) -> dict[str, Any]:
    made = copy.deepcopy(dict(item))
    meta = made["metadata"]
    meta["name"] = objects.name_of(item) + SUFFIX
    meta["labels"] = {**(meta.get("labels") or {}), objects.TRACK: "canary"}
    return made


def _other(value: Any) -> str:
    # A label's value has at most 63 characters.
    return f"{str(value)[: 63 - len(SUFFIX)]}{SUFFIX}"


def _selects(service: Manifest, deployment: Manifest) -> bool:
    return objects.service_selector(service).items() <= objects.template_labels(deployment).items()


def _is_deployment(item: Manifest) -> bool:
    return item.get("kind") == "Deployment" and objects.group_of(item) == "apps"
