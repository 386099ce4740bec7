"""Whether an object has the shape that rendering relies on. Pure. Everything beyond is the API server's to judge."""

from collections.abc import Iterator, Mapping
from typing import Any

from deployments.targets.base import Manifest
from deployments.targets.kubernetes import objects


def shape_problems(item: Manifest) -> list[str]:
    """Half sentences about an object that has kind, apiVersion and metadata; empty when all is well."""
    found = [
        f"metadata.{name} must be an object"
        for name in ("labels", "annotations")
        if not _is_mapping(objects.metadata(item).get(name))
    ]
    path = objects.POD_SPEC_PATHS.get(objects.group_kind(item))
    if path is None:
        return found if _is_mapping(item.get("spec")) or not _is_read(item) else [*found, "spec must be an object"]
    inner: Any = item
    for number, step in enumerate(path, start=1):
        inner = inner.get(step)
        if inner is None:
            return found
        if not isinstance(inner, Mapping):
            return [*found, f"{'.'.join(path[:number])} must be an object"]
    return [*found, *_pod_problems(inner, ".".join(path))]


def _pod_problems(spec: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in ("initContainers", "containers"):
        listed = spec.get(name)
        if listed is None:
            continue
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            yield f"{path}.{name} must be a list of objects"
            continue
        for container in listed:
            yield from _container_problems(container, f"{path}.{name}")


def _container_problems(container: Mapping[str, Any], path: str) -> Iterator[str]:
    if not isinstance(container.get("name"), str):
        yield f"{path} needs a name for each container"
    if not isinstance(container.get("image", ""), str):
        yield f"{path} needs a reference for each image"
    env = container.get("env")
    if env is not None and not (isinstance(env, list) and all(isinstance(each, Mapping) for each in env)):
        yield f"{path}.env must be a list of objects"


def _is_mapping(value: Any) -> bool:
    return value is None or isinstance(value, Mapping)


def _is_read(item: Manifest) -> bool:
    """Whether anybody but the API server reads what is in its spec."""
    return objects.group_of(item) in ("", "autoscaling", objects.DEFINITION[0])
