"""Proves for a while that what was rolled out stays healthy."""

from datetime import datetime, timedelta
from math import ceil

from deployments.models import Deployment, Step
from deployments.services.planning import adapter_of
from deployments.targets.base import Errored, Failed, Running, StepResult, Succeeded, Work


def looks_at_nothing(deployment: Deployment) -> bool:
    """Verifying for no time at all: it succeeds without a look at the cluster."""
    return not deployment.environment.verify_seconds


def verify(deployment: Deployment, step: Step, work: Work, now: datetime) -> StepResult:
    """Succeeded once the workloads have been healthy for the whole window; a relapse starts it anew."""
    if looks_at_nothing(deployment):
        return Succeeded("The rollout is complete; this environment asks for no further watching.")
    window = timedelta(seconds=deployment.environment.verify_seconds)
    checkpoint = step.checkpoint
    seen = adapter_of(deployment).observe(work, checkpoint=checkpoint.get("rollout", {}), now=now)
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
