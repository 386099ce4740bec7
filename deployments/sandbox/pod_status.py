"""A pod's status at a moment after its binding."""

from collections.abc import Sequence

from deployments.sandbox.images import Moment, State, image_id, timeline
from deployments.sandbox.objects import Object, controller_of, find_condition, fnv32a, timestamp, uid_of

_NODE_ADDRESS = "127.0.0.1"
# Rounds of the node's agent may come a hair early.
_TOLERANCE = 0.005


def _timelines(pod: Object) -> list[tuple[Object, list[Moment]]]:
    owner = controller_of(pod)
    is_job = owner is not None and owner["kind"] == "Job"
    policy = pod["spec"]["restartPolicy"]
    return [(item, timeline(item["image"], policy, is_job=is_job)) for item in pod["spec"]["containers"]]


def next_moment(pod: Object, elapsed: float) -> float | None:
    """When (in seconds after binding) something happens next, or None when nothing more does."""
    times = [moment.at for _, moments in _timelines(pod) for moment in moments if moment.at > elapsed + _TOLERANCE]
    return min(times, default=None)


def pod_status(pod: Object, elapsed: float) -> Object:
    """The status after so many seconds; what did not change keeps its times."""
    found = [(item, _state_at(moments, elapsed)) for item, moments in _timelines(pod)]
    if all(state is None for _, state in found):
        return dict(pod["status"])
    states = [state or State(reason="ContainerCreating") for _, state in found]
    old = {entry["name"]: entry for entry in pod["status"].get("containerStatuses", ())}
    address = _address(pod)
    return {
        **pod["status"],
        "phase": _phase(states),
        "conditions": _conditions(pod, all(state.ready for state in states)),
        "hostIP": _NODE_ADDRESS,
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": pod["status"].get("startTime") or timestamp(),
        "containerStatuses": [
            _container_status(item, state, old.get(item["name"]))
            for (item, _), state in zip(found, states, strict=True)
        ],
    }


def _state_at(moments: Sequence[Moment], elapsed: float) -> State | None:
    reached = [moment.state for moment in moments if moment.at <= elapsed + _TOLERANCE]
    return reached[-1] if reached else None


def _phase(states: Sequence[State]) -> str:
    ended = [state.exit_code for state in states if state.exit_code is not None]
    if len(ended) == len(states):
        return "Failed" if any(ended) else "Succeeded"
    return "Running" if ended or any(state.is_running or state.restarts for state in states) else "Pending"


def _address(pod: Object) -> str:
    number = fnv32a(uid_of(pod).encode())
    return f"10.88.{number >> 8 & 255}.{number & 255 or 1}"


def _conditions(pod: Object, ready: bool) -> list[Object]:  # noqa: FBT001 - the one fact the conditions tell
    status = "True" if ready else "False"
    wanted = (("PodScheduled", "True"), ("Initialized", "True"), ("ContainersReady", status), ("Ready", status))
    return [_condition(pod, kind, value) for kind, value in wanted]


def _condition(pod: Object, kind: str, status: str) -> Object:
    known = find_condition(pod["status"], kind)
    if known and known["status"] == status:
        return known
    out: Object = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": timestamp()}
    return out if status == "True" else {**out, "reason": "ContainersNotReady"}


def _container_status(container: Object, state: State, old: Object | None) -> Object:
    started = (((old or {}).get("state") or {}).get("running") or {}).get("startedAt") or timestamp()
    now = timestamp()
    if state.is_running:
        current: Object = {"running": {"startedAt": started}}
    elif state.is_waiting:
        current = {"waiting": {"reason": state.reason}}
        if state.message:
            current["waiting"]["message"] = state.message
    else:
        ended = {"exitCode": state.exit_code, "reason": state.reason, "startedAt": started, "finishedAt": now}
        current = {"terminated": ended}
    last: Object = {}
    if state.last_reason:
        code = state.last_exit_code
        last = {"terminated": {"exitCode": code, "reason": state.last_reason, "startedAt": started, "finishedAt": now}}
    return {
        "name": container["name"],
        "state": current,
        "lastState": last,
        "ready": state.ready,
        "restartCount": state.restarts,
        "image": container["image"],
        "imageID": image_id(container["image"]),
        "started": state.ready,
    }
