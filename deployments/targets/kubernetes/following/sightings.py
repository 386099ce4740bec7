"""What one watched object shows of a rollout, in a few numbers and words. Pure.

The words are keys for telling a new trouble from one that is known; people read what `causes` makes of it.
"""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from deployments.targets.kubernetes.following import decoding
from deployments.targets.kubernetes.following.decoding import Condition, ContainerStatus, WorkloadSpec, WorkloadStatus
from deployments.targets.kubernetes.judging import causes

# What a database takes: a cluster may say anything.
MOST_PODS = 2**31 - 1
BACK_OFF = "CrashLoopBackOff"
WAITING_REASONS = causes.IMAGE_REASONS | causes.CONFIG_REASONS | {BACK_OFF}


class WorkloadSight(Struct, frozen=True, gc=False):
    """`deployment`: whose apply it shows, empty when the object does not say.

    `is_observed`: the controller has seen the present generation. `is_complete`: its numbers say that nothing is left
    to do, old pods that still end aside. `wanted`, `updated` and `ready` count pods.
    """

    deployment: str
    is_observed: bool
    is_complete: bool
    wanted: int
    updated: int
    ready: int
    troubles: tuple[str, ...]


class PodSight(Struct, frozen=True, gc=False):
    is_leaving: bool
    troubles: tuple[str, ...]


Sight = WorkloadSight | PodSight
QUIET_POD = PodSight(is_leaving=False, troubles=())
LEAVING_POD = PodSight(is_leaving=True, troubles=())


def of_workload(kind: str, item: decoding.Workload) -> WorkloadSight:
    meta, status = item.metadata, item.status or WorkloadStatus()
    wanted, updated, ready, is_complete = _COUNTS[kind](item.spec or WorkloadSpec(), status)
    return WorkloadSight(
        deployment=meta.annotations.deployment if meta.annotations else "",
        is_observed=kind == "Job" or status.observed_generation >= meta.generation,
        is_complete=is_complete,
        wanted=_bounded(wanted),
        updated=_bounded(updated),
        ready=_bounded(ready),
        troubles=tuple(_workload_troubles(status.conditions or ())),
    )


def of_pod(pod: decoding.Pod) -> PodSight:
    status = pod.status or decoding.PodStatus()
    if status.phase in ("Succeeded", "Failed"):
        # Evicted pods stay as Failed objects until they are collected; they hold up nothing.
        return QUIET_POD
    if pod.metadata.deletion_timestamp:
        return LEAVING_POD
    troubles = {found for container in _containers(status) if (found := _container_trouble(container))}
    if any(each.type == "PodScheduled" and each.reason == "Unschedulable" for each in status.conditions or ()):
        troubles.add("Unschedulable")
    return PodSight(is_leaving=False, troubles=tuple(sorted(troubles))) if troubles else QUIET_POD


Counts = tuple[int, int, int, bool]


def _deployment(spec: WorkloadSpec, status: WorkloadStatus) -> Counts:
    wanted = 1 if spec.replicas is None else spec.replicas
    counted = (status.updated_replicas, status.replicas, status.available_replicas or 0)
    is_complete = all(number == wanted for number in counted) and not (status.terminating_replicas or spec.paused)
    return wanted, status.updated_replicas, status.ready_replicas, is_complete


def _stateful_set(spec: WorkloadSpec, status: WorkloadStatus) -> Counts:
    wanted = 1 if spec.replicas is None else spec.replicas
    rolling = spec.update_strategy.rolling_update if spec.update_strategy else None
    partition = (rolling.partition or 0) if rolling else 0
    to_update = max(wanted - partition, 0)
    available = status.ready_replicas if status.available_replicas is None else status.available_replicas
    # With OnDelete the controller never moves its current revision on; the numbers of pods tell.
    is_rolling = partition == 0 and not (spec.update_strategy and spec.update_strategy.type == "OnDelete")
    is_one = not is_rolling or status.current_revision == status.update_revision
    is_complete = available == wanted == status.replicas and is_one and status.updated_replicas >= to_update
    return to_update, status.updated_replicas, status.ready_replicas, is_complete


def _daemon_set(_: WorkloadSpec, status: WorkloadStatus) -> Counts:
    wanted, updated = status.desired_number_scheduled, status.updated_number_scheduled
    return wanted, updated, status.number_ready, updated == wanted == status.number_available


def _job(spec: WorkloadSpec, status: WorkloadStatus) -> Counts:
    is_complete = any(each.type == "Complete" and each.status == "True" for each in status.conditions or ())
    return spec.completions or 1, status.succeeded or 0, status.ready or 0, is_complete


_COUNTS: Mapping[str, Callable[[WorkloadSpec, WorkloadStatus], Counts]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
}


def _workload_troubles(conditions: Iterable[Condition]) -> Iterable[str]:
    for each in conditions:
        if each.type in ("ReplicaFailure", "Failed") and each.status == "True":
            yield each.type
        elif each.type == "Progressing" and each.reason == "ProgressDeadlineExceeded":
            yield each.reason


def _containers(status: decoding.PodStatus) -> Iterable[ContainerStatus]:
    yield from status.init_container_statuses or ()
    yield from status.container_statuses or ()


def _container_trouble(container: ContainerStatus) -> str:
    state, last = container.state, container.last_state
    reason = state.waiting.reason if state and state.waiting else ""
    if reason in WAITING_REASONS:
        return reason
    if container.ready:
        return ""
    ended = (state.terminated if state else None) or (last.terminated if last else None)
    if ended is None or not ended.exit_code:
        return ""
    # Each further crash is news until it is certain that it never runs.
    return f"Crashed {min(max(container.restart_count, 0), causes.CRASHES_UNTIL_CERTAIN)}"


def _bounded(number: int) -> int:
    return min(max(number, 0), MOST_PODS)
