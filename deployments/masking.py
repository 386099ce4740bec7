"""Rendered objects as people may see them: what a Secret holds stays hidden. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

HIDDEN = "•••"
SECRET_FIELDS = ("data", "stringData")
# kubectl keeps the whole object there, data included.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
OUR_MARKS = "releasemgr.dev/"
# As people write objects; the database keeps them in an order of its own.
FIRST = ("apiVersion", "kind", "metadata", "name", "namespace", "image")


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
    annotations = _annotations(shown)
    return _annotated(shown, annotations | {LAST_APPLIED: HIDDEN}) if LAST_APPLIED in annotations else shown


def _annotations(item: Mapping[str, Any]) -> dict[str, Any]:
    metadata = item.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return dict(found) if isinstance(found, Mapping) else {}


def _annotated(item: Mapping[str, Any], annotations: Mapping[str, Any]) -> dict[str, Any]:
    """`item` has annotations already: only they are replaced, or left out when there are none left."""
    metadata = {**item["metadata"], "annotations": dict(annotations)}
    if not annotations:
        del metadata["annotations"]
    return {**item, "metadata": metadata}


def without_our_marks(manifests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """As written: without the annotations that differ between any two deployments."""
    return [
        _annotated(item, {name: value for name, value in found.items() if not name.startswith(OUR_MARKS)})
        if (found := _annotations(item))
        else dict(item)
        for item in manifests
    ]


def as_yaml(manifests: Sequence[Mapping[str, Any]]) -> str:
    return str(yaml.safe_dump_all(_in_order(list(manifests)), sort_keys=False, allow_unicode=True, width=120))


def _in_order(value: Any) -> Any:
    if isinstance(value, Mapping):
        rank = {name: place for place, name in enumerate(FIRST)}
        names = sorted(value, key=lambda name: (rank.get(name, len(rank)), str(name)))
        return {name: _in_order(value[name]) for name in names}
    return [_in_order(each) for each in value] if isinstance(value, list) else value
