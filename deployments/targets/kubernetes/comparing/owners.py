"""Which field manager owns a field of a live object, by its `managedFields`. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.comparing.differences import DEFAULT_PROTOCOL
from deployments.targets.kubernetes.comparing.fieldnames import Item, Step
from deployments.targets.kubernetes.strategies.traffic import TRAFFIC_MANAGER
from deployments.targets.kubernetes.wire.cluster import FIELD_MANAGER
from deployments.targets.kubernetes.wording import clean

# What steers the traffic of a progressive rollout is written under a name of its own.
OUR_MANAGERS = frozenset({FIELD_MANAGER, TRAFFIC_MANAGER})
# They act for what people asked for: an autoscaler's replicas are no drift.
CONTROLLERS = frozenset({"kube-controller-manager", "kube-scheduler", "kubelet", "cloud-controller-manager"})
NAME_LENGTH = 128


@dataclass(frozen=True, slots=True)
class Owner:
    """`at` is when the manager last changed what it owns of the object, to the second."""

    manager: str
    at: datetime | None
    fields: Mapping[str, Any]

    @property
    def is_us(self) -> bool:
        return self.manager in OUR_MANAGERS

    @property
    def is_controller(self) -> bool:
        return self.manager in CONTROLLERS

    def holds(self, steps: Sequence[Step]) -> bool:
        """Whether the field, all of it, something in it, or what encloses it as one value is this manager's."""
        node: Any = self.fields
        for place, step in enumerate(steps):
            if not node:
                # A leaf above: an atomic value is owned as a whole. The top itself says nothing.
                return place > 0
            node = _child(node, step)
            if node is None:
                return False
        return True


def owners(live: Mapping[str, Any]) -> list[Owner]:
    """Whoever wrote the object; not who wrote its status."""
    entries = objects.metadata(live).get("managedFields")
    return [_owner(entry) for entry in entries if _counts(entry)] if isinstance(entries, list) else []


def newest_of(found: Iterable[Owner]) -> Owner | None:
    return max(found, key=lambda owner: owner.at.timestamp() if owner.at else 0.0, default=None)


def _counts(entry: Any) -> bool:
    return (
        isinstance(entry, Mapping)
        and entry.get("subresource") != "status"
        and isinstance(entry.get("fieldsV1"), Mapping)
    )


def _owner(entry: Mapping[str, Any]) -> Owner:
    return Owner(clean(entry.get("manager"), limit=NAME_LENGTH), _moment(entry.get("time")), entry["fieldsV1"])


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _child(node: Mapping[str, Any], step: Step) -> Any:
    if not isinstance(step, Item):
        return node.get(f"f:{step}")
    for name, child in node.items():
        if name.startswith("k:") and _is_key_of(name[2:], step.value):
            return child
    return node.get(f"i:{step.index}")


def _is_key_of(text: str, item: Mapping[str, Any]) -> bool:
    try:
        key = json.loads(text)
    except ValueError:
        return False
    # The server fills in a port's protocol before it knows the item by it.
    return isinstance(key, Mapping) and all(
        item.get(name, DEFAULT_PROTOCOL if name == "protocol" else None) == value for name, value in key.items()
    )
