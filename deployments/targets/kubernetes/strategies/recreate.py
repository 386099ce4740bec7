"""Recreate: the old pods go before the first new one starts."""

import copy
from collections.abc import Sequence
from typing import Any

from deployments.targets.base import Manifest


def shaped(items: Sequence[Manifest]) -> tuple[Manifest, ...]:
    """The objects with every Deployment set to Recreate. Pure. Other kinds know no such update."""
    return tuple(_shape(item) if _is_deployment(item) else item for item in items)


def first(item: Manifest, live: Manifest | None) -> dict[str, Any] | None:
    """What must be applied before `item` where the live Deployment still rolls; None when nothing must.

    The API server fills in `rollingUpdate` and then refuses it beside Recreate, and an apply removes only fields that
    its manager owns. So the first apply takes those very values as ours, paused so that no pod moves, and the second
    one, which leaves them out, removes them.
    """
    rolling = _strategy(live).get("rollingUpdate") if live is not None else None
    if not is_recreated(item) or rolling is None:
        return None
    made = copy.deepcopy(dict(item))
    made["spec"] |= {"strategy": {"type": "RollingUpdate", "rollingUpdate": dict(rolling)}, "paused": True}
    return made


def finished(after: Manifest) -> dict[str, Any]:
    """What the second apply makes of an object that the first one left as `first` says. Pure."""
    spec = {name: value for name, value in after["spec"].items() if name != "paused"}
    return {**after, "spec": spec | {"strategy": {"type": "Recreate"}}}


def is_recreated(item: Manifest) -> bool:
    return _is_deployment(item) and _strategy(item).get("type") == "Recreate"


def _shape(item: Manifest) -> dict[str, Any]:
    made = copy.deepcopy(dict(item))
    made["spec"]["strategy"] = {"type": "Recreate"}
    return made


def _is_deployment(item: Manifest) -> bool:
    return item.get("kind") == "Deployment" and str(item.get("apiVersion")).startswith("apps/")


def _strategy(item: Manifest) -> dict[str, Any]:
    return dict((item.get("spec") or {}).get("strategy") or {})
