"""From a release and a target to the rows that remember the work."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, cast
from uuid import UUID

from deployments.models import Deployment, Step, Target
from deployments.models.places import TargetKind
from deployments.statuses import StepName, StrategyType
from deployments.targets.base import Connection, InvalidContent, Manifest, Progressive, Work
from deployments.targets.base import Target as TargetAdapter
from deployments.targets.registry import get_target
from releasemgr.core import live
from releasemgr.core.errors import Invalid
from releasemgr.core.queue import enqueue
from releases.manifests import parse_manifests
from releases.models import Release

PLAN = (StepName.PREFLIGHT, StepName.APPLY, StepName.ROLLOUT, StepName.VERIFY)
# Strategies that bring a release out beside the one that runs.
PLANS: Mapping[str, tuple[StepName, ...]] = {
    StrategyType.CANARY: (StepName.PREFLIGHT, StepName.CANARY, *PLAN[1:], StepName.TIDY),
    StrategyType.BLUE_GREEN: (*PLAN, StepName.SWITCH, StepName.TIDY),
}
TICK = "deployments.tasks.tick_deployment"
# Rendering is pure, so it works without the credentials, also when they cannot be decrypted.
NOWHERE = Connection(key="", kubeconfig={})


def strategy_of(deployment: Deployment) -> str:
    return str(deployment.strategy.get("type") or StrategyType.ROLLING)


def plan_of(deployment: Deployment) -> list[StepName]:
    """The steps in order."""
    target = deployment.target
    return plan_by(deployment, leads=goes_further(deployment), has_variants=target.pk in with_variants([target]))


def plan_by(deployment: Deployment, *, leads: bool, has_variants: bool) -> list[StepName]:
    """`plan_of`, for who knows what it would ask: `goes_further` and `with_variants`.

    A rollback takes the short way, and removes what a progressive rollout left behind.
    """
    strategy = strategy_of(deployment)
    plan = list(PLANS.get(strategy, PLAN))
    if deployment.is_rollback and strategy == StrategyType.CANARY:
        plan.remove(StepName.CANARY)
    if StepName.TIDY not in plan and has_variants:
        plan.append(StepName.TIDY)
    if deployment.prune:
        plan.append(StepName.PRUNE)
    if leads:
        plan.append(StepName.WAVES)
    return plan


def with_variants(targets: Collection[Target]) -> set[UUID]:
    """Ids of targets where a strategy ever brought workloads beside others: one that failed may have left some."""
    earlier = Deployment.objects.filter(target__in=targets, sequence__isnull=False)
    progressive = earlier.filter(strategy__type__in=[str(kind) for kind in PLANS])
    return set(progressive.order_by().values_list("target_id", flat=True).distinct())


def goes_further(deployment: Deployment) -> bool:
    """Whether it leads on to further targets, or back from those to which another one led."""
    if deployment.part_of_id is not None:
        return False
    if deployment.rolls_back_id is not None:
        return Deployment.objects.filter(part_of=deployment.rolls_back_id).exists()
    target = deployment.target
    others = Target.objects.filter(application=target.application_id, environment=target.environment_id)
    return others.exclude(pk=target.pk).exists()


def render_release(release: Release, target: Target) -> list[Manifest]:
    """The objects that the release means in this target. Raises Invalid with each problem as a sentence."""
    return _judged(release, target, "render", work_for(release, target))


def stamp(deployment: Deployment) -> list[Manifest]:
    """The deployment's objects exactly as they will be applied. Raises Invalid."""
    return _judged(deployment.release, deployment.target, "stamp", work_of(deployment, NOWHERE))


def work_for(release: Release, target: Target) -> Work:
    """What an adapter needs to render `release` for `target`. Raises Invalid when the manifests are not YAML."""
    text = release.artifacts.get("manifests")
    return Work(
        deployment_id="",
        sequence=0,
        application=target.application.slug,
        version=release.version,
        environment=target.environment.name,
        namespace=target.namespace,
        connection=NOWHERE,
        target_id=str(target.pk),
        manifests=parse_manifests(text) if text else (),
        images=release.images,
        chart=release.artifacts.get("chart"),
        values=release.artifacts.get("values") or {},
        overrides=target.overrides,
        strategy=target.strategy,
        guardrails=target.guardrails,
    )


def work_of(deployment: Deployment, connection: Connection) -> Work:
    """The deployment as its adapter sees it: its stored objects, and what a chart is made of."""
    release, target = deployment.release, deployment.target
    # The release's long columns are loaded only for the kinds that need them in the cluster.
    is_rendered = target.kind == TargetKind.MANIFESTS
    return Work(
        deployment_id=str(deployment.pk),
        sequence=deployment.sequence or 0,
        application=target.application.slug,
        version=release.version,
        environment=target.environment.name,
        namespace=target.namespace,
        connection=connection,
        target_id=str(target.pk),
        objects=deployment.manifests,
        images={} if is_rendered else release.images,
        chart=None if is_rendered else release.artifacts.get("chart"),
        values={} if is_rendered else release.artifacts.get("values") or {},
        overrides=deployment.overrides,
        strategy=deployment.strategy,
        guardrails=target.guardrails,
        take_over=deployment.take_over,
        prune=deployment.prune,
        is_rollback=deployment.is_rollback,
    )


def adapter_of(deployment: Deployment) -> TargetAdapter:
    return get_target(deployment.target.kind)


def progressive(deployment: Deployment) -> Progressive:
    """The adapter of a target whose strategy was checked: only kinds that can do it take one."""
    return cast("Progressive", adapter_of(deployment))


def _judged(release: Release, target: Target, what: Literal["render", "stamp"], work: Work) -> list[Manifest]:
    adapter = get_target(target.kind)
    try:
        found = adapter.render(work) if what == "render" else adapter.stamp(work)
    except InvalidContent as exc:
        problems = list(exc.problems)
        sentence = f"{release} cannot go to {target.environment}: {problems[0]}"
        raise Invalid(sentence, details={"manifests": problems}) from None
    return [dict(manifest) for manifest in found]


def insert(deployment: Deployment) -> Deployment:
    """Write the deployment with its plan and wake a worker, in the caller's transaction."""
    insert_all({deployment: plan_of(deployment)})
    return deployment


def insert_all(plans: Mapping[Deployment, Sequence[StepName]]) -> None:
    """`insert` for many: as many statements as for one, but for the waking, and one hint to open pages."""
    Deployment.objects.bulk_create(plans)
    Step.objects.bulk_create(
        Step(deployment=deployment, position=position, name=name)
        for deployment, plan in plans.items()
        for position, name in enumerate(plan)
    )
    for deployment in plans:
        enqueue(TICK, deployment.pk)
    live.changed("board")
    live.changed("deployments")
