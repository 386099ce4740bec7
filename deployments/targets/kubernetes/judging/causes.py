"""Why pods do not run: the sentence that a person needs, from what pods, ReplicaSets and events say. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.wire.errors import UNCOUNTED_QUOTA
from deployments.targets.kubernetes.wording import clean, listed, sentence

IMAGE, CRASH, CONFIG, UNSCHEDULABLE, CREATION, NOT_READY, ENDING = (
    "image",
    "crash",
    "config",
    "unschedulable",
    "creation",
    "not-ready",
    "ending",
)
# The most telling first.
SEVERITY = (CREATION, CONFIG, IMAGE, CRASH, UNSCHEDULABLE, NOT_READY, ENDING)

IMAGE_REASONS = frozenset(
    {
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "SignatureValidationFailed",
    }
)
CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
CRASHES_UNTIL_CERTAIN = 3
TELLING_EVENTS: Mapping[str, frozenset[str]] = {
    IMAGE: frozenset({"Failed"}),
    NOT_READY: frozenset({"Unhealthy", "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"}),
    CREATION: frozenset({"FailedCreate"}),
}


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason. A cause that is not `certain` may yet pass by itself, so it alone never fails a rollout."""

    code: str
    message: str
    certain: bool
    pod: str = ""


def of_pods(pods: Iterable[Mapping[str, Any]], *, crashes: bool = True) -> list[Cause]:
    """One cause for each pod that is in trouble. Without `crashes`, restarts are not counted (Jobs limit their own)."""
    found = (_of_pod(pod, crashes=crashes) for pod in pods)
    return by_severity(cause for cause in found if cause is not None)


def of_failed_creation(owners: Iterable[Mapping[str, Any]]) -> list[Cause]:
    """Pods that could not even be created: quota, admission, missing service account."""
    causes = []
    for owner in owners:
        failure = objects.condition(owner, "ReplicaFailure")
        if failure.get("status") == "True":
            reason, told = clean(failure.get("reason"), limit=60), clean(failure.get("message"))
            causes.append(Cause(CREATION, sentence(f"{reason or 'FailedCreate'}: {told}"), certain=_is_final(told)))
    return causes


def by_severity(causes: Iterable[Cause]) -> list[Cause]:
    return sorted(causes, key=lambda cause: (SEVERITY.index(cause.code), not cause.certain, cause.pod))


def of_ending(pods: Sequence[Mapping[str, Any]]) -> Cause:
    """Pods that were told to end and are still there."""
    names = listed(objects.name_of(pod) for pod in pods)
    nodes = listed(dict.fromkeys(clean((pod.get("spec") or {}).get("nodeName"), limit=120) for pod in pods))
    return Cause(ENDING, sentence(f"Told to end, but still there: {names} on node {nodes or 'unknown'}"), certain=False)


def passing(cause: Cause) -> Cause:
    """The cause while room is being made: what lacks a place may yet get one, and its grace begins anew after that."""
    return replace(cause, code=NOT_READY, certain=False) if cause.code in (CREATION, UNSCHEDULABLE) else cause


def explained(cause: Cause, events: Sequence[Mapping[str, Any]]) -> Cause:
    """The cause with what the newest telling warning event adds, such as why an image could not be pulled."""
    reasons = TELLING_EVENTS.get(cause.code, frozenset())
    for event in reversed(events):
        about = (event.get("involvedObject") or {}).get("name")
        told = clean(event.get("message"))
        if event.get("reason") in reasons and about == cause.pod and told and told not in cause.message:
            return replace(cause, message=f"{cause.message} {sentence(told)}")
    return cause


def of_creation_events(events: Sequence[Mapping[str, Any]]) -> list[Cause]:
    """For controllers without a condition for it (StatefulSet, DaemonSet, Job): pods that could not be created."""
    failed = [event for event in events if event.get("reason") == "FailedCreate"]
    told = [clean(event.get("message")) for event in failed[-1:]]
    return [Cause(CREATION, sentence(f"FailedCreate: {each}"), certain=_is_final(each)) for each in told]


def _is_final(told: str) -> bool:
    """Refused by a rule (quota, admission, validation), rather than by a server or webhook that did not answer."""
    is_refused = any(words in told for words in ("forbidden", "denied the request", "is invalid"))
    return is_refused and UNCOUNTED_QUOTA not in told


def exit_of(pods: Iterable[Mapping[str, Any]]) -> str:
    """How the containers of finished pods ended, as half a sentence; empty when none failed."""
    for pod in pods:
        for status in _statuses(pod):
            ended = _ended(status)
            if ended and ended.get("exitCode"):
                return f"container {_name(status)} of pod {objects.name_of(pod)} {_exit_words(ended)}"
    return ""


