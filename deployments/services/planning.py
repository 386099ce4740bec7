"""From a release and a target to the rows that remember the work."""

from collections.abc import Mapping, Sequence
from typing import Any

from deployments.models import Deployment, Step, Target
from deployments.statuses import StepName
from deployments.targets.base import Connection, InvalidContent, Manifest, Work
from deployments.targets.registry import get_target
from releasemgr.core import live
from releasemgr.core.errors import Invalid
from releasemgr.core.queue import enqueue
from releases.manifests import parse_manifests
from releases.models import Release

PLAN = (StepName.PREFLIGHT, StepName.APPLY, StepName.ROLLOUT, StepName.VERIFY)
TICK = "deployments.tasks.tick_deployment"
# Rendering is pure, so it works without the credentials, also when they cannot be decrypted.
NOWHERE = Connection(key="", kubeconfig={})


def render_release(release: Release, target: Target) -> list[Manifest]:
    """The objects that the release means in this target. Raises Invalid with each problem as a sentence."""
    text = release.artifacts.get("manifests")
    if not text:
        raise _unfit(release, target, [f"{release} holds no manifests, and {target} is made from manifests."])
    return render(release, target, manifests=parse_manifests(text), images=release.images, overrides=target.overrides)


def render_again(
    release: Release, target: Target, manifests: Sequence[Manifest], deployment: Deployment
) -> list[Manifest]:
    """Objects that were rendered before, stamped for `deployment`: nothing but our own marks changes."""
    return render(release, target, manifests=manifests, deployment=deployment)


def render(
    release: Release,
    target: Target,
    *,
    manifests: Sequence[Manifest],
    images: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    deployment: Deployment | None = None,
) -> list[Manifest]:
    work = Work(
        deployment_id=str(deployment.pk) if deployment else "",
        sequence=(deployment.sequence or 0) if deployment else 0,
        application=target.application.slug,
        version=release.version,
        environment=target.environment.name,
        namespace=target.namespace,
        connection=NOWHERE,
        target_id=str(target.pk),
        manifests=manifests,
        images=images or {},
        overrides=overrides or {},
    )
    try:
        return [dict(manifest) for manifest in get_target(target.kind).render(work)]
    except InvalidContent as exc:
        raise _unfit(release, target, list(exc.problems)) from None


def _unfit(release: Release, target: Target, problems: list[str]) -> Invalid:
    return Invalid(f"{release} cannot go to {target.environment}: {problems[0]}", details={"manifests": problems})


def insert(deployment: Deployment) -> Deployment:
    """Write the deployment with its plan and wake a worker, in the caller's transaction."""
    deployment.save(force_insert=True)
    Step.objects.bulk_create(
        Step(deployment=deployment, position=position, name=name) for position, name in enumerate(PLAN)
    )
    enqueue(TICK, deployment.pk)
    live.changed("board")
    live.changed("deployments")
    return deployment
