"""What a person wants to see after a failed rollout, saved before anything is rolled back.

Never the objects themselves: pod specs hold env values, and Secrets hold secrets. Only the fields named here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.wire import logs
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import ClusterError, Unavailable
from deployments.targets.kubernetes.wording import clean

MOST_PODS = 5
MOST_LOGS = 4
MOST_EVENTS = 25


def collect(
    cluster: Cluster, namespace: str, live: Mapping[str, Any], pods: Sequence[Mapping[str, Any]], events: Sequence[Any]
) -> dict[str, Any]:
    """JSON-ready: the workload's conditions, its troubled pods with states and log tails, and recent events."""
    troubled = [pod for pod in pods if objects.condition(pod, "Ready").get("status") != "True"][:MOST_PODS]
    names = {objects.name_of(live), *(objects.name_of(pod) for pod in troubled)}
    names |= {str(objects.owner(pod).get("name")) for pod in troubled}
    told = [_pod(pod) for pod in troubled]
    _add_logs(cluster, namespace, told)
    return {
        "workload": {"kind": str(live.get("kind", "")), "name": objects.name_of(live), "conditions": _conditions(live)},
        "pods": told,
        "events": [_event(e) for e in events if _is_about(e, names, objects.name_of(live))][-MOST_EVENTS:],
    }


def _is_about(event: Mapping[str, Any], names: set[str], workload: str) -> bool:
    """A ReplicaSet that can't create any pod is found by its name only: the workload's and a hash."""
    about = event.get("involvedObject") or {}
    name = str(about.get("name", ""))
    is_replica_set = about.get("kind") == "ReplicaSet" and name.rpartition("-")[0] == workload
    return name in names or is_replica_set


def recent_events(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    """The namespace's warning events, oldest first; empty when they can't be read, for they only add detail."""
    try:
        found = cluster.list("v1", "Event", namespace, fields="type=Warning")
    except ClusterError:
        return []
    return sorted(found, key=seen_at)


def _pod(pod: Mapping[str, Any]) -> dict[str, Any]:
    status = pod.get("status") or {}
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return {
        "name": objects.name_of(pod),
        "phase": clean(status.get("phase"), limit=40),
        "node": clean((pod.get("spec") or {}).get("nodeName"), limit=120),
        "conditions": _conditions(pod),
        "containers": [_container(found) for found in containers],
    }


def _container(status: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": clean(status.get("name"), limit=63),
        "image": clean(status.get("image"), limit=300),
        "ready": bool(status.get("ready")),
        "restarts": int(status.get("restartCount") or 0),
        "state": _state(status.get("state")),
        "last_state": _state(status.get("lastState")),
    }


def _state(state: Any) -> dict[str, Any]:
    for name, told in (state or {}).items():
        fields = {
            key: clean(told.get(key)) for key in ("reason", "message", "startedAt", "finishedAt") if told.get(key)
        }
        code = {"exit_code": told["exitCode"]} if "exitCode" in told else {}
        return {"state": clean(name, limit=20), **fields, **code}
    return {}


def _conditions(item: Mapping[str, Any]) -> list[dict[str, str]]:
    fields = ("type", "status", "reason", "message", "lastTransitionTime")
    found = (item.get("status") or {}).get("conditions") or []
    return [{name: clean(entry.get(name)) for name in fields if entry.get(name)} for entry in found]


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    about = event.get("involvedObject") or {}
    return {
        "at": seen_at(event),
        "reason": clean(event.get("reason"), limit=60),
        "about": clean(f"{about.get('kind', '')} {about.get('name', '')}", limit=300),
        "message": clean(event.get("message")),
        "count": int(event.get("count") or (event.get("series") or {}).get("count") or 1),
    }


def seen_at(event: Mapping[str, Any]) -> str:
    created = objects.metadata(event).get("creationTimestamp")
    seen = (event.get("series") or {}).get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return clean(seen or created, limit=40)


def _add_logs(cluster: Cluster, namespace: str, pods: list[dict[str, Any]]) -> None:
    failing = [(pod["name"], container) for pod in pods for container in pod["containers"] if _has_log(container)]
    for pod, container in failing[:MOST_LOGS]:
        # While it waits for its restart, the run that tells something is the one before.
        previous = container["state"].get("state") == "waiting"
        try:
            container["log"] = list(logs.tail(cluster, namespace, pod, container["name"], previous=previous))
        except ClusterError as error:
            container["log"] = [f"[{error}]"]
            if isinstance(error, Unavailable):
                # The next one would only wait as long.
                return


def _has_log(container: Mapping[str, Any]) -> bool:
    never_ran = container["state"].get("state") == "waiting" and not container["restarts"]
    return not container["ready"] and not never_ran
