"""Rendered objects as people may see them: what a Secret holds stays hidden. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

HIDDEN = "•••"
SECRET_FIELDS = ("data", "stringData")
# kubectl keeps the whole object there, data included.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
OUR_MARKS = ("releasemgr.dev/deployment", "releasemgr.dev/sequence", "releasemgr.dev/release")


def masked(manifests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Copies with every value of a Secret replaced; its keys stay, so that a missing one can be seen."""
    return [_masked(item) for item in manifests]


def _masked(item: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(item)
    if isinstance(item.get("items"), list):
        shown["items"] = [_masked(each) if isinstance(each, Mapping) else HIDDEN for each in item["items"]]
    if str(item.get("kind", "")).lower() == "secret":
        for name in SECRET_FIELDS:
            if shown.get(name):
                shown[name] = dict.fromkeys(shown[name], HIDDEN) if isinstance(shown[name], Mapping) else HIDDEN
    return _with_annotations(shown, {LAST_APPLIED: HIDDEN})


def _with_annotations(item: dict[str, Any], replaced: Mapping[str, str | None]) -> dict[str, Any]:
    """Replace annotations that are there; None takes them out."""
    metadata = item.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    if not isinstance(annotations, Mapping) or not isinstance(metadata, Mapping):
        return item
    kept = {name: replaced.get(name, value) for name, value in annotations.items()}
    return item | {"metadata": {**metadata, "annotations": {k: v for k, v in kept.items() if v is not None}}}


def without_our_marks(manifests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """As written: without the annotations that differ between any two deployments."""
    return [_with_annotations(dict(item), dict.fromkeys(OUR_MARKS)) for item in manifests]


def as_yaml(manifests: Sequence[Mapping[str, Any]]) -> str:
    return str(yaml.safe_dump_all(manifests, sort_keys=False, allow_unicode=True, width=120))
