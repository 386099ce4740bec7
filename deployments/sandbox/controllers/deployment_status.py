"""A Deployment's status: counters and conditions, as the Deployment controller computes them."""

from collections.abc import Sequence

from deployments.sandbox.objects import Object, find_condition, name_of, seconds_since, timestamp, without_empty


def total(replica_sets: Sequence[Object], name: str) -> int:
    return sum(replica_set["status"].get(name, 0) for replica_set in replica_sets)


def wanted_total(replica_sets: Sequence[Object]) -> int:
    return sum(replica_set["spec"]["replicas"] for replica_set in replica_sets)


def resolve(value: int | str, replicas: int, *, round_up: bool) -> int:
    """`3` or `"25%"` of the replicas."""
    if isinstance(value, int):
        return value
    hundredths = int(value.rstrip("%")) * replicas
    return -(-hundredths // 100) if round_up else hundredths // 100


def limits(deployment: Object) -> tuple[int, int]:
    """(surge, unavailable) of a rolling update; never both zero. Recreate has neither."""
    spec = deployment["spec"]
    if spec["strategy"]["type"] == "Recreate":
        return 0, 0
    rolling, replicas = spec["strategy"]["rollingUpdate"], spec["replicas"]
    surge = resolve(rolling["maxSurge"], replicas, round_up=True)
    unavailable = min(resolve(rolling["maxUnavailable"], replicas, round_up=False), replicas)
    return (surge, 1) if not surge and not unavailable else (surge, unavailable)


def condition(kind: str, status: str, reason: str, message: str) -> Object:
    now = timestamp()
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }


def with_condition(conditions: Sequence[Object], new: Object) -> list[Object]:
    """A condition with the same status and reason is not news; one that changed goes to the end."""
    known = next((item for item in conditions if item["type"] == new["type"]), None)
    if known and (known["status"], known["reason"]) == (new["status"], new["reason"]):
        return list(conditions)
    if known and known["status"] == new["status"]:
        new = {**new, "lastTransitionTime": known["lastTransitionTime"]}
    return [*(item for item in conditions if item["type"] != new["type"]), new]


def is_complete(deployment: Object, status: Object) -> bool:
    replicas = deployment["spec"]["replicas"]
    counters = ("updatedReplicas", "replicas", "availableReplicas")
    return (
        all(status.get(name, 0) == replicas for name in counters)
        and status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    )


def deployment_status(deployment: Object, replica_sets: Sequence[Object], new: Object | None) -> Object:
    """The status after this sync; `new` is the ReplicaSet of the current template."""
    replicas = deployment["spec"]["replicas"]
    available = total(replica_sets, "availableReplicas")
    status: Object = {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": total(replica_sets, "replicas"),
        "updatedReplicas": total([new], "replicas") if new else 0,
        "readyReplicas": total(replica_sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted_total(replica_sets) - available),
        "terminatingReplicas": total(replica_sets, "terminatingReplicas"),
        "collisionCount": deployment["status"].get("collisionCount"),
    }
    conditions = with_condition(
        deployment["status"].get("conditions", ()), _availability(available >= replicas - limits(deployment)[1])
    )
    if deployment["spec"].get("paused"):
        status["conditions"] = conditions
    else:
        status["conditions"] = _progress(deployment, status, conditions, new)
    status["conditions"] = _failures(replica_sets, status["conditions"])
    return without_empty(status, keep=("terminatingReplicas",))


def _availability(enough: bool) -> Object:  # noqa: FBT001 - the one question this condition answers
    if enough:
        return condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    return condition(
        "Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
    )


def _progress(deployment: Object, status: Object, conditions: list[Object], new: Object | None) -> list[Object]:
    old = deployment["status"]
    current = find_condition(old, "Progressing")
    settled = current is not None and current["reason"] == "NewReplicaSetAvailable"
    if status["replicas"] == status["updatedReplicas"] and settled:
        return conditions
    subject = f'ReplicaSet "{name_of(new)}"' if new else f'Deployment "{name_of(deployment)}"'
    if is_complete(deployment, status):
        message = f"{subject} has successfully progressed."
        return with_condition(conditions, condition("Progressing", "True", "NewReplicaSetAvailable", message))
    if _has_progressed(old, status):
        fresh = condition("Progressing", "True", "ReplicaSetUpdated", f"{subject} is progressing.")
        if current and current["status"] == "True":
            fresh["lastTransitionTime"] = current["lastTransitionTime"]
        return [*(item for item in conditions if item["type"] != "Progressing"), fresh]
    if has_timed_out(deployment, current):
        message = f"{subject} has timed out progressing."
        return with_condition(conditions, condition("Progressing", "False", "ProgressDeadlineExceeded", message))
    return conditions


def _has_progressed(old: Object, new: Object) -> bool:
    def outdated(status: Object) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return outdated(new) < outdated(old) or any(new[name] > old.get(name, 0) for name in grown)


def has_timed_out(deployment: Object, progressing: Object | None) -> bool:
    if progressing is None or progressing["reason"] == "NewReplicaSetAvailable":
        return False
    if progressing["reason"] == "ProgressDeadlineExceeded":
        return True
    deadline = deployment["spec"]["progressDeadlineSeconds"]
    return seconds_since(progressing["lastUpdateTime"]) > float(deadline)


def _failures(replica_sets: Sequence[Object], conditions: list[Object]) -> list[Object]:
    failed = [found for item in replica_sets if (found := find_condition(item["status"], "ReplicaFailure"))]
    if not failed:
        return [item for item in conditions if item["type"] != "ReplicaFailure"]
    return with_condition(
        conditions, condition("ReplicaFailure", failed[0]["status"], failed[0]["reason"], failed[0]["message"])
    )
