"""The nodes' agent: runs the containers of bound pods as their images say, and lets deleted pods go."""

import asyncio
import math
from collections.abc import Iterable

from deployments.sandbox import kinds
from deployments.sandbox.controllers.runtime import Key, Runtime
from deployments.sandbox.deletion import remove_now
from deployments.sandbox.objects import (
    Object,
    find_condition,
    is_terminating,
    name_of,
    namespace_of,
    seconds_since,
    uid_of,
)
from deployments.sandbox.pod_status import next_moment, pod_status
from deployments.sandbox.store import Change

_MANAGER = "kubelet"
# Between a pod's deletion and its end; a little real time, so that controllers see it terminating.
_STOP_SECONDS = 0.015
# Pods whose turn comes within this time get it together, as a node's agent works in rounds.
_ROUND_SECONDS = 0.02


class Kubelet:
    """A pod's state follows from its images and the time since it was bound, so a restart finds its way back."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._bound: dict[str, float] = {}
        self._stopping: set[str] = set()

    def keys_for(self, change: Change) -> Iterable[Key]:
        pod, uid = change.object, uid_of(change.object)
        if change.kind is not kinds.POD or "nodeName" not in pod["spec"]:
            return ()
        if change.type == "DELETED":
            self._bound.pop(uid, None)
            self._stopping.discard(uid)
            return ()
        key = (namespace_of(pod), name_of(pod))
        if uid not in self._bound:
            self._bound[uid] = asyncio.get_running_loop().time() - _seconds_bound(change)
            return [key]
        return [key] if is_terminating(pod) else ()

    def sync(self, namespace: str, name: str) -> None:
        pod = self._runtime.store.get(kinds.POD, namespace, name)
        if pod is None:
            return
        if is_terminating(pod):
            self._stop(pod)
        elif pod["status"].get("phase") not in ("Succeeded", "Failed"):
            self._run(pod)

    def _stop(self, pod: Object) -> None:
        if uid_of(pod) not in self._stopping:
            self._stopping.add(uid_of(pod))
            self._runtime.later(self, (namespace_of(pod), name_of(pod)), _STOP_SECONDS)
        elif not pod["metadata"].get("finalizers"):
            remove_now(self._runtime.store, kinds.POD, pod)

    def _run(self, pod: Object) -> None:
        runtime = self._runtime
        elapsed = (asyncio.get_running_loop().time() - self._bound[uid_of(pod)]) * runtime.speed
        runtime.cluster.write_status(kinds.POD, pod, pod_status(pod, elapsed), _MANAGER)
        upcoming = next_moment(pod, elapsed)
        if upcoming is not None:
            self._wait((namespace_of(pod), name_of(pod)), (upcoming - elapsed) / runtime.speed)

    def _wait(self, key: Key, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        due = math.ceil((now + seconds) / _ROUND_SECONDS) * _ROUND_SECONDS
        self._runtime.later(self, key, due - now)


def _seconds_bound(change: Change) -> float:
    """How long the pod has been bound; more than nothing only when the server started with it."""
    scheduled = find_condition(change.object["status"], "PodScheduled")
    if change.previous is not None or scheduled is None:
        return 0
    return max(0.0, seconds_since(scheduled["lastTransitionTime"]))
