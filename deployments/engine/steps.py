"""What each step of the plan does: one call of the target's adapter, results out. No database here."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from deployments.models import Deployment, Step
from deployments.services.clusters import connection_to
from deployments.statuses import StepName
from deployments.targets.base import Errored, Failed, Running, StepResult, Succeeded, Target, Work
from deployments.targets.registry import ADAPTERS, get_target


def load_adapters() -> None:
    """Import every adapter now rather than with its first deployment."""
    for kind in ADAPTERS:
        get_target(kind)


def work_of(deployment: Deployment) -> Work:
    target = deployment.target
    return Work(
        deployment_id=str(deployment.pk),
        sequence=deployment.sequence or 0,
        application=target.application.slug,
        version=deployment.release.version,
        environment=target.environment.name,
        namespace=target.namespace,
        connection=connection_to(target.cluster),
        target_id=str(target.pk),
        objects=deployment.manifests,
    )


def run_step(deployment: Deployment, step: Step, *, now: datetime) -> StepResult:
    """May take as long as the cluster's time-outs allow. Safe to call again after a crash."""
    adapter = get_target(deployment.target.kind)
    work = work_of(deployment)
    if step.name == StepName.PREFLIGHT:
        return adapter.preflight(work)
    if step.name == StepName.APPLY:
        return adapter.apply(work)
    if step.name == StepName.ROLLOUT:
        return adapter.observe(work, checkpoint=step.checkpoint, now=now)
    window = timedelta(seconds=deployment.environment.verify_seconds)
    return verify(adapter, work, checkpoint=step.checkpoint, now=now, window=window)


def looks_at_nothing(deployment: Deployment, step: Step) -> bool:
    """Verifying for no time at all: it succeeds without a look at the cluster."""
    return step.name == StepName.VERIFY and not deployment.environment.verify_seconds


def verify(
    adapter: Target, work: Work, *, checkpoint: Mapping[str, Any], now: datetime, window: timedelta
) -> StepResult:
    """Succeeded once the workloads have been healthy for the whole `window`; a relapse starts it anew."""
    if not window:
        return Succeeded("The rollout is complete; this environment asks for no further watching.")
    seen = adapter.observe(work, checkpoint=checkpoint.get("rollout", {}), now=now)
    if isinstance(seen, Failed | Errored):
        return seen
    if isinstance(seen, Running):
        return Running(
            f"No longer healthy: {seen.message}",
            retry_after_seconds=seen.retry_after_seconds,
            checkpoint={"rollout": dict(seen.checkpoint)},
            log=seen.log,
        )
    since = datetime.fromisoformat(checkpoint["healthy_since"]) if "healthy_since" in checkpoint else now
    left = since + window - now
    if left <= timedelta(0):
        return Succeeded(f"Stayed healthy for {int(window.total_seconds())} s.", log=seen.log)
    return Running(
        f"Healthy; watched for another {ceil(left.total_seconds())} s.",
        retry_after_seconds=left.total_seconds(),
        checkpoint={"healthy_since": since.isoformat(), "rollout": dict(checkpoint.get("rollout", {}))},
    )
