"""Judges one workload from what the cluster says about it. Pure: no network, no clock.

`judge` tells whether the rollout is done, still moving, or can't succeed. Causes that need patience are left to the
caller, who knows since when they have been there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Any

from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.judging import causes, revisions
from deployments.targets.kubernetes.judging.causes import Cause
from deployments.targets.kubernetes.judging.revisions import Object, Scene
from deployments.targets.kubernetes.wording import clean, sentence

# So long after its grace a pod is still there only because its node does not answer.
LOST_POD_SECONDS = 30.0


class Phase(Enum):
    DONE = "done"
    MOVING = "moving"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`suspects`: what is wrong with pods now. `is_overdue`: the cluster itself has given up waiting.

    `longest_pause`: after how many seconds to look again at the latest, where no watch would tell. `ends_within`:
    nothing but the pods of before is waited for, and how many seconds they may take to end.
    """

    phase: Phase
    message: str
    suspects: tuple[Cause, ...] = ()
    is_overdue: bool = False
    longest_pause: float = inf
    ends_within: float = inf


def judge(scene: Scene) -> Judgement:
    """The judgement on a Deployment, StatefulSet, DaemonSet or Job."""
    title = objects.title(scene.wanted)
    changed = revisions.drift(scene)
    if changed:
        return Judgement(Phase.FAILED, changed)
    status = scene.live.get("status") or {}
    kind = str(scene.live.get("kind"))
    if kind != "Job" and _number(status, "observedGeneration") < _number(objects.metadata(scene.live), "generation"):
        return Judgement(Phase.MOVING, f"{title}: waiting for the cluster to take up the change.")
    return _JUDGES[kind](scene, title)


def _judge_deployment(scene: Scene, title: str) -> Judgement:
    live, status = scene.live, scene.live.get("status") or {}
    pods = revisions.deployment_pods(scene)
    wanted = _replicas(live)
    found = (*causes.of_failed_creation((*pods.replica_sets, live)), *causes.of_pods(pods.new))
    suspects = tuple(map(causes.passing, found) if _makes_room(pods, found) else found)
    foreign = revisions.foreign_image(scene.wanted, pods.new)
    if foreign:
        return Judgement(Phase.FAILED, foreign)
    if (live.get("spec") or {}).get("paused"):
        return Judgement(Phase.MOVING, f"{title} is paused. Resume it with `kubectl rollout resume`.", suspects)
    updated, available = _number(status, "updatedReplicas"), _number(status, "availableReplicas")
    terminating = _number(status, "terminatingReplicas")
    settled = updated == available == wanted == _number(status, "replicas") and _all_ready(pods.new, wanted)
    if settled and not (terminating or pods.old):
        return Judgement(Phase.DONE, f"{title}: {_pods_words(wanted)} ready on the new revision.")
    message = _progress(title, updated=updated, ready=_ready(pods.new), wanted=wanted, old=len(pods.old))
    if settled and pods.old and len(revisions.leaving(pods.old)) == len(pods.old) >= terminating:
        return Judgement(Phase.MOVING, message, (causes.of_ending(pods.old),), ends_within=_ends_within(pods.old))
    return Judgement(Phase.MOVING, message, suspects, is_overdue=_deadline_exceeded(live))


def without_lost_pods(judgement: Judgement, seconds: float) -> Judgement:
    """Done although pods of before are still there: those that outlive their grace sit on a node that is gone.

    They stay until somebody removes the node. `seconds`: for how long nothing else has been waited for.
    """
    if seconds <= judgement.ends_within:
        return judgement
    told = " ".join(cause.message for cause in judgement.suspects)
    return Judgement(Phase.DONE, f"{judgement.message} Their time to end has passed, so nobody waits for them. {told}")


def _ends_within(pods: Sequence[Object]) -> float:
    grace = max(_number(objects.metadata(pod), "deletionGracePeriodSeconds") for pod in pods)
    return grace + LOST_POD_SECONDS


def _judge_stateful_set(scene: Scene, title: str) -> Judgement:
    live, status = scene.live, scene.live.get("status") or {}
    spec = live.get("spec") or {}
    wanted = _replicas(live)
    strategy = spec.get("updateStrategy") or {}
    partition = _number(strategy.get("rollingUpdate") or {}, "partition")
    to_update = max(wanted - partition, 0)
    pods = revisions.stateful_set_pods(scene)
    suspects = tuple(causes.of_pods(pods.new))
    foreign = revisions.foreign_image(scene.wanted, pods.new)
    if foreign:
        return Judgement(Phase.FAILED, foreign)
    updated = _number(status, "updatedReplicas")
    available = (
        _number(status, "availableReplicas") if "availableReplicas" in status else _number(status, "readyReplicas")
    )
    left = max(len(pods.old) - min(partition, wanted), 0)
    one_revision = partition > 0 or _is_one_revision(strategy, status)
    settled = available == wanted == _number(status, "replicas") and one_revision and not left
    if settled and updated >= to_update and _all_ready(pods.new, to_update):
        return Judgement(Phase.DONE, f"{title}: {_pods_words(to_update)} ready on the new revision.")
    message = _progress(title, updated=updated, ready=_ready(pods.new), wanted=to_update, old=left)
    if strategy.get("type") == "OnDelete" and left > 0:
        message += " Its update strategy is OnDelete: the old pods are replaced only when somebody deletes them."
    return Judgement(Phase.MOVING, message, suspects + tuple(_holding_up(pods.old)))


