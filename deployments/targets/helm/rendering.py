"""From what Helm rendered to the objects exactly as Helm will apply them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from deployments.targets.base import InvalidContent, Manifest, Work
from deployments.targets.helm.archive import FROM_CRDS
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.rendering import render

HOOK = "helm.sh/hook"
# `helm test` is never run here, and its pods would have to be allowed for nothing.
TEST_HOOKS = frozenset({"test", "test-success", "test-failure"})
RELEASE_NAME, RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
MOST_OBJECTS = 500


def release_name(work: Work) -> str:
    return str((work.chart or {}).get("release_name") or work.application)


def problems_of(work: Work) -> list[str]:
    """What is wrong with the target's overrides, as far as it can be told without the chart."""
    values = work.overrides.get("values")
    return [] if values is None or isinstance(values, Mapping) else ["The target's values must be an object."]


def values_of(work: Work) -> dict[str, Any]:
    """The release's values with the target's over them, as Helm puts one file over another."""
    return merged(work.values, work.overrides.get("values") or {})


def merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Objects are merged, anything else is replaced; null stays, and takes the chart's default away."""
    result = dict(values)
    for name, value in over.items():
        before = result.get(name)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[name] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result


def objects_of(found: Mapping[str, Any], work: Work) -> tuple[Manifest, ...]:
    """The chart's objects with images, overrides and marks, judged by the guardrails. Raises InvalidContent."""
    rendered = _flat(found["objects"]) + [item for item in _flat(found["hooks"]) if not _is_test(item)]
    items = [*(_from_crds(item) for item in _flat(found["crds"])), *rendered]
    if not items:
        raise InvalidContent([f"The chart {found['name']} renders no objects with these values."])
    if len(items) > MOST_OBJECTS:
        raise InvalidContent([f"The chart renders {len(items)} objects; at most {MOST_OBJECTS} are taken."])
    kept = {name: value for name, value in work.overrides.items() if name != "values"}
    return _as_helm_marks(render.render(replace(work, manifests=items, overrides=kept)), work)


def stamp(work: Work) -> tuple[Manifest, ...]:
    """`work.objects` with the marks of this deployment. Raises InvalidContent."""
    return _as_helm_marks(render.stamp(work), work) if work.objects else ()


def is_hook(item: Manifest) -> bool:
    return bool(objects.annotation(item, HOOK))


def _as_helm_marks(items: Sequence[Manifest], work: Work) -> tuple[Manifest, ...]:
    """Helm writes these itself; so the objects that are stored and tried are the very ones."""
    return tuple(item if is_hook(item) else _owned(item, work) for item in items)


def _owned(item: Manifest, work: Work) -> Manifest:
    meta = dict(item["metadata"])
    meta["labels"] = {**meta["labels"], objects.MANAGED_BY: "Helm"}
    meta["annotations"] = meta["annotations"] | {RELEASE_NAME: release_name(work), RELEASE_NAMESPACE: work.namespace}
    return {**item, "metadata": meta}


def _from_crds(item: Mapping[str, Any]) -> dict[str, Any]:
    meta = dict(item.get("metadata") or {})
    return {**item, "metadata": {**meta, "annotations": {**(meta.get("annotations") or {}), FROM_CRDS: "true"}}}


def _is_test(item: Manifest) -> bool:
    return bool(TEST_HOOKS & {event.strip() for event in objects.annotation(item, HOOK).split(",")})


def _flat(items: Sequence[Any]) -> list[dict[str, Any]]:
    """Charts may write a List; its items are objects like any other."""
    found: list[dict[str, Any]] = []
    for item in items:
        if isinstance(item, Mapping) and item.get("kind") == "List" and isinstance(item.get("items"), list):
            found += _flat(item["items"])
        else:
            found.append(dict(item) if isinstance(item, Mapping) else {})
    return found
