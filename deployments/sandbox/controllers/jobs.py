"""Jobs: pods that run to their end, counted once each, until enough succeeded or too many failed."""

from collections.abc import Iterable, Sequence

from deployments.sandbox import kinds
from deployments.sandbox.controllers.pods import (
    MANAGER,
    create_pod,
    delete_pod,
    is_ready,
    owner_keys,
    pod_from,
)
from deployments.sandbox.controllers.runtime import Key, Runtime
from deployments.sandbox.deletion import delete
from deployments.sandbox.errors import ApiError
from deployments.sandbox.objects import (
    Object,
    find_condition,
    is_terminating,
    name_of,
    namespace_of,
    seconds_since,
    timestamp,
    uid_of,
    with_metadata,
    without_empty,
)
from deployments.sandbox.store import Change

_COMPONENT = "job-controller"
_FINALIZER = "batch.kubernetes.io/job-tracking"
# Changes of a Job's pods are looked at together, this long after the first.
_BATCH_SECONDS = 1.0
# A failed pod is replaced after this time, doubled with each further failure.
_BACK_OFF_SECONDS = 10.0
_RETRY_SECONDS = 1.0
_KEPT = ("terminating", "uncountedTerminatedPods", "ready")

_ENOUGH = ("CompletionsReached", "Reached expected number of succeeded pods")
_TOO_MANY = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
_TOO_LONG = ("DeadlineExceeded", "Job was active longer than specified deadline")


class Jobs:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def keys_for(self, change: Change) -> Iterable[Key]:
        if change.kind is kinds.JOB:
            return [(namespace_of(change.object), name_of(change.object))]
        if change.kind is kinds.POD:
            for key in owner_keys(change, "Job"):
                self._runtime.later(self, key, _BATCH_SECONDS / self._runtime.speed)
        return ()

    def sync(self, namespace: str, name: str) -> None:
        job = self._runtime.store.get(kinds.JOB, namespace, name)
        if job is None or is_terminating(job):
            self._release_orphans(namespace, name)
        elif _is_finished(job):
            self._release(self._runtime.store.owned_by(uid_of(job), kinds.POD))
            self._expire(job)
        elif not job["spec"].get("suspend"):
            self._advance(job)

    def _advance(self, job: Object) -> None:
        pods = self._runtime.store.owned_by(uid_of(job), kinds.POD)
        ended = [pod for pod in pods if _has_ended(pod)]
        fresh = [pod for pod in ended if _FINALIZER in pod["metadata"].get("finalizers", ())]
        active = [pod for pod in pods if not _has_ended(pod)]
        status = {"startTime": timestamp(), **job["status"]}
        succeeded = status.get("succeeded", 0) + len([pod for pod in fresh if _succeeded(pod)])
        failed = status.get("failed", 0) + len([pod for pod in fresh if not _succeeded(pod)])
        verdict = _verdict(job, status, succeeded, failed, active)
        if verdict:
            for pod in active:
                delete_pod(self._runtime.store, pod)
            active = []
        else:
            active = active + self._create_missing(job, active, succeeded, failed, ended)
        self._watch_deadline(job, status)
        status |= {
            "active": len(active),
            "ready": sum(1 for pod in active if is_ready(pod)),
            "terminating": 0,
            "uncountedTerminatedPods": _uncounted(fresh),
            "conditions": [_condition(verdict[0], *verdict[1])] if verdict else [],
        }
        job = self._write(job, status)
        if fresh or verdict:
            self._release(fresh)
            self._count(job, status, succeeded, failed, verdict)

    def _count(
        self, job: Object, status: Object, succeeded: int, failed: int, verdict: tuple[str, tuple[str, str]] | None
    ) -> None:
        """The second write: ended pods are counted for good, and a verdict becomes final."""
        status = {**status, "succeeded": succeeded, "failed": failed, "uncountedTerminatedPods": {}}
        if verdict:
            success, (reason, message) = verdict[0] == "SuccessCriteriaMet", verdict[1]
            final = "Complete" if success else "Failed"
            status["conditions"] = [*status["conditions"], _condition(final, reason, message)]
            if success:
                status["completionTime"] = timestamp()
                self._runtime.recorder.record(job, "Completed", "Job completed", _COMPONENT)
            else:
                self._runtime.recorder.record(job, reason, message, _COMPONENT, "Warning")
        self._write(job, status)

    def _create_missing(
        self, job: Object, active: Sequence[Object], succeeded: int, failed: int, ended: Sequence[Object]
    ) -> list[Object]:
        spec, key = job["spec"], (namespace_of(job), name_of(job))
        wanted = spec["parallelism"]
        if "completions" in spec:
            wanted = min(wanted, spec["completions"] - succeeded)
        elif succeeded:
            wanted = 0
        if failed and wanted > len(active) and (wait := self._back_off(ended, failed)) > 0:
            self._runtime.later(self, key, wait)
            return []
        created: list[Object] = []
        for _ in range(wanted - len(active)):
            body = pod_from(spec["template"], job, generateName=f"{name_of(job)}-")
            body["metadata"]["finalizers"] = [*body["metadata"].get("finalizers", ()), _FINALIZER]
            try:
                pod = create_pod(self._runtime.cluster, job, body)
            except ApiError as error:
                message = f"Error creating: {error}"
                self._runtime.recorder.record(job, "FailedCreate", message, _COMPONENT, "Warning")
                self._runtime.later(self, key, _RETRY_SECONDS)
                break
            created.append(pod)
            self._runtime.recorder.record(job, "SuccessfulCreate", f"Created pod: {name_of(pod)}", _COMPONENT)
        return created

    def _back_off(self, ended: Sequence[Object], failed: int) -> float:
        delay = float(_BACK_OFF_SECONDS * 2 ** (failed - 1) / self._runtime.speed)
        finished = [_finished_at(pod) for pod in ended if not _succeeded(pod)]
        return delay - min((seconds_since(stamp) for stamp in finished), default=delay)

    def _watch_deadline(self, job: Object, status: Object) -> None:
        deadline = job["spec"].get("activeDeadlineSeconds")
        if deadline is not None:
            left = deadline - seconds_since(status["startTime"])
            self._runtime.later(self, (namespace_of(job), name_of(job)), max(left, 0) + 0.01)

    def _expire(self, job: Object) -> None:
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        if ttl is None:
            return
        final = find_condition(job["status"], "Complete") or find_condition(job["status"], "Failed")
        left = ttl - seconds_since(final["lastTransitionTime"]) if final else 0
        if left > 0:
            self._runtime.later(self, (namespace_of(job), name_of(job)), left)
        else:
            delete(self._runtime.store, kinds.JOB, job, {"propagationPolicy": "Background"})

    def _release(self, pods: Iterable[Object]) -> None:
        """Let counted pods go: take the finalizer that held them for counting."""
        for pod in pods:
            finalizers = pod["metadata"].get("finalizers", [])
            if _FINALIZER in finalizers:
                left = [item for item in finalizers if item != _FINALIZER]
                self._runtime.cluster.write(kinds.POD, with_metadata(pod, finalizers=left or None), MANAGER)

    def _release_orphans(self, namespace: str, name: str) -> None:
        pods = self._runtime.store.listed(kinds.POD, namespace)
        owned = (pod for pod in pods if any(ref["name"] == name for ref in pod["metadata"].get("ownerReferences", ())))
        self._release(owned)

    def _write(self, job: Object, status: Object) -> Object:
        kept = without_empty(status, keep=_KEPT)
        return self._runtime.cluster.write_status(kinds.JOB, job, kept, MANAGER)


