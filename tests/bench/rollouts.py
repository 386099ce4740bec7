"""One rollout of three replicas as a watch tells it: 25 events, then the next one begins. Events have some 5 kB.

Order and numbers are those of a real cluster (see the recorded `rollout-success`).
"""

import json
from dataclasses import dataclass
from typing import Any

DEPLOYMENTS, PODS = "/apis/apps/v1/deployments", "/api/v1/pods"
WANTED = 3
EVENTS_A_POD = 8
STEPS = 1 + WANTED * EVENTS_A_POD
# In one of so many workloads a pod of each rollout crashes for a while.
TROUBLED = 5
PADDING = 5_400

Row = tuple[str, int, int, int]
# Template and what stands in its gaps: rendered only when it is sent.
Item = tuple[bytes, tuple[Any, ...]]


def deployment_of(number: int) -> str:
    """The id of the deployment that rolls it out, as our annotation holds it."""
    return f"00000000-0000-4000-8000-{number:012d}"


@dataclass(slots=True)
class Rollout:
    """`step`: how many events of the present generation have been told; 0: the first has settled already."""

    number: int
    step: int = 0
    generation: int = 2
    version: int = 1

    def advance(self, version: int) -> tuple[str, bytes]:
        """The path of the watch, and the next event as an HTTP chunk."""
        self.version = version
        if self.step in (0, STEPS):
            self.step, self.generation = 1, self.generation + 1
            return DEPLOYMENTS, _chunk("MODIFIED", self._deployment())
        self.step += 1
        pod, part = self._at
        if part in (0, 4, 6):
            return DEPLOYMENTS, _chunk("MODIFIED", self._deployment())
        event_type = {1: "ADDED", 7: "DELETED"}.get(part, "MODIFIED")
        return PODS, _chunk(event_type, self._pod(pod, part))

    def snapshot(self, path: str) -> list[Item]:
        """Everything of it that there is now."""
        return self._pods() if path == PODS else [self._deployment()]

    @property
    def row(self) -> Row:
        """What its row has to say by now: phase, wanted, updated, ready."""
        updated, ready, _ = self._numbers()
        if self.step <= 1 or self.step == STEPS:
            return ("waiting" if self.step == 1 else "settled"), WANTED, updated, ready
        return ("troubled" if self._crashes and self._at == (1, 2) else "moving"), WANTED, updated, ready

    @property
    def _at(self) -> tuple[int, int]:
        return divmod(self.step - 2, EVENTS_A_POD)

    @property
    def _crashes(self) -> bool:
        return self.number % TROUBLED == 0

    def _numbers(self) -> tuple[int, int, int]:
        """Updated, ready and all replicas by the last event of the Deployment."""
        if self.step <= 1:
            return WANTED, WANTED, WANTED
        pod, part = self._at
        return pod + 1, WANTED + (4 <= part < 6), WANTED + (part < 6)

    def _deployment(self) -> Item:
        updated, ready, replicas = self._numbers()
        observed = self.generation - (self.step == 1)
        place = (self.number, self.number, self.version, self.generation, self.number)
        return _DEPLOYMENT, (*place, observed, updated, ready, replicas, ready)

    def _pod(self, pod: int, part: int) -> Item:
        is_old = part >= 5
        during = "crashing" if self._crashes and pod == 1 else "starting"
        state = {1: "pending", 2: during, 3: "ready"}.get(part, "leaving")
        return self._pod_of(self.generation - is_old, pod, state)

    def _pod_of(self, generation: int, pod: int, state: str) -> Item:
        return _PODS[state], (
            self.number,
            generation,
            pod,
            self.number,
            self.version,
            generation,
            self.number,
            generation,
        )

    def _pods(self) -> list[Item]:
        if self.step <= 1:
            return [self._pod_of(self.generation - self.step, pod, "ready") for pod in range(WANTED)]
        now, part = self._at
        new = [self._pod_of(self.generation, pod, "ready") for pod in range(now)]
        old = [self._pod_of(self.generation - 1, pod, "ready") for pod in range(now + (part >= 5), WANTED)]
        new += [self._pod(now, min(part, 3))] if part else []
        old += [self._pod(now, part)] if part in (5, 6) else []
        return new + old


def render(item: Item) -> bytes:
    template, gaps = item
    return template % gaps


def _chunk(event_type: str, item: Item) -> bytes:
    line = b'{"type":"%b","object":%b}\n' % (event_type.encode(), render(item))
    return b"%x\r\n%b\r\n" % (len(line), line)


def _template(item: dict[str, Any]) -> bytes:
    """JSON with %d for each @: alone in a text it stands for a number."""
    text = json.dumps(item, separators=(",", ":"))
    return text.replace('"@"', "%d").replace("@", "%d").encode()


def _metadata(name: str, **fields: Any) -> dict[str, Any]:
    owned = {f"f:field-{number}": {f"f:{part}": {} for part in ("name", "image", "value")} for number in range(20)}
    entry = {"manager": "releasemgr", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": owned}
    many = [entry] * (PADDING // len(json.dumps(entry)))
    return {"name": name, "namespace": "n-@", "resourceVersion": "V@V", **fields, "managedFields": many}


def _pod_template(status: dict[str, Any], **fields: Any) -> bytes:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-@-h@", "controller": True}
    meta = _metadata("web-@-h@-@", labels={"app": "web", "pod-template-hash": "h@"}, ownerReferences=[owner], **fields)
    return _finished({"kind": "Pod", "apiVersion": "v1", "metadata": meta, "status": status})


def _finished(item: dict[str, Any]) -> bytes:
    # A version is a text of digits only, which would otherwise become a number.
    return _template(item).replace(b"V%dV", b"%d")


def _container(**fields: Any) -> dict[str, Any]:
    return {"phase": "Running", "containerStatuses": [{"name": "app", "restartCount": 0, "ready": False, **fields}]}


_DEPLOYMENT = _finished(
    {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": _metadata(
            "web-@", generation="@", annotations={"releasemgr.dev/deployment": "00000000-0000-4000-8000-@"}
        ),
        "spec": {"replicas": WANTED, "template": {"spec": {"containers": [{"name": "app", "image": "registry/app"}]}}},
        "status": {
            "observedGeneration": "@",
            "updatedReplicas": "@",
            "readyReplicas": "@",
            "replicas": "@",
            "availableReplicas": "@",
            "terminatingReplicas": 0,
            "conditions": [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}],
        },
    }
).replace(b"4000-8000-%d", b"4000-8000-%012d")
_PODS = {
    "pending": _pod_template({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]}),
    "starting": _pod_template(_container(state={"running": {}})),
    "crashing": _pod_template(_container(state={"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=3)),
    "ready": _pod_template(_container(state={"running": {}}, ready=True)),
    "leaving": _pod_template(_container(state={"running": {}}, ready=True), deletionTimestamp="2026-11-22T08:26:44Z"),
}
