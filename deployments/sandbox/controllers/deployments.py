"""Deployments: one ReplicaSet for each template, and the way from one to the next."""

from collections.abc import Iterable

from deployments.sandbox import kinds
from deployments.sandbox.cluster import WriteOptions
from deployments.sandbox.controllers.deployment_status import (
    condition,
    deployment_status,
    has_timed_out,
    is_complete,
    limits,
    total,
    wanted_total,
    with_condition,
)
from deployments.sandbox.controllers.pods import MANAGER, owner_keys, split_pods
from deployments.sandbox.controllers.revisions import HASH_LABEL, bare_template, template_hash
from deployments.sandbox.controllers.runtime import Key, Runtime
from deployments.sandbox.deletion import delete
from deployments.sandbox.objects import (
    Object,
    find_condition,
    is_terminating,
    name_of,
    namespace_of,
    owner_reference,
    seconds_since,
    uid_of,
    with_metadata,
)
from deployments.sandbox.store import Change

_COMPONENT = "deployment-controller"
_REVISION = "deployment.kubernetes.io/revision"
_HISTORY = "deployment.kubernetes.io/revision-history"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_MAXIMUM = "deployment.kubernetes.io/max-replicas"
# Annotations of a Deployment that its ReplicaSets do not take over.
_NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration", _REVISION, _HISTORY, _DESIRED, _MAXIMUM)


