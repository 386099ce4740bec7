"""Whether an answer is about what was asked. What a proxy or a cache mixed up proves nothing. Pure."""

from collections.abc import Mapping
from typing import Any

from deployments.targets.base import Manifest
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.wire.errors import Unavailable


def the_object(answer: dict[str, Any], wanted: Manifest, server: str) -> dict[str, Any]:
    """The answer, if it is the object of that kind, name and (where it is told) namespace. Raises Unavailable."""
    told, asked = answer.get("metadata"), objects.metadata(wanted)
    is_it = (
        isinstance(told, Mapping)
        and answer.get("kind") == wanted["kind"]
        and told.get("name") == asked.get("name")
        and told.get("namespace", "") in ("", asked.get("namespace") or told.get("namespace", ""))
    )
    if not is_it:
        raise Unavailable(f"Asked for {objects.title(wanted)}, {server} answered with something else.")
    return answer


def the_items(answer: Mapping[str, Any], api_version: str, kind: str, server: str) -> list[dict[str, Any]]:
    """The objects of a list, each with its kind: those of a typed list come without. Raises Unavailable."""
    items = answer.get("items") or []
    is_list = str(answer.get("kind")).endswith("List") and isinstance(items, list)
    if not is_list or not all(isinstance(item, dict) for item in items):
        raise Unavailable(f"Asked for a list of {kind} objects, {server} answered with something else.")
    return [{"kind": kind, "apiVersion": api_version} | item for item in items]
