"""Everything that can be known before anything is changed, told at once."""

from collections.abc import Callable, Sequence
from typing import Any

from deployments.targets.base import Failed, Manifest, StepResult, Succeeded, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.applying import prune, rights
from deployments.targets.kubernetes.applying.definitions import is_too_early
from deployments.targets.kubernetes.applying.writing import Writing
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import (
    ClusterError,
    Modified,
    NotFound,
    OwnedByOthers,
    Refused,
    UnknownKind,
    conflicts_of,
)
from deployments.targets.kubernetes.wire.parallel import parallel

NAMESPACE = ("", "Namespace")


def preflight(cluster: Cluster, work: Work) -> StepResult:
    """Succeeded when every object would be accepted now; Failed with every reason why not. Changes nothing."""
    version = cluster.version()
    known, problems = _discover(cluster, work.objects)
    missing = rights.missing(cluster, work, known)
    problems += missing.sentences(work.namespace)
    out_of_reach = {(right.group, right.resource) for right in missing.needed}
    tried = [item for item in known if rights.resource_of(cluster, item, known)[:2] not in out_of_reach]
    outcomes = list(zip(tried, parallel(_dry_runner(cluster, work), tried), strict=True))
    problems += _refusals(outcomes, work)
    if problems:
        return Failed(" ".join(problems), evidence=_evidence(problems, outcomes))
    log = [f"{version.server} answers as Kubernetes {version.version}."]
    log += [outcome if isinstance(outcome, str) else _untried(item, outcome) for item, outcome in outcomes]
    log += [*missing.hints(), *prune.announced(cluster, work)]
    count = f"{len(tried)} {'object' if len(tried) == 1 else 'objects'}"
    return Succeeded(f"Kubernetes {version.version} would accept {count}.", log=tuple(log))


def _discover(cluster: Cluster, items: Sequence[Manifest]) -> tuple[list[Manifest], list[str]]:
    """The objects whose kind the cluster serves, or will serve because the release defines it; then the problems."""
    known: list[Manifest] = []
    problems: list[str] = []
    for item in items:
        try:
            rights.resource_of(cluster, item, items)
            known.append(item)
        except UnknownKind:
            problems.append(
                f"The cluster does not know {item['kind']} in {item['apiVersion']}, which {objects.title(item)} needs. "
                "Check the apiVersion, or install what serves it."
            )
    return known, list(dict.fromkeys(problems))


def _dry_runner(cluster: Cluster, work: Work) -> Callable[[Manifest], str]:
    """Tries one object; answers a line for the log."""
    writing = Writing(cluster, work)

    def dry_run(item: Manifest) -> str:
        notes = writing.write(item, dry_run=True).notes
        return ", ".join((f"A dry run accepted {objects.title(item)}", *notes)) + "."

    return dry_run


def _refusals(outcomes: Sequence[tuple[Manifest, str | ClusterError]], work: Work) -> list[str]:
    """What refused objects have to say. Raises the error that says more than any of them: a breakage."""
    errors = [(item, error) for item, error in outcomes if isinstance(error, ClusterError)]
    for _, error in errors:
        if not isinstance(error, Refused | Modified):
            raise error
    errors = [(item, error) for item, error in errors if not may_pass(item, error, work.objects)]
    if any(isinstance(error, NotFound) and error.missing_namespace for _, error in errors):
        return [
            f"The namespace “{work.namespace}” does not exist on the cluster. "
            "Create it, or choose another one for the target."
        ]
    return [str(error) for _, error in errors]


def may_pass(item: Manifest, error: ClusterError, items: Sequence[Manifest]) -> bool:
    """Whether the object could not be tried because the release itself brings what it needs: its kind, its namespace.

    An object of a kind that the release defines anew is held to the old definition until that has been applied.
    """
    if isinstance(error, NotFound) and error.missing_namespace:
        return any(objects.identity(each) == (*NAMESPACE, error.missing_namespace) for each in items)
    is_defined = objects.definition_of(item, items) is not None and type(error) is Refused
    return is_defined or is_too_early(error, item, items)


def _untried(item: Manifest, error: ClusterError) -> str:
    return f"{objects.title(item)} could not be tried yet: what it needs comes with this release."


def _evidence(problems: list[str], outcomes: Sequence[tuple[Manifest, str | ClusterError]]) -> dict[str, Any]:
    conflicts = [
        entry for item, error in outcomes if isinstance(error, OwnedByOthers) for entry in conflicts_of(item, error)
    ]
    return {"problems": problems} | ({"conflicts": conflicts} if conflicts else {})
