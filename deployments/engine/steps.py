"""What each step of the plan does: one call of the target's adapter, results out."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from deployments.engine import canary, switching
from deployments.engine.pruning import prune
from deployments.engine.recovery import clock_of
from deployments.engine.verification import verify
from deployments.engine.waves import lead_on
from deployments.models import Deployment, Step
from deployments.services.clusters import connection_to
from deployments.services.planning import adapter_of, work_of
from deployments.statuses import StepName
from deployments.targets.base import StepResult, Work
from deployments.targets.registry import ADAPTERS, get_target

Runner = Callable[[Deployment, Step, Work, datetime], StepResult]
# Steps that judge what `apply` has written.
LOOKING = (StepName.ROLLOUT, StepName.VERIFY)


def load_adapters() -> None:
    """Import every adapter now rather than with its first deployment."""
    for kind in ADAPTERS:
        get_target(kind)


def run_step(deployment: Deployment, step: Step, *, now: datetime) -> StepResult:
    """May take as long as the cluster's time-outs allow. Safe to call again after a crash."""
    work = work_of(deployment, connection_to(deployment.target.cluster))
    if step.name in LOOKING:
        work = replace(work, written=_written_by(deployment))
    return RUNNERS[step.name](deployment, step, work, now)


def collect_evidence(deployment: Deployment) -> Mapping[str, Any]:
    """What the cluster tells about a step that ran out of time."""
    work = work_of(deployment, connection_to(deployment.target.cluster))
    return adapter_of(deployment).evidence(work)


def _written_by(deployment: Deployment) -> Mapping[str, Any]:
    applied = deployment.steps.filter(name=StepName.APPLY).values_list("checkpoint", flat=True).first()
    written: Mapping[str, Any] = (applied or {}).get("written", {})
    return written


def _preflight(deployment: Deployment, step: Step, work: Work, now: datetime) -> StepResult:
    return adapter_of(deployment).preflight(work)


def _apply(deployment: Deployment, step: Step, work: Work, now: datetime) -> StepResult:
    return adapter_of(deployment).apply(work)


def _observe(deployment: Deployment, step: Step, work: Work, now: datetime) -> StepResult:
    return adapter_of(deployment).observe(work, checkpoint=step.checkpoint, now=clock_of(step, now))


RUNNERS: Mapping[str, Runner] = {
    StepName.PREFLIGHT: _preflight,
    StepName.CANARY: canary.advance,
    StepName.APPLY: _apply,
    StepName.ROLLOUT: _observe,
    StepName.VERIFY: verify,
    StepName.SWITCH: switching.switch,
    StepName.TIDY: switching.tidy,
    StepName.PRUNE: prune,
    StepName.WAVES: lead_on,
}
