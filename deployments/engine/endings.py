"""The ways in which a deployment ends. Each runs in the caller's fenced transaction."""

from datetime import datetime
from functools import partial

from django.db import transaction

from deployments.engine.recovery import wants_automatic_rollback
from deployments.models import Deployment, Step, Target
from deployments.services.bakes import begin_bake
from deployments.services.rollbacks import bring_back_alone, bring_back_last_good
from deployments.services.waking import wake, wake_waiting
from deployments.statuses import DeploymentStatus, StepName, StepStatus
from deployments.targets.base import Failed
from deployments.transitions import move_deployment, move_step, write_log
from releases.services import mark_released

Sentence = str


def succeed(deployment: Deployment, *, now: datetime) -> None:
    move_deployment(deployment, to=DeploymentStatus.SUCCEEDED, completed_at=now, error_message="")
    write_log(deployment, f"{deployment.release.version} runs in {deployment.environment}.")
    undone = deployment.rolls_back
    if undone is not None and undone.status in (DeploymentStatus.SUCCEEDED, DeploymentStatus.FAILED):
        move_deployment(undone, to=DeploymentStatus.ROLLED_BACK, reason=deployment.reason)
    if not deployment.is_rollback and deployment.part_of_id is None and counts_as_live(deployment.target):
        mark_released(release=deployment.release, now=now)
    begin_bake(deployment, now=now)
    _tell(deployment)


def counts_as_live(target: Target) -> bool:
    """A protected environment, or the last one that the application goes to."""
    environment = target.environment
    later = Target.objects.filter(application=target.application_id, environment__position__gt=environment.position)
    return environment.protected or not later.exists()


def fail(deployment: Deployment, step: Step, failed: Failed, *, now: datetime) -> None:
    """A verdict: the cause stays on the deployment, and the last good release comes back where that is wanted."""
    message = failed.message
    move_step(step, to=StepStatus.FAILED, message=message, completed_at=now)
    _close_steps(deployment, StepStatus.SKIPPED, now)
    move_deployment(
        deployment,
        to=DeploymentStatus.FAILED,
        completed_at=now,
        error_message=message,
        evidence=dict(failed.evidence),
    )
    write_log(deployment, message, step=step.name, level="error")
    if not failed.in_doubt:
        _take_back(deployment, step, why=f"{deployment.release.version} failed: {message}")
    _tell(deployment)


def refuse(deployment: Deployment, message: Sentence, *, now: datetime) -> None:
    """It never starts: a gate is closed for good."""
    _close_steps(deployment, StepStatus.SKIPPED, now)
    move_deployment(deployment, to=DeploymentStatus.FAILED, completed_at=now, error_message=message)
    write_log(deployment, message, level="error")
    _tell(deployment)


def cancel(deployment: Deployment, step: Step | None, *, now: datetime) -> None:
    """`step` is the one that was reached, if it had started. What it had changed is taken back as after a failure."""
    person = deployment.cancel_requested_by
    by = f"Cancelled by {person}." if person else "Cancelled."
    if step is not None and step.status == StepStatus.RUNNING:
        move_step(step, to=StepStatus.CANCELLED, message=by, completed_at=now)
    _close_steps(deployment, StepStatus.SKIPPED, now)
    message = deployment.error_message or by
    move_deployment(deployment, to=DeploymentStatus.CANCELLED, completed_at=now, error_message=message)
    write_log(deployment, message, level="warning")
    if step is not None:
        _take_back(deployment, step, why=f"{deployment.release.version} was cancelled half-way.")
    _tell(deployment)


def _take_back(deployment: Deployment, step: Step, *, why: Sentence) -> None:
    if wants_automatic_rollback(deployment, step):
        bring_back_last_good(deployment, why=why)
    elif step.name == StepName.WAVES and deployment.environment.auto_rollback and not deployment.is_rollback:
        # Those that were done stay; what failed has gone back by itself, unless the rule was changed meanwhile.
        bring_back_alone(deployment, (DeploymentStatus.FAILED, DeploymentStatus.CANCELLED), why=why)


def _tell(deployment: Deployment) -> None:
    """Whoever waited for this end looks again."""
    wake_waiting(deployment.target)
    if deployment.part_of_id is not None:
        # After the commit: its lead locks its own row first and then ours. The lead's timer makes up for a kill here.
        transaction.on_commit(partial(wake, deployment.part_of_id), robust=True)


def _close_steps(deployment: Deployment, to: StepStatus, now: datetime) -> None:
    for step in deployment.steps.filter(status=StepStatus.PENDING):
        step.deployment = deployment
        move_step(step, to=to, completed_at=now)