def _of_pod(pod: Mapping[str, Any], *, crashes: bool) -> Cause | None:
    if objects.metadata(pod).get("deletionTimestamp"):
        return None
    found = [_of_container(pod, status, crashes=crashes) for status in _statuses(pod)]
    worst = by_severity(cause for cause in found if cause is not None)
    return worst[0] if worst else _of_scheduling(pod) or _of_readiness(pod)


def _of_container(pod: Mapping[str, Any], status: Mapping[str, Any], *, crashes: bool) -> Cause | None:
    waiting = _state(status, "waiting")
    reason, told = clean(waiting.get("reason"), limit=60), clean(waiting.get("message"))
    name = objects.name_of(pod)
    where = f"(pod {name}, container {_name(status)})"
    if reason in IMAGE_REASONS:
        image = clean(_image(pod, status), limit=300)
        message = f"{reason}: {image} {where}: {told or 'the image could not be pulled'}"
        return Cause(IMAGE, sentence(message), certain=True, pod=name)
    if reason in CONFIG_REASONS:
        message = f"{reason}: {told or 'the container could not be created'} {where}"
        return Cause(CONFIG, sentence(message), certain=True, pod=name)
    if crashes and not status.get("ready"):
        return _of_crash(pod, status, reason)
    return None


def _of_crash(pod: Mapping[str, Any], status: Mapping[str, Any], reason: str) -> Cause | None:
    restarts = int(status.get("restartCount") or 0)
    ended = _ended(status)
    certain = reason == "CrashLoopBackOff" or restarts >= CRASHES_UNTIL_CERTAIN
    if not certain and not (ended and ended.get("exitCode")):
        return None
    what = f"container {_name(status)} of pod {objects.name_of(pod)}"
    often = f"restarted {restarts} {'time' if restarts == 1 else 'times'}"
    if ended and ended.get("reason") == "OOMKilled":
        message = f"OOMKilled: {what} used more memory than its limit and {often}"
    else:
        message = f"{reason or 'Crashing'}: {what} {often}" + (f", {_last_exit(ended)}" if ended else "")
    return Cause(CRASH, sentence(message), certain=certain, pod=objects.name_of(pod))


def _of_scheduling(pod: Mapping[str, Any]) -> Cause | None:
    scheduled = objects.condition(pod, "PodScheduled")
    if scheduled.get("status") != "False" or scheduled.get("reason") != "Unschedulable":
        return None
    told = clean(scheduled.get("message")) or "no node takes the pod"
    name = objects.name_of(pod)
    # A disk on its way is no verdict, and neither is a node that is being cleared for the pod; how long either may
    # take, the deadline says.
    is_coming = "unbound immediate PersistentVolumeClaims" in told or (pod.get("status") or {}).get("nominatedNodeName")
    certain = not is_coming
    return Cause(UNSCHEDULABLE, sentence(f"Unschedulable: {told} (pod {name})"), certain=certain, pod=name)


def _of_readiness(pod: Mapping[str, Any]) -> Cause | None:
    name = objects.name_of(pod)
    ready = objects.condition(pod, "Ready")
    if ready.get("status") == "True" or (pod.get("status") or {}).get("phase") == "Succeeded":
        return None
    waiting = [status for status in _statuses(pod) if not status.get("ready")]
    if not waiting:
        told = clean(ready.get("message")) or "its containers have not started"
        return Cause(NOT_READY, sentence(f"Not ready: pod {name}: {told}"), certain=False, pod=name)
    state = "is running, but its readiness check has not passed" if _state(waiting[0], "running") else "has not started"
    return Cause(
        NOT_READY, sentence(f"Not ready: container {_name(waiting[0])} of pod {name} {state}"), certain=False, pod=name
    )


def _statuses(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    status = pod.get("status") or {}
    initial = [s for s in status.get("initContainerStatuses") or [] if not _finished_well(s)]
    return [*initial, *(status.get("containerStatuses") or [])]


def _finished_well(status: Mapping[str, Any]) -> bool:
    ended = _state(status, "terminated")
    return bool(ended) and ended.get("exitCode") == 0


def _state(status: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return (status.get("state") or {}).get(name) or {}


def _ended(status: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return _state(status, "terminated") or (status.get("lastState") or {}).get("terminated") or None


def _last_exit(ended: Mapping[str, Any]) -> str:
    told = clean(ended.get("message"), limit=200)
    return f"last exit code {ended.get('exitCode')}" + (f": {told}" if told else "")


def _exit_words(ended: Mapping[str, Any]) -> str:
    if ended.get("reason") == "OOMKilled":
        return "used more memory than its limit"
    return f"ended with exit code {ended.get('exitCode')}"


def _image(pod: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    # The spec says what was asked for; the node's status may hold a resolved or empty name.
    return objects.images_of({"apiVersion": "v1", "kind": "Pod", "spec": pod.get("spec")}).get(_name(status)) or str(
        status.get("image", "")
    )


def _name(status: Mapping[str, Any]) -> str:
    return clean(status.get("name"), limit=63)
