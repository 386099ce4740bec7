"""Which pods belong to which revision of a workload, and whether they run what we asked for. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.wording import clean

Object = Mapping[str, Any]
TEMPLATE_HASH = "pod-template-hash"
REVISION_HASH = "controller-revision-hash"
TEMPLATE_GENERATION = "pod-template-generation"
TEMPLATE_GENERATION_ANNOTATION = "deprecated.daemonset.template.generation"
REVISION = "deployment.kubernetes.io/revision"


@dataclass(frozen=True, slots=True)
class Scene:
    """A live workload with the ReplicaSets and pods that its selector finds, and the object that we applied."""

    wanted: Object
    live: Object
    replica_sets: Sequence[Object] = ()
    pods: Sequence[Object] = ()


@dataclass(frozen=True, slots=True)
class RevisionPods:
    """Pods of the wanted revision, pods that still have to go, and the ReplicaSet that makes the new ones."""

    new: Sequence[Object] = ()
    old: Sequence[Object] = ()
    replica_sets: Sequence[Object] = ()


def new_replica_set(deployment: Object, replica_sets: Sequence[Object]) -> Object | None:
    """The ReplicaSet of the Deployment's present template, or None while the controller has not made it."""
    own = [item for item in replica_sets if objects.owner(item).get("uid") == objects.metadata(deployment).get("uid")]
    template = _template(deployment)
    for item in own:
        if _template(item) == template:
            return item
    revision = objects.annotation(deployment, REVISION)
    return next((item for item in own if revision and objects.annotation(item, REVISION) == revision), None)


def deployment_pods(scene: Scene) -> RevisionPods:
    """A Deployment's pods, told apart by the ReplicaSet that owns them."""
    own = {
        objects.metadata(item).get("uid"): item
        for item in scene.replica_sets
        if objects.owner(item).get("uid") == objects.metadata(scene.live).get("uid")
    }
    newest = new_replica_set(scene.live, scene.replica_sets)
    newest_uid = objects.metadata(newest).get("uid") if newest else None
    alive = [pod for pod in scene.pods if objects.owner(pod).get("uid") in own and not _is_finished(pod)]
    new = [pod for pod in alive if objects.owner(pod).get("uid") == newest_uid]
    old = [pod for pod in alive if objects.owner(pod).get("uid") != newest_uid]
    return RevisionPods(new=_staying(new), old=[*old, *leaving(new)], replica_sets=[newest] if newest else [])


def revision_pods(scene: Scene, is_new: Callable[[Object], bool]) -> RevisionPods:
    """The pods that the workload owns itself, told apart by `is_new`."""
    uid = objects.metadata(scene.live).get("uid")
    alive = [pod for pod in scene.pods if objects.owner(pod).get("uid") == uid and not _is_finished(pod)]
    new = [pod for pod in alive if is_new(pod)]
    return RevisionPods(new=_staying(new), old=[*(pod for pod in alive if not is_new(pod)), *leaving(new)])


def stateful_set_pods(scene: Scene) -> RevisionPods:
    """A StatefulSet's pods, told apart by the revision that its status wants."""
    wanted = (scene.live.get("status") or {}).get("updateRevision")
    return revision_pods(scene, lambda pod: objects.labels(pod).get(REVISION_HASH) == wanted)


def daemon_set_pods(scene: Scene) -> RevisionPods:
    """A DaemonSet's pods: the new ones are of its newest template, whichever change brought that template.

    Going back counts the template's generation on, but leaves alone the pods of the very same template that were not
    replaced yet: they keep their older number, and only their hash, or the controller's own count, tells.
    """
    generation = objects.annotation(scene.live, TEMPLATE_GENERATION_ANNOTATION)
    status = scene.live.get("status") or {}
    wanted = int(status.get("desiredNumberScheduled") or 0)
    if wanted and int(status.get("updatedNumberScheduled") or 0) >= wanted:
        return revision_pods(scene, lambda pod: True)
    newest = [pod for pod in scene.pods if objects.labels(pod).get(TEMPLATE_GENERATION) == generation]
    hashes = {objects.labels(pod).get(REVISION_HASH) for pod in newest}
    return revision_pods(scene, lambda pod: objects.labels(pod).get(REVISION_HASH) in hashes)


def drift(scene: Scene) -> str:
    """Why the live workload no longer asks for our images; empty when it does."""
    live = objects.images_of(scene.live)
    for name, image in objects.images_of(scene.wanted).items():
        if live.get(name) != image:
            found = f"asks for {clean(live[name], limit=300)}" if name in live else "is gone"
            return (
                f"Changed in the cluster, not by us: container {name} of {objects.title(scene.wanted)} {found}, "
                f"not for {image}. Deploy again once nobody else changes it."
            )
    return ""


def foreign_image(wanted: Object, pods: Sequence[Object]) -> str:
    """Why a pod of the new revision does not run exactly what the release says; empty when all do."""
    images = objects.images_of(wanted)
    for pod in pods:
        spec_images = {str(c.get("name")): str(c.get("image")) for c in objects.containers(pod.get("spec"))}
        for name, image in images.items():
            if spec_images.get(name, image) != image:
                return (
                    f"Pod {objects.name_of(pod)} runs {clean(spec_images[name], limit=300)} in container {name}, not "
                    f"{image}: something in the cluster, such as an admission webhook, replaces the image."
                )
        for name, running in _running_digests(pod).items():
            digest = images.get(name, "").partition("@")[2]
            if digest and digest != running:
                return f"Pod {objects.name_of(pod)} runs digest {running} in container {name}, not {digest}."
    return ""


def _running_digests(pod: Object) -> dict[str, str]:
    status = pod.get("status") or {}
    found = {}
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        digest = str(container.get("imageID") or "").partition("@")[2]
        if digest.startswith("sha256:"):
            found[str(container.get("name"))] = clean(digest, limit=80)
    return found


def _staying(pods: Sequence[Object]) -> list[Object]:
    return [pod for pod in pods if not objects.metadata(pod).get("deletionTimestamp")]


def leaving(pods: Sequence[Object]) -> list[Object]:
    """Those that were told to end."""
    return [pod for pod in pods if objects.metadata(pod).get("deletionTimestamp")]


def _is_finished(pod: Object) -> bool:
    # Evicted pods stay as Failed objects until they are collected; they hold up nothing.
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def applied_at(item: Object) -> str:
    """When our field manager last changed the object, by the cluster's clock (RFC 3339); empty when never.

    `Update` is what a patch of single fields counts as.
    """
    times = [
        str(entry.get("time", ""))
        for entry in objects.metadata(item).get("managedFields") or []
        if entry.get("manager") == objects.MANAGER
        and entry.get("operation") in ("Apply", "Update")
        and not entry.get("subresource")
    ]
    return max(times, default="")


def _template(item: Object) -> Any:
    template = dict((item.get("spec") or {}).get("template") or {})
    meta = dict(template.get("metadata") or {})
    meta["labels"] = {name: value for name, value in (meta.get("labels") or {}).items() if name != TEMPLATE_HASH}
    meta.pop("creationTimestamp", None)
    return {**template, "metadata": meta}
