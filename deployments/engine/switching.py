"""The steps of blue/green that move the traffic over, and what is removed afterwards."""

from datetime import datetime, timedelta

from deployments.engine.recovery import clock_of
from deployments.models import Deployment, Step
from deployments.services.planning import adapter_of, progressive
from deployments.statuses import StrategyType
from deployments.targets.base import Failed, Progressive, Running, StepResult, Succeeded, Work
from deployments.targets.strategies import MANUAL_SECONDS, type_of, waits_for_promotion

WATCH_SECONDS = 10.0
# Connections that were open at the switch end, and proxies follow it, before the old pods go.
DRAIN_SECONDS = 5.0


def switch(deployment: Deployment, step: Step, work: Work, now: datetime) -> StepResult:
    """Send the traffic to the new workloads, once they are still well and whoever decides has decided."""
    clock = clock_of(step, now)
    memory = step.checkpoint or {"promotions": deployment.promotions, "since": clock.isoformat(), "rollout": {}}
    seen = adapter_of(deployment).observe(work, checkpoint=memory["rollout"], now=clock)
    if isinstance(seen, Running):
        kept = {**memory, "rollout": dict(seen.checkpoint)}
        return Running(f"No longer healthy: {seen.message}", seen.retry_after_seconds, kept, log=seen.log)
    if not isinstance(seen, Succeeded):
        return seen
    held = _why_held(deployment, memory)
    if not held:
        return progressive(deployment).switch(work)
    waited = clock - datetime.fromisoformat(memory["since"])
    if deployment.paused_at is None and waited > timedelta(seconds=MANUAL_SECONDS):
        return Failed("Nobody promoted it within a day. The workload before still has the traffic.")
    return Running(held, WATCH_SECONDS, memory, log=seen.log, has_deadline=False)


def _why_held(deployment: Deployment, memory: dict[str, int]) -> str:
    if deployment.is_rollback:
        return ""
    if deployment.paused_at is not None:
        return "Paused before the switch. It goes on when somebody resumes it."
    if waits_for_promotion(deployment.strategy) and deployment.promotions == memory["promotions"]:
        return "The new workload is well, without traffic. Waits for somebody to promote it."
    return ""


def tidy(deployment: Deployment, step: Step, work: Work, now: datetime) -> StepResult:
    """Remove the workload before, unless the environment may still want to go back to it at once."""
    adapter = adapter_of(deployment)
    if not isinstance(adapter, Progressive):
        return Succeeded("Nothing is left over.")
    if type_of(deployment.strategy) == StrategyType.BLUE_GREEN:
        if deployment.environment.bake_seconds and not deployment.is_rollback:
            return Succeeded("What ran before stays until the bake ends, for a way back at once.")
        left = DRAIN_SECONDS - (clock_of(step, now) - (step.started_at or now)).total_seconds()
        if left > 0:
            return Running("The traffic has moved; what served it ends its requests.", left, dict(step.checkpoint))
    return adapter.tidy(work)
