"""Targets of kind `images`: the images of named containers in workloads that somebody else made and keeps.

Only what we set is ever sent (images, and the target's overrides), as a strategic merge patch: whoever scales the
workload or owns the rest of its spec is left alone. The objects of such a deployment are therefore partial.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from deployments.targets.base import Failed, InvalidContent, Manifest, StepResult, Succeeded, Work
from deployments.targets.comparison import Comparison, DriftReport
from deployments.targets.kubernetes import discovery, objects
from deployments.targets.kubernetes.applying import apply, fence
from deployments.targets.kubernetes.applying.rights import Right
from deployments.targets.kubernetes.applying.writing import Written
from deployments.targets.kubernetes.comparing import compare, drift
from deployments.targets.kubernetes.manifests import ManifestsTarget, answering
from deployments.targets.kubernetes.rendering import overrides
from deployments.targets.kubernetes.rendering.render import annotated
from deployments.targets.kubernetes.wire import granted
from deployments.targets.kubernetes.wire.cluster import Cluster
from deployments.targets.kubernetes.wire.errors import ClusterError, Forbidden, Modified
from deployments.targets.kubernetes.wire.parallel import parallel
from deployments.targets.kubernetes.wording import clean, listed

WORKLOADS = "workloads"


@dataclass(frozen=True)
class ImagesTarget:
    """Finds the workloads at the preflight; what it found is stored with the deployment and patched again later."""

    rollout: ManifestsTarget = field(default_factory=ManifestsTarget)

    def render(self, work: Work) -> tuple[Manifest, ...]:
        """Nothing yet: only the cluster knows the workloads. Raises InvalidContent for a release without images."""
        if not work.images:
            raise InvalidContent(
                ["The release names no images, and this target only sets the images of existing workloads."]
            )
        return ()

    def stamp(self, work: Work) -> tuple[Manifest, ...]:
        return tuple(annotated(item, work) for item in work.objects)

    def preflight(self, work: Work) -> StepResult:
        return answering(work, _preflight, needs_objects=False)

    def apply(self, work: Work) -> StepResult:
        return answering(work, lambda cluster, work: apply.apply_objects(cluster, work, write=cluster.merge))

    def observe(self, work: Work, *, checkpoint: Mapping[str, Any], now: datetime) -> StepResult:
        return self.rollout.observe(work, checkpoint=checkpoint, now=now)

    def evidence(self, work: Work) -> Mapping[str, Any]:
        return self.rollout.evidence(work)

    def compare(self, work: Work) -> Comparison:
        return compare.compare(work, _trying, _chosen)

    def find_drift(self, work: Work) -> DriftReport:
        """Only of what we set: the rest of these workloads was never ours."""
        return drift.find_drift(work, only_ours=True)


def _preflight(cluster: Cluster, work: Work) -> StepResult:
    """Succeeded with the partial objects, once the cluster has accepted a dry run of each patch."""
    version = cluster.version()
    missing = _missing_rights(cluster, work)
    if missing:
        return Failed(
            f"The cluster's credentials lack rights in the namespace “{work.namespace}”: {listed(missing)}. "
            "Grant them, or store other credentials for this cluster."
        )
    live = discovery.workloads(cluster, work.namespace)
    if work.objects:
        found, problems = discovery.same_as(work.objects, live)
        wanted = [dict(item) for item in work.objects]
    else:
        found, wanted, problems = _wanted(live, work)
    if not problems:
        problems = _refusals(cluster, replace(work, objects=wanted), found)
    if problems:
        return Failed(" ".join(problems), evidence={"problems": problems})
    log = [f"{version.server} answers as Kubernetes {version.version}.", *_former(found, wanted)]
    return Succeeded(_told(wanted), log=tuple(log), objects=tuple(wanted))


def _trying(cluster: Cluster, work: Work) -> compare.Try:
    def attempt(item: Manifest) -> Written:
        live = cluster.get(str(item["apiVersion"]), str(item["kind"]), work.namespace, objects.name_of(item))
        fence.refuse_if_newer(live, work)
        return Written(live, cluster.merge(item, dry_run=True))

    return attempt


def _chosen(cluster: Cluster, work: Work) -> Work:
    """The work with its partial objects. Raises InvalidContent."""
    _, wanted, problems = _wanted(discovery.workloads(cluster, work.namespace), work)
    if problems:
        raise InvalidContent(problems)
    return replace(work, objects=wanted)


def _wanted(live: Sequence[Manifest], work: Work) -> tuple[list[Manifest], list[dict[str, Any]], list[str]]:
    """The live workloads, what is sent for each, and what is wrong, in sentences."""
    found, problems = discovery.choose(live, work)
    wanted = [annotated(item, work) for item in discovery.partial(found, work.images)]
    problems += overrides.apply_overrides(wanted, _known_overrides(work)) if not problems else []
    return found, wanted, problems


def _known_overrides(work: Work) -> dict[str, Any]:
    return {name: value for name, value in work.overrides.items() if name != WORKLOADS}


def _missing_rights(cluster: Cluster, work: Work) -> list[str]:
    rights = [Right(verb, *where) for where in discovery.RESOURCES for verb in ("list", "get", "patch")]
    rights += [Right("list", "", "pods"), Right("list", "apps", "replicasets")]
    if work.objects:
        kinds = {str(item["kind"]) for item in work.objects}
        rights = [right for right in rights if right.verb != "patch" or discovery.kind_of(right.resource) in kinds]
    else:
        # Which kinds will be patched is not known yet; the dry run tells.
        rights = [right for right in rights if right.verb != "patch"]
    answers = parallel(
        lambda right: granted.is_allowed(cluster, right.verb, right.group, right.resource, work.namespace), rights
    )
    for answer in answers:
        if isinstance(answer, ClusterError):
            raise answer
    return [str(right) for right, answer in zip(rights, answers, strict=True) if not answer]


def _refusals(cluster: Cluster, work: Work, found: Sequence[Manifest]) -> list[str]:
    problems = []
    for item, live in zip(work.objects, found, strict=True):
        fence.refuse_if_newer(live, work)
        try:
            cluster.merge(item, dry_run=True)
        except Forbidden as error:
            problems.append(f"{error} Grant the right to patch it, or store other credentials for this cluster.")
        except Modified as error:
            problems.append(str(error))
    return problems


def _former(found: Sequence[Manifest], wanted: Sequence[Manifest]) -> list[str]:
    """What ran before us: the way back when nothing of ours ran here before."""
    told = []
    for live, item in zip(found, wanted, strict=True):
        before = objects.images_of(live)
        for name, image in objects.images_of(item).items():
            ran = clean(before.get(name, ""), limit=300)
            told.append(
                f"{objects.title(item)}, container {name}: {image} is there already."
                if ran == image
                else f"{objects.title(item)}, container {name}: {ran} until now, becomes {image}."
            )
    return told


def _told(wanted: Sequence[Manifest]) -> str:
    return f"Sets the images of {listed(objects.title(item) for item in wanted)}; nothing else changes."