class Deployments:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._cluster = runtime.cluster

    def keys_for(self, change: Change) -> Iterable[Key]:
        if change.kind is kinds.DEPLOYMENT:
            return [(namespace_of(change.object), name_of(change.object))]
        return owner_keys(change, "Deployment") if change.kind is kinds.REPLICA_SET else ()

    def sync(self, namespace: str, name: str) -> None:
        deployment = self._runtime.store.get(kinds.DEPLOYMENT, namespace, name)
        if deployment is None or is_terminating(deployment):
            return
        if deployment["spec"].get("paused") or self._is_scaling(deployment):
            self._scale_all(deployment)
            if deployment["spec"].get("paused"):
                self._write_status(deployment, self._current(deployment))
                return
        new = self._new_replica_set(deployment)
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            self._recreate(deployment, new)
        else:
            self._roll(deployment, new)
        deployment = self._cluster.get(kinds.DEPLOYMENT, namespace, name)
        if is_complete(deployment, deployment["status"]):
            self._forget_old(deployment)
        self._write_status(deployment, self._current(deployment))

    def _replica_sets(self, deployment: Object) -> list[Object]:
        """Oldest first."""
        found = self._runtime.store.owned_by(uid_of(deployment), kinds.REPLICA_SET)
        return sorted(found, key=lambda item: (item["metadata"]["creationTimestamp"], _revision(item)))

    def _current(self, deployment: Object) -> Object | None:
        wanted = bare_template(deployment["spec"]["template"])
        replica_sets = self._replica_sets(deployment)
        return next((item for item in replica_sets if bare_template(item["spec"]["template"]) == wanted), None)

    def _new_replica_set(self, deployment: Object) -> Object:
        """The ReplicaSet of the current template: found again or created, with its revision written down."""
        current = self._current(deployment)
        others = [item for item in self._replica_sets(deployment) if current is None or uid_of(item) != uid_of(current)]
        revision = max((_revision(item) for item in others), default=0) + 1
        if current is None:
            return self._create(deployment, revision)
        annotations = _annotations(deployment, current, revision)
        if annotations != current["metadata"].get("annotations", {}):
            current = self._cluster.write(kinds.REPLICA_SET, with_metadata(current, annotations=annotations), MANAGER)
        seconds = deployment["spec"].get("minReadySeconds", 0)
        if seconds != current["spec"].get("minReadySeconds", 0):
            spec = {**current["spec"], "minReadySeconds": seconds}
            current = self._cluster.write(kinds.REPLICA_SET, {**current, "spec": spec}, MANAGER)
        self._write_revision(deployment, current, f'Found new replica set "{name_of(current)}"', "FoundNewReplicaSet")
        return current

    def _create(self, deployment: Object, revision: int) -> Object:
        spec, template = deployment["spec"], deployment["spec"]["template"]
        digest = template_hash(template)
        labels = {**template["metadata"].get("labels", {}), HASH_LABEL: digest}
        selector = {**spec["selector"], "matchLabels": {**spec["selector"].get("matchLabels", {}), HASH_LABEL: digest}}
        replicas = self._new_replicas(deployment, self._replica_sets(deployment), 0)
        minimum = {"minReadySeconds": spec["minReadySeconds"]} if spec.get("minReadySeconds") else {}
        body: Object = {
            "metadata": {
                "name": f"{name_of(deployment)}-{digest}",
                "labels": labels,
                "annotations": _annotations(deployment, None, revision),
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {
                **minimum,
                "replicas": replicas,
                "selector": selector,
                "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
            },
        }
        options = WriteOptions(manager=MANAGER)
        created = self._cluster.create(kinds.REPLICA_SET, namespace_of(deployment), body, options)
        message = f'Created new replica set "{name_of(created)}"'
        self._write_revision(deployment, created, message, "NewReplicaSetCreated")
        if replicas:
            self._tell_scaled(deployment, created, 0, replicas)
        return created

    def _write_revision(self, deployment: Object, new: Object, message: str, reason: str) -> None:
        """The revision as an annotation; a new ReplicaSet is also told as progress."""
        status = deployment["status"]
        known = find_condition(status, "Progressing")
        if known is None or reason == "NewReplicaSetCreated":
            progress = condition("Progressing", "True", reason, message)
            status = {**status, "conditions": with_condition(status.get("conditions", ()), progress)}
        annotations = {**deployment["metadata"].get("annotations", {}), _REVISION: str(_revision(new))}
        self._cluster.write_status(kinds.DEPLOYMENT, deployment, status, MANAGER, annotations=annotations)

    def _new_replicas(self, deployment: Object, replica_sets: list[Object], own: int) -> int:
        replicas = int(deployment["spec"]["replicas"])
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            return replicas
        room = replicas + limits(deployment)[0] - wanted_total(replica_sets)
        return own + min(room, replicas - own) if room > 0 else own

    def _roll(self, deployment: Object, new: Object) -> None:
        replica_sets = self._replica_sets(deployment)
        own, replicas = new["spec"]["replicas"], deployment["spec"]["replicas"]
        wanted = replicas if own > replicas else self._new_replicas(deployment, replica_sets, own)
        if wanted != own:
            self._scale(deployment, new, wanted)
            return
        old = [item for item in replica_sets if uid_of(item) != uid_of(new) and item["spec"]["replicas"]]
        if old:
            self._shrink(deployment, old, self._cluster.get(kinds.REPLICA_SET, namespace_of(new), name_of(new)))

    def _shrink(self, deployment: Object, old: list[Object], new: Object) -> None:
        """Take pods from old ReplicaSets: those that never worked first, then as many as availability allows."""
        minimum = deployment["spec"]["replicas"] - limits(deployment)[1]
        missing = new["spec"]["replicas"] - new["status"].get("availableReplicas", 0)
        room = wanted_total([*old, new]) - minimum - missing
        targets = {uid_of(item): item["spec"]["replicas"] for item in old}
        for item in old:
            broken = targets[uid_of(item)] - item["status"].get("availableReplicas", 0)
            taken = min(max(room, 0), max(broken, 0))
            targets[uid_of(item)] -= taken
            room -= taken
        spare = min(max(room, 0), total([*old, new], "availableReplicas") - minimum)
        for item in old:
            taken = min(max(spare, 0), targets[uid_of(item)])
            targets[uid_of(item)] -= taken
            spare -= taken
        for item in old:
            self._scale(deployment, item, targets[uid_of(item)])

    def _recreate(self, deployment: Object, new: Object) -> None:
        old = [item for item in self._replica_sets(deployment) if uid_of(item) != uid_of(new)]
        for item in old:
            self._scale(deployment, item, 0)
        if any(self._has_running_pods(item) for item in old):
            if new["spec"]["replicas"] and not new["status"].get("replicas"):
                self._scale(deployment, new, 0)
            return
        self._scale(deployment, new, deployment["spec"]["replicas"])

    def _has_running_pods(self, replica_set: Object) -> bool:
        active, terminating = split_pods(self._runtime.store.owned_by(uid_of(replica_set), kinds.POD))
        return bool(active or terminating)

    def _is_scaling(self, deployment: Object) -> bool:
        wanted = str(deployment["spec"]["replicas"])
        return any(
            item["spec"]["replicas"] and item["metadata"].get("annotations", {}).get(_DESIRED, wanted) != wanted
            for item in self._replica_sets(deployment)
        )

    def _scale_all(self, deployment: Object) -> None:
        """Bring a changed number of replicas to the ReplicaSets that have pods, in proportion."""
        replica_sets = self._replica_sets(deployment)
        active = [item for item in replica_sets if item["spec"]["replicas"]]
        if not active:
            active = [item for item in (self._current(deployment),) if item]
        allowed = deployment["spec"]["replicas"] + (limits(deployment)[0] if len(active) > 1 else 0)
        present = wanted_total(active)
        left = allowed
        for index, item in enumerate(reversed(active)):
            share = left if index == len(active) - 1 else round(item["spec"]["replicas"] * allowed / max(present, 1))
            share = min(share, left)
            left -= share
            self._scale(deployment, item, share)

    def _scale(self, deployment: Object, replica_set: Object, replicas: int) -> None:
        replica_set = self._cluster.get(kinds.REPLICA_SET, namespace_of(replica_set), name_of(replica_set))
        before = replica_set["spec"]["replicas"]
        annotations = {**replica_set["metadata"].get("annotations", {}), **_size_annotations(deployment)}
        if before == replicas and annotations == replica_set["metadata"].get("annotations"):
            return
        spec = {**replica_set["spec"], "replicas": replicas}
        scaled = {**with_metadata(replica_set, annotations=annotations), "spec": spec}
        self._cluster.write(kinds.REPLICA_SET, scaled, MANAGER)
        if before != replicas:
            self._tell_scaled(deployment, replica_set, before, replicas)

    def _tell_scaled(self, deployment: Object, replica_set: Object, before: int, after: int) -> None:
        direction = "up" if after > before else "down"
        message = f"Scaled {direction} replica set {name_of(replica_set)} from {before} to {after}"
        self._runtime.recorder.record(deployment, "ScalingReplicaSet", message, _COMPONENT)

    def _forget_old(self, deployment: Object) -> None:
        """Keep as many old ReplicaSets as `revisionHistoryLimit` says."""
        current = self._current(deployment)
        old = [
            item
            for item in self._replica_sets(deployment)
            if (current is None or uid_of(item) != uid_of(current))
            and not item["spec"]["replicas"]
            and not item["status"].get("replicas")
        ]
        surplus = len(old) - int(deployment["spec"]["revisionHistoryLimit"])
        for item in sorted(old, key=_revision)[: max(0, surplus)]:
            delete(self._runtime.store, kinds.REPLICA_SET, item, {})

    def _write_status(self, deployment: Object, new: Object | None) -> None:
        status = deployment_status(deployment, self._replica_sets(deployment), new)
        written = self._cluster.write_status(kinds.DEPLOYMENT, deployment, status, MANAGER)
        self._watch_deadline(written)

    def _watch_deadline(self, deployment: Object) -> None:
        """Look again when the progress deadline is over; nothing else may happen until then."""
        progressing = find_condition(deployment["status"], "Progressing")
        done = ("NewReplicaSetAvailable", "ProgressDeadlineExceeded")
        if progressing is None or progressing["reason"] in done or has_timed_out(deployment, progressing):
            return
        deadline = deployment["spec"]["progressDeadlineSeconds"]
        left = deadline - seconds_since(progressing["lastUpdateTime"])
        self._runtime.later(self, (namespace_of(deployment), name_of(deployment)), max(left, 0) + 0.01)


def _revision(obj: Object) -> int:
    return int(obj["metadata"].get("annotations", {}).get(_REVISION, "0"))


def _size_annotations(deployment: Object) -> dict[str, str]:
    replicas = deployment["spec"]["replicas"]
    return {_DESIRED: str(replicas), _MAXIMUM: str(replicas + limits(deployment)[0])}


def _annotations(deployment: Object, replica_set: Object | None, revision: int) -> dict[str, str]:
    """The annotations of the current ReplicaSet; an older revision that is current again goes into the history."""
    own = deployment["metadata"].get("annotations", {})
    copied = {name: text for name, text in own.items() if name not in _NOT_COPIED}
    before = dict(replica_set["metadata"].get("annotations", {})) if replica_set else {}
    out = {**before, **copied}
    if replica_set is None:
        out.update(_size_annotations(deployment))
    old = int(before.get(_REVISION, "0"))
    if old < revision:
        out[_REVISION] = str(revision)
        if old:
            history = [*before.get(_HISTORY, "").split(","), str(old)]
            out[_HISTORY] = ",".join(item for item in history if item)
    return out
