"""Everything that can be known before anything is changed, told at once."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from deployments.targets.base import Failed, Manifest, StepResult, Succeeded, Work
from deployments.targets.kubernetes import fence, objects
from deployments.targets.kubernetes.cluster import Cluster
from deployments.targets.kubernetes.errors import (
    ClusterError,
    Modified,
    NotFound,
    Refused,
    Unauthenticated,
    UnknownKind,
)
from deployments.targets.kubernetes.wording import listed

Item = TypeVar("Item")
Answer = TypeVar("Answer")
PARALLEL_REQUESTS = 8


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on a resource of an API group."""

    verb: str
    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")


# Without these a deployment still works: it is polled, failures are told with less detail.
HELPFUL_RIGHTS = (Right("watch", "", "pods"), Right("watch", "apps", "replicasets"), Right("list", "", "events"))


def preflight(cluster: Cluster, work: Work) -> StepResult:
    """Succeeded when every object would be accepted now; Failed with every reason why not. Changes nothing."""
    version = cluster.version()
    served, problems = _discover(cluster, work.objects)
    missing, unhelpful = _missing_rights(cluster, work, served)
    if missing:
        problems.append(
            f"The cluster's credentials lack rights in the namespace “{work.namespace}”: "
            f"{listed(map(str, missing))}. Grant them, or store other credentials for this cluster."
        )
    out_of_reach = {(right.group, right.resource) for right in missing}
    tried = [item for item in served if _resource(cluster, item) not in out_of_reach]
    outcomes = parallel(_dry_runner(cluster, work), tried)
    problems += _refusals([outcome for outcome in outcomes if isinstance(outcome, ClusterError)], work.namespace)
    if problems:
        return Failed(" ".join(problems), evidence={"problems": problems})
    log = [f"{version.server} answers as Kubernetes {version.version}."]
    log += [_accepted(item, former) for item, former in zip(tried, outcomes, strict=True)]
    if unhelpful:
        log.append(
            f"Without the right to {listed(map(str, unhelpful))}, progress is seen later or with less detail, "
            "and broken pods of a StatefulSet may have to be deleted by hand."
        )
    count = f"{len(tried)} {'object' if len(tried) == 1 else 'objects'}"
    return Succeeded(f"Kubernetes {version.version} would accept {count}.", log=tuple(log))


def _discover(cluster: Cluster, items: Sequence[Manifest]) -> tuple[list[Manifest], list[str]]:
    served: list[Manifest] = []
    problems: list[str] = []
    for item in items:
        kind, api_version = str(item["kind"]), str(item["apiVersion"])
        try:
            resource = cluster.resource(api_version, kind)
        except UnknownKind:
            problems.append(
                f"The cluster does not know {kind} in {api_version}, which {objects.title(item)} needs. "
                "Check the apiVersion, or install what serves it."
            )
            continue
        if resource.namespaced:
            served.append(item)
        else:
            problems.append(f"{objects.title(item)} belongs to the whole cluster, not to a namespace.")
    return served, list(dict.fromkeys(problems))


def _needed_rights(cluster: Cluster, items: Sequence[Manifest]) -> list[Right]:
    rights = [Right(verb, *_resource(cluster, item)) for item in items for verb in ("get", "patch")]
    if any(objects.is_rolled(item) for item in items):
        rights.append(Right("list", "", "pods"))
    if any(item["kind"] == "Deployment" for item in items):
        rights.append(Right("list", "apps", "replicasets"))
    return list(dict.fromkeys(rights))


def _resource(cluster: Cluster, item: Manifest) -> tuple[str, str]:
    resource = cluster.resource(str(item["apiVersion"]), str(item["kind"]))
    return resource.group or "", resource.name


def _missing_rights(cluster: Cluster, work: Work, items: Sequence[Manifest]) -> tuple[list[Right], list[Right]]:
    """Rights that are needed and missing, then those that would only help.

    The right to create is left to the dry run, which needs it only for objects that do not exist yet.
    """
    needed = _needed_rights(cluster, items)
    asked = [*needed, *HELPFUL_RIGHTS]
    if any(item["kind"] == "StatefulSet" for item in items):
        # To free it from a broken pod of another revision.
        asked.append(Right("delete", "", "pods"))
    answers = parallel(
        lambda right: cluster.is_allowed(right.verb, right.group, right.resource, work.namespace), asked
    )
    missing = []
    for right, answer in zip(asked, answers, strict=True):
        if isinstance(answer, ClusterError):
            raise answer
        if not answer:
            missing.append(right)
    return [right for right in missing if right in needed], [right for right in missing if right not in needed]


def _dry_runner(cluster: Cluster, work: Work) -> Callable[[Manifest], str]:
    """Tries one object; answers the release of another target from which it would be taken over, mostly none."""

    def dry_run(item: Manifest) -> str:
        live = cluster.get(str(item["apiVersion"]), str(item["kind"]), work.namespace, objects.name_of(item))
        fence.refuse_if_newer(live, work)
        cluster.apply(item, dry_run=True)
        return fence.taken_over_from(live, work)

    return dry_run


def parallel(call: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer | ClusterError]:
    """The answers in order; an error takes the place of its answer. Other exceptions are raised."""

    def attempt(item: Item) -> Answer | ClusterError:
        try:
            return call(item)
        except ClusterError as error:
            return error

    with ThreadPoolExecutor(max_workers=PARALLEL_REQUESTS, thread_name_prefix="preflight") as pool:
        return list(pool.map(attempt, items))


def _refusals(errors: Sequence[ClusterError], namespace: str) -> list[str]:
    """What refused objects have to say. Raises the error that says more than any of them: a breakage, or a 401."""
    for error in errors:
        if isinstance(error, Unauthenticated) or not isinstance(error, Refused | Modified):
            raise error
    if any(isinstance(error, NotFound) and error.missing_namespace for error in errors):
        return [
            f"The namespace “{namespace}” does not exist on the cluster. "
            "Create it, or choose another one for the target."
        ]
    return [str(error) for error in errors]


def _accepted(item: Manifest, former: str | ClusterError) -> str:
    told = f"A dry run accepted {objects.title(item)}."
    return (
        f"{told} So far it belongs to another target ({former}), from which it will be taken over." if former else told
    )
