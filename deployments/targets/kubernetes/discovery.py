"""Which existing workloads a release's images are for. Pure but for `workloads`, which lists them."""

from collections.abc import Mapping, Sequence
from typing import Any

from deployments.targets.base import Manifest, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wording import clean, listed

KINDS = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "CronJob"),
)
RESOURCES = (("apps", "deployments"), ("apps", "statefulsets"), ("apps", "daemonsets"), ("batch", "cronjobs"))
NAME_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app")


def kind_of(resource: str) -> str:
    return {f"{kind.lower()}s": kind for _, kind in KINDS}.get(resource, "")


def workloads(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    """Everything in the namespace whose images may be set."""
    return [item for api_version, kind in KINDS for item in cluster.list(api_version, kind, namespace)]


def same_as(stored: Sequence[Manifest], live: Sequence[Manifest]) -> tuple[list[Manifest], list[str]]:
    """The live workloads of `stored`, in its order, and as sentences what is missing: for bringing images back."""
    by_title = {objects.title(item): item for item in live}
    found: list[Manifest] = []
    problems = []
    for item in stored:
        workload = by_title.get(objects.title(item))
        gone = sorted(set(objects.images_of(item)) - set(objects.images_of(workload or {})))
        if workload is None:
            problems.append(f"{objects.title(item)} is no longer in the namespace.")
        elif gone:
            problems.append(f"{objects.title(item)} no longer has a container named {listed(gone)}.")
        else:
            found.append(workload)
    return found, problems


def choose(live: Sequence[Manifest], work: Work) -> tuple[list[Manifest], list[str]]:
    """The workloads that have a container of each name in `work.images`, and as sentences what can't be decided.

    Where several have it, those that belong to the application count. `overrides.workloads` limits the search.
    """
    named = work.overrides.get("workloads") or []
    problems = [
        f"The target names the workload “{str(name)[:63]}”, which the namespace “{work.namespace}” does not have. "
        f"There are: {_titles(live)}."
        for name in named
        if not any(objects.name_of(item) == name for item in live)
    ]
    searched = [item for item in live if not named or objects.name_of(item) in named]
    chosen: dict[str, Manifest] = {}
    for container in work.images:
        having = [item for item in searched if container in objects.images_of(item)]
        own = having if len(having) == 1 or named else [item for item in having if _is_of(item, work.application)]
        chosen |= {objects.title(item): item for item in own}
        if not having:
            problems.append(_nowhere(container, searched, work))
        elif not own:
            problems.append(
                f"Several workloads have a container “{container}”: {_titles(having)}, and none of them is called "
                f"{work.application}. Name those that are meant in the target's overrides: "
                '{"workloads": ["' + clean(objects.name_of(having[0]), limit=63) + '"]}.'
            )
    return list(chosen.values()), problems


def partial(found: Sequence[Manifest], images: Mapping[str, str]) -> list[dict[str, Any]]:
    """What is sent for each workload: the images of the containers that are named, and nothing else."""
    return [_partial(item, images) for item in found]


def _partial(item: Manifest, images: Mapping[str, str]) -> dict[str, Any]:
    spec = objects.pod_spec(item) or {}
    wanted: dict[str, Any] = {}
    for part in ("initContainers", "containers"):
        names = [str(container.get("name")) for container in spec.get(part) or []]
        entries = [{"name": name, "image": images[name]} for name in names if name in images]
        wanted |= {part: entries} if entries else {}
    made: dict[str, Any] = {
        "apiVersion": str(item["apiVersion"]),
        "kind": str(item["kind"]),
        "metadata": {"name": objects.name_of(item), "namespace": str(objects.metadata(item).get("namespace") or "")},
    }
    place = made
    *above, last = objects.POD_SPEC_PATHS[objects.group_of(item), str(item["kind"])]
    for step in above:
        place = place.setdefault(step, {})
    place[last] = wanted
    return made


def _is_of(item: Manifest, application: str) -> bool:
    return application in (objects.name_of(item), *(objects.labels(item).get(name) for name in NAME_LABELS))


def _nowhere(container: str, searched: Sequence[Manifest], work: Work) -> str:
    there = sorted({name for item in searched for name in objects.images_of(item)})
    if not searched:
        return f"The namespace “{work.namespace}” has no workloads: this kind of target never makes any."
    told = listed(clean(name, limit=63) for name in there)
    return f"No workload in “{work.namespace}” has a container “{container}”. Containers there: {told}."


def _titles(items: Sequence[Manifest]) -> str:
    return listed(clean(objects.title(item), limit=300) for item in items) or "none"
