"""From a release's manifests to the objects exactly as they will be applied. Pure: no network, inputs untouched."""

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from deployments.targets.base import InvalidContent, Manifest, Work
from deployments.targets.kubernetes import objects, overrides

_PATH_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,252}")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

# What the API server fills in: left over when a manifest was copied from a cluster, and refused in an apply.
SERVER_FIELDS = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

APPLY_ORDER = {
    "ResourceQuota": 0,
    "LimitRange": 0,
    "ServiceAccount": 1,
    "Role": 2,
    "RoleBinding": 3,
    "ConfigMap": 4,
    "Secret": 4,
    "PersistentVolumeClaim": 5,
    "Service": 6,
}
WORKLOAD_ORDER, REST_ORDER = 7, 8


def render(work: Work) -> tuple[Manifest, ...]:
    """The objects in the order in which they are applied. Raises InvalidContent with every problem found."""
    problems = _namespace_problems(work.namespace)
    rendered: list[dict[str, Any]] = []
    for number, manifest in enumerate(work.manifests, start=1):
        found = _problems(manifest, number, work.namespace)
        problems += found
        if not found:
            rendered.append(_prepare(manifest, work))
    if not work.manifests:
        problems.append("The release holds no manifests, and this target is made from manifests.")
    problems += _duplicates(rendered)
    problems += _set_images(rendered, work.images)
    problems += overrides.apply_overrides(rendered, work.overrides)
    if problems:
        raise InvalidContent(problems)
    return tuple(sorted(rendered, key=_order))


def stamp(work: Work) -> tuple[Manifest, ...]:
    """`work.objects` with the marks of this deployment; everything else stays as it was rendered."""
    return tuple(_prepare(item, work) for item in work.objects)


def _namespace_problems(namespace: str) -> list[str]:
    if _NAMESPACE.fullmatch(namespace):
        return []
    return [f"“{namespace[:63]}” is no namespace name. Change it on the target."]


def _problems(manifest: Manifest, number: int, namespace: str) -> list[str]:
    if not isinstance(manifest, Mapping) or not isinstance(manifest.get("metadata"), Mapping):
        return [f"Document {number} is no Kubernetes object: it needs apiVersion, kind and metadata.name."]
    kind, api_version = manifest.get("kind"), manifest.get("apiVersion")
    name = manifest["metadata"].get("name")
    if not (isinstance(kind, str) and kind and isinstance(api_version, str) and api_version):
        return [f"Document {number} is no Kubernetes object: it needs apiVersion, kind and metadata.name."]
    if kind.endswith("List") and "items" in manifest:
        return [f"Document {number} is a {kind}. Write its items as documents of their own."]
    if not isinstance(name, str) or not _PATH_SEGMENT.fullmatch(name):
        return [f"Document {number} ({kind}) needs a valid metadata.name; generateName is not supported."]
    if kind in objects.CLUSTER_SCOPED_KINDS:
        return [f"{kind} {name} belongs to the whole cluster, not to a namespace. An operator has to make it."]
    return _scope_problems(manifest, namespace)


def _scope_problems(manifest: Manifest, namespace: str) -> list[str]:
    problems = []
    named = manifest["metadata"].get("namespace")
    title = objects.title(manifest)
    if named and named != namespace:
        problems.append(
            f"{title} names the namespace “{str(named)[:63]}”, but this target is “{namespace}”. "
            "Leave metadata.namespace out."
        )
    is_workload = (objects.group_of(manifest), str(manifest.get("kind"))) in objects.POD_SPEC_PATHS
    if is_workload and not objects.containers(objects.pod_spec(manifest)):
        problems.append(f"{title} has no containers.")
    return problems


def _prepare(manifest: Manifest, work: Work) -> dict[str, Any]:
    item = copy.deepcopy(dict(manifest))
    item.pop("status", None)
    meta = {key: value for key, value in item["metadata"].items() if key not in SERVER_FIELDS}
    annotations = dict(meta.get("annotations") or {})
    annotations.pop(LAST_APPLIED, None)
    # On the object only, never on its pod template: a changed template would be a new ReplicaSet, and a rollback
    # could not use the old one again.
    meta["namespace"] = work.namespace
    meta["labels"] = {**(meta.get("labels") or {}), objects.MANAGED_BY: objects.MANAGER}
    meta["annotations"] = annotations | {
        objects.DEPLOYMENT: work.deployment_id,
        objects.SEQUENCE: str(work.sequence),
        objects.RELEASE: f"{work.application} {work.version}",
        objects.TARGET: work.target_id,
    }
    item["metadata"] = meta
    return item


def _duplicates(rendered: Sequence[Manifest]) -> list[str]:
    seen: set[tuple[str, str, str]] = set()
    problems = []
    for item in rendered:
        key = (objects.group_of(item), str(item["kind"]), objects.name_of(item))
        if key in seen:
            problems.append(f"{objects.title(item)} is in the release twice. Keep one of them.")
        seen.add(key)
    return problems


def _set_images(rendered: Sequence[dict[str, Any]], images: Mapping[str, str]) -> list[str]:
    used = set()
    problems = []
    for item in rendered:
        for container in objects.containers(objects.pod_spec(item)):
            name = str(container.get("name", ""))
            if name in images:
                container["image"] = images[name]
                used.add(name)
            elif not container.get("image"):
                problems.append(
                    f"{objects.title(item)}: container “{name[:63]}” has no image, and the release names none."
                )
    unused = sorted(set(images) - used)
    if unused:
        problems.append(
            f"No workload has a container named {', '.join(f'“{name[:63]}”' for name in unused)}, "
            "so the release's image for it would go nowhere."
        )
    return problems


def _order(item: Manifest) -> int:
    kind = str(item["kind"])
    if (objects.group_of(item), kind) in objects.POD_SPEC_PATHS:
        return WORKLOAD_ORDER
    return APPLY_ORDER.get(kind, REST_ORDER)
