"""Rendered objects as YAML for people. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from releases.masking import annotated, annotations, masked

__all__ = ["as_yaml", "masked", "without_our_marks"]

OUR_MARKS = "releasemgr.dev/"
# As people write objects; the database keeps them in an order of its own.
FIRST = ("apiVersion", "kind", "metadata", "name", "namespace", "image")


def without_our_marks(manifests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """As written: without the annotations that differ between any two deployments."""
    return [
        annotated(item, {name: value for name, value in found.items() if not name.startswith(OUR_MARKS)})
        if (found := annotations(item))
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