def _is_one_revision(strategy: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """With OnDelete the controller never moves its current revision on, not even when every pod has been replaced."""
    return strategy.get("type") == "OnDelete" or status.get("currentRevision") == status.get("updateRevision")


def _judge_daemon_set(scene: Scene, title: str) -> Judgement:
    status = scene.live.get("status") or {}
    pods = revisions.daemon_set_pods(scene)
    suspects = tuple(causes.of_pods(pods.new))
    foreign = revisions.foreign_image(scene.wanted, pods.new)
    if foreign:
        return Judgement(Phase.FAILED, foreign)
    wanted = _number(status, "desiredNumberScheduled")
    updated, available = _number(status, "updatedNumberScheduled"), _number(status, "numberAvailable")
    if updated == wanted and available == wanted and not pods.old and _all_ready(pods.new, wanted):
        return Judgement(Phase.DONE, f"{title}: {_pods_words(wanted)} ready on the new revision.")
    message = _progress(title, updated=updated, ready=_ready(pods.new), wanted=wanted, old=len(pods.old))
    return Judgement(Phase.MOVING, message, suspects)


def _judge_job(scene: Scene, title: str) -> Judgement:
    live = scene.live
    pods = [pod for pod in scene.pods if objects.owner(pod).get("uid") == objects.metadata(live).get("uid")]
    if objects.condition(live, "Complete").get("status") == "True":
        return Judgement(Phase.DONE, f"{title} completed.")
    failure = objects.condition(live, "Failed")
    if failure.get("status") == "True":
        reason, told = clean(failure.get("reason"), limit=60), clean(failure.get("message"))
        ending = causes.exit_of(pods)
        return Judgement(
            Phase.FAILED, sentence(f"{title} failed: {reason}: {told}" + (f"; {ending}" if ending else ""))
        )
    foreign = revisions.foreign_image(scene.wanted, pods)
    if foreign:
        return Judgement(Phase.FAILED, foreign)
    if (live.get("spec") or {}).get("suspend"):
        return Judgement(Phase.MOVING, f"{title} is suspended and waits for somebody to resume it.")
    return Judgement(Phase.MOVING, f"{title} is running.", tuple(causes.of_pods(pods, crashes=False)))


_JUDGES: Mapping[str, Callable[[Scene, str], Judgement]] = {
    "Deployment": _judge_deployment,
    "StatefulSet": _judge_stateful_set,
    "DaemonSet": _judge_daemon_set,
    "Job": _judge_job,
}


def _holding_up(old: Sequence[Object]) -> list[Cause]:
    """Old pods that are not ready: never a verdict on the new revision, but they tell what is being waited for."""
    return [
        Cause(causes.NOT_READY, f"Waiting for a pod of another revision. {cause.message}", certain=False, pod=cause.pod)
        for cause in causes.of_pods(old)
    ]


def _makes_room(pods: revisions.RevisionPods, found: Sequence[Cause]) -> bool:
    """Whether pods of before are ending, or will when new ones are ready: that frees quota, ports and nodes."""
    troubled = {cause.pod for cause in found if cause.certain}
    is_starting = any(objects.name_of(pod) not in troubled for pod in pods.new if not _is_ready(pod))
    return is_starting if pods.old and not revisions.leaving(pods.old) else bool(pods.old)


def _all_ready(pods: Sequence[Object], wanted: int) -> bool:
    return _ready(pods) == len(pods) >= wanted


def _ready(pods: Sequence[Object]) -> int:
    return sum(map(_is_ready, pods))


def _is_ready(pod: Object) -> bool:
    return objects.condition(pod, "Ready").get("status") == "True"


def _deadline_exceeded(deployment: Object) -> bool:
    """Whether *this* rollout ran out of time.

    The condition outlives a change of the spec: after a failed rollout the next one begins under the old verdict. So
    it counts only when it is younger than our last apply, both by the cluster's clock (whole seconds).
    """
    progressing = objects.condition(deployment, "Progressing")
    if progressing.get("reason") != "ProgressDeadlineExceeded":
        return False
    return str(progressing.get("lastUpdateTime", "")) > revisions.applied_at(deployment)


def _replicas(item: Object) -> int:
    replicas = (item.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def _number(source: Mapping[str, Any], name: str) -> int:
    return int(source.get(name) or 0)


def _pods_words(count: int) -> str:
    return f"{count} {'pod' if count == 1 else 'pods'}"


def _progress(title: str, *, updated: int, ready: int, wanted: int, old: int) -> str:
    told = f"{title}: {updated} of {wanted} pods updated, {ready} ready"
    return f"{told}, {old} old to go." if old else f"{told}."
