"""When to give up, how long to wait before trying again, and what happens then.

A verdict comes only from what was observed. So a step has a clock of its own, which counts the time in which the
cluster was seen: it stands still while the cluster is away, and while no worker looks. Time-outs are told by it.
"""

import random
from datetime import datetime, timedelta

from deployments.models import Deployment, Step
from deployments.statuses import StepName
from deployments.targets.base import Errored, Running

LONGEST_PAUSE = 30.0
LONGEST_ASKED = 120.0
# One look at the cluster holds for this long: the clock of a step that nobody looked at for longer stood still.
LOOK_HOLDS = timedelta(seconds=60)
# What a started deployment has changed must not be given up over an outage that people can end.
LONGEST_OUTAGE = timedelta(hours=1)


def pause_after(attempts: int, asked: float | None) -> timedelta:
    """Back-off of a step that errored: up to 1, 2, 4 … 30 s, or what the cluster asked for if that is longer.

    With jitter, so that all that waited for the same thing do not come back at the same moment.
    """
    most = min(2.0 ** min(max(attempts - 1, 0), 16), LONGEST_PAUSE)
    jittered = random.uniform(most / 2, most)  # noqa: S311 - jitter, not a secret
    told = min(asked or 0.0, LONGEST_ASKED) * random.uniform(1.0, 1.2)  # noqa: S311
    return timedelta(seconds=max(jittered, told))


def pause_of(result: Running) -> timedelta:
    """Until a step that is not done is asked again, should no event of the cluster wake it."""
    pause = timedelta(seconds=result.retry_after_seconds)
    return min(pause, LOOK_HOLDS) if result.has_deadline else pause


def observed(step: Step, now: datetime) -> timedelta:
    """For how long the step has seen the cluster so far."""
    since_last_look = now - step.observed_at if step.observed_at else timedelta(0)
    return timedelta(seconds=step.observed_seconds) + min(max(since_last_look, timedelta(0)), LOOK_HOLDS)


def clock_of(step: Step, now: datetime) -> datetime:
    """`now` by the step's own clock. What must have lasted for a while (a bad state, health) is measured by it."""
    return (step.started_at or now) + observed(step, now)


def patience(deployment: Deployment, step: Step) -> timedelta:
    """How long a step may take by its own clock."""
    window = deployment.environment.verify_seconds if step.name == StepName.VERIFY else 0
    # Checks have windows of their own (see `engine.checking`).
    window += step.checkpoint.get("watch_seconds", 0)
    return timedelta(seconds=deployment.target.timeout_seconds + window)


def outage_patience(deployment: Deployment, step: Step) -> timedelta:
    """How long an outage may last. Before a deployment has touched anything, giving up costs nothing."""
    usual = timedelta(seconds=deployment.target.timeout_seconds)
    is_untouched = step.name == StepName.PREFLIGHT and not deployment.is_rollback
    return usual if is_untouched else max(usual, LONGEST_OUTAGE)


def is_overdue(deployment: Deployment, step: Step, result: Running | Errored, now: datetime) -> bool:
    if isinstance(result, Errored):
        return step.away_since is not None and now - step.away_since > outage_patience(deployment, step)
    return result.has_deadline and observed(step, now) > patience(deployment, step)


def wants_automatic_rollback(deployment: Deployment, step: Step) -> bool:
    """Never for a rollback; only where the cluster may have been changed already.

    Of several targets the one that leads takes all back, or each takes back itself what failed: never both.
    """
    if not deployment.environment.auto_rollback or deployment.is_rollback or step.name == StepName.PREFLIGHT:
        return False
    if deployment.part_of_id is not None:
        return not brings_back_waves(deployment)
    return step.name != StepName.WAVES or brings_back_waves(deployment)


def brings_back_waves(deployment: Deployment) -> bool:
    """Whether the targets that were done already go back when a further one fails."""
    return deployment.environment.auto_rollback and deployment.environment.bring_back_waves