def _is_finished(job: Object) -> bool:
    conditions = (find_condition(job["status"], kind) for kind in ("Complete", "Failed"))
    return any(item is not None and item["status"] == "True" for item in conditions)


def _has_ended(pod: Object) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed") or is_terminating(pod)


def _succeeded(pod: Object) -> bool:
    return bool(pod["status"].get("phase") == "Succeeded")


def _finished_at(pod: Object) -> str:
    states = (item["state"].get("terminated") for item in pod["status"].get("containerStatuses", ()))
    return max((str(state["finishedAt"]) for state in states if state), default=timestamp())


def _restarts(pods: Iterable[Object]) -> int:
    return sum(item["restartCount"] for pod in pods for item in pod["status"].get("containerStatuses", ()))


def _verdict(
    job: Object, status: Object, succeeded: int, failed: int, active: Sequence[Object]
) -> tuple[str, tuple[str, str]] | None:
    """The condition that ends the Job with its reason and message, or None while it goes on."""
    spec = job["spec"]
    limit = spec["backoffLimit"]
    if failed > limit or _restarts(active) > limit:
        return "FailureTarget", _TOO_MANY
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and seconds_since(status["startTime"]) >= deadline:
        return "FailureTarget", _TOO_LONG
    enough = succeeded >= spec["completions"] if "completions" in spec else bool(succeeded and not active)
    return ("SuccessCriteriaMet", _ENOUGH) if enough else None


def _uncounted(pods: Sequence[Object]) -> Object:
    groups = {
        "succeeded": [uid_of(pod) for pod in pods if _succeeded(pod)],
        "failed": [uid_of(pod) for pod in pods if not _succeeded(pod)],
    }
    return {name: uids for name, uids in groups.items() if uids}


def _condition(kind: str, reason: str, message: str) -> Object:
    now = timestamp()
    return {
        "type": kind,
        "status": "True",
        "lastProbeTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }
