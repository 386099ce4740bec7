"""Blue/green: the release comes up as a second workload beside the one that runs, then the Services change over.

`web` becomes `web-<sequence>`, told apart by a label that only its pods carry and that the Services select by. The
names are drawn once, when the deployment starts, so nothing has to remember which of two colours is live: a rollback
brings back the stored objects of the deployment before, under their own names (decision 0009).
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from deployments.targets.base import Failed, InvalidContent, Manifest, StepResult, Succeeded, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying import apply
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wording import listed

SHAPED_KINDS = frozenset({"Deployment", "StatefulSet"})
# A StatefulSet's name and its revision's hash share a label of 63 characters.
LONGEST_NAMES: Mapping[str, int] = {"Deployment": 63, "StatefulSet": 52}
# How an autoscaler names the workload that it scales (HorizontalPodAutoscaler, VerticalPodAutoscaler, ScaledObject).
PREVIEW = "-preview"
SCALER = "HorizontalPodAutoscaler"
REFERENCES = ("scaleTargetRef", "targetRef")


def shaped(items: Sequence[Manifest], sequence: int) -> tuple[Manifest, ...]:
    """The objects with each Deployment and StatefulSet, and what scales it, under a name of its own. Pure.

    Services that select their pods get the variant's label: they are applied as they are here in the switch (see
    `before_switch`). Raises InvalidContent when a name gets too long.
    """
    variant = str(sequence)
    workloads = {(str(item["kind"]), objects.name_of(item)): item for item in items if is_shaped(item)}
    problems = [problem for item in workloads.values() if (problem := _name_problem(item, variant))]
    if problems:
        raise InvalidContent(problems)
    labels = [objects.template_labels(item) for item in workloads.values()]
    return tuple(_shape(item, variant, workloads, labels) for item in items)


def with_previews(items: Sequence[Manifest]) -> tuple[Manifest, ...]:
    """The shaped objects and, after each Service, one by which its new pods are reached before the switch. Pure."""
    names = {objects.name_of(item) for item in items if objects.service_selector(item)}
    taken = [name for name in sorted(names) if f"{name}{PREVIEW}" in names]
    if taken:
        raise InvalidContent([f"The release holds a Service {taken[0]}{PREVIEW}: give it another name, or no preview."])
    made: list[Manifest] = []
    for item in items:
        made.append(item)
        if objects.VARIANT in objects.service_selector(item):
            made.append(_preview(item))
    return tuple(made)


def reference(item: Manifest, field: str = REFERENCES[0]) -> tuple[str, str]:
    """Kind and name of the workload that an object scales; empty texts for others."""
    spec = item.get("spec")
    found = spec.get(field) if isinstance(spec, Mapping) else None
    return (str(found.get("kind")), str(found.get("name"))) if isinstance(found, Mapping) else ("", "")


def is_shaped(item: Manifest) -> bool:
    return item.get("kind") in SHAPED_KINDS and objects.group_of(item) == "apps"


def held_services(items: Sequence[Manifest]) -> list[Manifest]:
    """The Services that point at one variant."""
    return [
        item for item in items
        if objects.VARIANT in objects.service_selector(item) and objects.labels(item).get(objects.TRACK) != "preview"
    ]  # fmt: skip


def before_switch(cluster: Cluster, work: Work) -> Work:
    """The work without the Services that already send traffic somewhere: they stay as they are until the switch."""
    held = {
        objects.name_of(item)
        for item in held_services(work.objects)
        if cluster.get("v1", "Service", work.namespace, objects.name_of(item)) is not None
    }
    kept = [item for item in work.objects if not (objects.service_selector(item) and objects.name_of(item) in held)]
    return replace(work, objects=tuple(kept))


def switch(cluster: Cluster, work: Work) -> StepResult:
    """Point every Service at this deployment's pods. Fenced and idempotent, as every apply."""
    services = held_services(work.objects)
    if not services:
        return Succeeded("No Service of this release selects its workloads, so there is no traffic to switch.")
    result = apply.apply_objects(cluster, replace(work, objects=tuple(services)))
    if not isinstance(result, Succeeded):
        return result
    names = [objects.name_of(item) for item in work.objects if objects.VARIANT_OF in _annotations(item)]
    told = f"{listed(objects.title(item) for item in services)} now {'sends' if len(services) == 1 else 'send'} to"
    return Succeeded(f"{told} {listed(dict.fromkeys(names))}.", log=result.log)


def not_switched(cluster: Cluster, work: Work) -> Failed | None:
    """Why the variants before must stay: a Service that does not point at this deployment's. None when all do."""
    for item in held_services(work.objects):
        live = cluster.get("v1", "Service", work.namespace, objects.name_of(item))
        if live is None or dict(objects.service_selector(live)) != dict(objects.service_selector(item)):
            return Failed(f"{objects.title(item)} does not send to this deployment's pods, so nothing was removed.")
    return None


def _shape(
    item: Manifest,
    variant: str,
    workloads: Mapping[tuple[str, str], Manifest],
    pod_labels: Sequence[Mapping[str, Any]],
) -> Manifest:
    if (str(item["kind"]), objects.name_of(item)) in workloads and is_shaped(item):
        return _variant(item, variant)
    field = next((name for name in REFERENCES if reference(item, name) in workloads), None)
    if field is not None:
        # One per variant, for each needs its scale; other kinds than the built-in one follow the newest.
        made = _renamed(item, variant) if item["kind"] == SCALER else copy.deepcopy(dict(item))
        made["spec"][field]["name"] += f"-{variant}"
        return made
    selector = objects.service_selector(item)
    if selector and any(selector.items() <= labels.items() for labels in pod_labels):
        made = copy.deepcopy(dict(item))
        made["spec"]["selector"][objects.VARIANT] = variant
        return made
    return item


def _variant(item: Manifest, variant: str) -> dict[str, Any]:
    made = _renamed(item, variant)
    spec = made["spec"]
    spec.setdefault("selector", {}).setdefault("matchLabels", {})[objects.VARIANT] = variant
    spec["template"].setdefault("metadata", {}).setdefault("labels", {})[objects.VARIANT] = variant
    return made


def _preview(service: Manifest) -> dict[str, Any]:
    made = objects.inner_service(service)
    made["metadata"]["name"] += PREVIEW
    made["metadata"]["labels"][objects.TRACK] = "preview"
    return made


def _renamed(item: Manifest, variant: str) -> dict[str, Any]:
    made = copy.deepcopy(dict(item))
    meta = made["metadata"]
    meta["annotations"] = {**(meta.get("annotations") or {}), objects.VARIANT_OF: meta["name"]}
    meta["labels"] = {**(meta.get("labels") or {}), objects.VARIANT: variant}
    meta["name"] = f"{meta['name']}-{variant}"
    return made


def _name_problem(item: Manifest, variant: str) -> str:
    longest = LONGEST_NAMES[str(item["kind"])] - len(variant) - 1
    if len(objects.name_of(item)) <= longest:
        return ""
    return f"{objects.title(item)}: the name is too long for blue/green, which adds a number; at most {longest}."


def _annotations(item: Manifest) -> Mapping[str, Any]:
    return objects.metadata(item).get("annotations") or {}
