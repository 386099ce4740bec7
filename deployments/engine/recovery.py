"""When to give up, how long to wait before trying again, and what happens then."""

from datetime import datetime, timedelta

from deployments.models import Deployment, Step
from deployments.statuses import StepName

# Nothing has been touched before apply, so giving up early costs nothing and tells people sooner.
PREFLIGHT_PATIENCE = timedelta(seconds=20)
LONGEST_PAUSE = 30.0


def pause_after(attempts: int, asked: float | None) -> timedelta:
    """Back-off of a step that errored: 1, 2, 4 … 30 s, or what the cluster asked for if that is longer."""
    return timedelta(seconds=max(min(2.0 ** max(attempts - 1, 0), LONGEST_PAUSE), min(asked or 0.0, 120.0)))


def patience(deployment: Deployment, step: Step) -> timedelta:
    """How long a step may take in all, errors included."""
    if step.name == StepName.PREFLIGHT:
        return PREFLIGHT_PATIENCE
    window = timedelta(seconds=deployment.environment.verify_seconds if step.name == StepName.VERIFY else 0)
    return timedelta(seconds=deployment.target.timeout_seconds) + window


def is_overdue(deployment: Deployment, step: Step, now: datetime) -> bool:
    return step.started_at is not None and now - step.started_at > patience(deployment, step)


def wants_automatic_rollback(deployment: Deployment, step: Step) -> bool:
    """Never for a rollback; only where the cluster may have been changed already."""
    return deployment.environment.auto_rollback and not deployment.is_rollback and step.name != StepName.PREFLIGHT
