"""The canary step: weight by weight, each judged before the next.

The checkpoint is the memory of a small state machine (see `services.stages`): bring the canary to its weight and wait
for its pods, then watch it for the pause while the checks are asked. Each pass first makes sure that what it remembers
is so, which changes nothing that is already there. A verdict is written down first and acted upon in the next pass: the
traffic goes back and the canary's pods go, and only then does the step fail. So a failed or aborted canary never keeps
traffic, wherever a worker dies.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from deployments.engine.checking import Round, ask_round, told
from deployments.engine.judging import Standing
from deployments.engine.recovery import clock_of
from deployments.models import Deployment, Step
from deployments.services.asking import checks_of
from deployments.services.planning import adapter_of, progressive
from deployments.services.stages import CanaryMemory, CanaryPhase
from deployments.statuses import StepName, StepStatus
from deployments.targets.base import Errored, Failed, Running, StepResult, Succeeded, Work
from deployments.targets.kubernetes import objects
from deployments.targets.kubernetes.strategies.canary import SUFFIX
from deployments.targets.strategies import MANUAL_SECONDS, CanaryStep, canary_steps

# Changes of its pods wake the step; this is for the news that got lost.
LOOK_SECONDS = 2.0
WATCH_SECONDS = 5.0


def must_withdraw(step: Step) -> bool:
    """Whether a cancelled deployment still has a canary that must go first."""
    is_out = step.name == StepName.CANARY and step.status == StepStatus.RUNNING
    return is_out and step.checkpoint.get("phase") != CanaryPhase.WITHDRAWN


def canary_objects(deployment: Deployment) -> list[dict[str, Any]]:
    """What stands in for the release's Deployments while it is tried, as far as it has to be followed."""
    return [
        {**item, "metadata": {**item["metadata"], "name": objects.name_of(item) + SUFFIX}}
        for item in deployment.manifests
        if item.get("kind") == "Deployment"
    ]


def advance(deployment: Deployment, step: Step, work: Work, now: datetime) -> StepResult:
    """One look at the canary; Succeeded when it has passed every weight."""
    clock = clock_of(step, now)
    memory = CanaryMemory.recall(step.checkpoint, now=clock, promotions=deployment.promotions)
    if memory.failure or deployment.cancel_requested_at is not None:
        return _withdraw(deployment, work, memory, clock)
    stage = canary_steps(deployment.strategy)[memory.index]
    seen = progressive(deployment).shift(work, stage.weight, checkpoint=memory.shift, now=clock)
    if isinstance(seen, Errored):
        return seen
    memory = memory.let_go(clock) if deployment.paused_at is None else memory.held(clock)
    if isinstance(seen, Failed):
        return _fallen(memory, seen)
    if isinstance(seen, Running):
        return _not_ready(deployment, memory, stage, work, seen, clock)
    if seen.checkpoint.get("nothing_runs"):
        return Succeeded(f"{seen.message} The canary is left out.", log=seen.log)
    result = _watch(deployment, memory, stage, work, clock)
    return replace(result, log=(*seen.log, *result.log))


def _not_ready(
    deployment: Deployment, memory: CanaryMemory, stage: CanaryStep, work: Work, seen: Running, clock: datetime
) -> StepResult:
    if memory.phase is not CanaryPhase.SHIFTING:
        # A relapse: the pause begins anew once it is well again.
        memory = replace(memory, phase=CanaryPhase.SHIFTING, since=clock, checks={})
    memory = replace(memory, shift=seen.checkpoint)
    seconds = deployment.target.timeout_seconds
    if deployment.paused_at is None and clock - memory.since > timedelta(seconds=seconds):
        message = f"{seen.message} (gave up after {seconds} s, the target's time-out)"
        return _fallen(memory, Failed(message, evidence=adapter_of(deployment).evidence(work)))
    return _waiting(f"Canary at {stage.weight} %: {seen.message}", memory, LOOK_SECONDS, log=seen.log)


def _watch(
    deployment: Deployment, memory: CanaryMemory, stage: CanaryStep, work: Work, clock: datetime
) -> Running | Succeeded:
    """The canary is well at its weight: ask the checks, and see whether the pause is over."""
    log: tuple[str, ...] = ()
    if memory.phase is CanaryPhase.SHIFTING:
        memory = replace(memory, phase=CanaryPhase.WATCHING, since=clock, promotions=deployment.promotions, checks={})
        log = (f"The canary is ready at {stage.weight} %.",)
    round_ = ask_round(
        checks_of(deployment), memory.checks, work, phase=f"canary {stage.weight} %", now=clock,
        endless=stage.pause_seconds is None,
    )  # fmt: skip
    memory = replace(memory, checks=round_.as_rows())
    if bad := round_.of(Standing.FAILED):
        fallen = _fallen(memory, Failed(told(bad), evidence={"checks": round_.evidence()}))
        return replace(fallen, log=log, measured=round_.measured)
    if deployment.paused_at is not None:
        message = f"Paused at {stage.weight} %. It goes on when somebody resumes it."
        return replace(_waiting(message, memory, WATCH_SECONDS), log=log, measured=round_.measured)
    result = _paced(deployment, memory, stage, round_, clock)
    return replace(result, log=(*log, *result.log), measured=round_.measured)


def _paced(
    deployment: Deployment, memory: CanaryMemory, stage: CanaryStep, round_: Round, clock: datetime
) -> Running | Succeeded:
    if deployment.promotions > memory.promotions:
        return _next(deployment, memory, clock, log=f"Promoted at {stage.weight} %.")
    waited = (clock - memory.since).total_seconds()
    doubtful = round_.of(Standing.IN_DOUBT)
    if stage.pause_seconds is None or doubtful:
        return _waiting_for_a_person(memory, stage, waited, told(doubtful) if doubtful else "")
    left = stage.pause_seconds - waited
    if left > 0:
        message = f"Canary at {stage.weight} % and well; watched for another {ceil(left)} s."
        return _waiting(message, memory, min(left, WATCH_SECONDS, round_.look_again_in() or WATCH_SECONDS))
    if not round_.is_over:
        message = f"Canary at {stage.weight} %: waits for what its checks say."
        return _waiting(message, memory, min(round_.look_again_in() or WATCH_SECONDS, WATCH_SECONDS))
    return _next(deployment, memory, clock)


def _waiting_for_a_person(memory: CanaryMemory, stage: CanaryStep, waited: float, doubt: str) -> Running:
    if waited > MANUAL_SECONDS:
        return _fallen(memory, Failed(f"Nobody promoted the canary at {stage.weight} % within a day."))
    why = f"nobody could tell whether it is healthy. {doubt} Promote or abort it." if doubt else ""
    message = f"Canary at {stage.weight} %: {why or 'well, and waits for somebody to promote it.'}"
    return _waiting(message, memory, WATCH_SECONDS)


def _next(deployment: Deployment, memory: CanaryMemory, clock: datetime, log: str = "") -> Running | Succeeded:
    steps = canary_steps(deployment.strategy)
    lines = (log,) if log else ()
    if memory.index + 1 == len(steps):
        passed = ", ".join(f"{step.weight} %" for step in steps)
        return Succeeded(f"The canary did well at {passed}.", checkpoint=memory.as_checkpoint(), log=lines)
    onward = CanaryMemory(since=clock, promotions=deployment.promotions, index=memory.index + 1)
    return _waiting(f"Goes on to {steps[onward.index].weight} %.", onward, 0.0, log=lines)


def _fallen(memory: CanaryMemory, failed: Failed) -> Running:
    """The verdict, written down before anything is done about it."""
    memory = replace(memory, failure=failed.message, evidence=failed.evidence)
    return _waiting(f"{failed.message} The canary is taken away.", memory, 0.0, log=failed.log)


def _withdraw(deployment: Deployment, work: Work, memory: CanaryMemory, clock: datetime) -> StepResult:
    gone = progressive(deployment).shift(work, 0, checkpoint={}, now=clock)
    if isinstance(gone, Errored):
        return gone
    if isinstance(gone, Running):
        return _waiting(gone.message, memory, gone.retry_after_seconds, log=gone.log)
    if memory.failure:
        trouble = f" The canary could not be taken away: {gone.message}" if isinstance(gone, Failed) else ""
        return Failed(memory.failure + trouble, evidence=memory.evidence, log=gone.log)
    memory = replace(memory, phase=CanaryPhase.WITHDRAWN)
    return _waiting(f"The canary is taken away. {gone.message}", memory, 0.0, log=gone.log)


def _waiting(message: str, memory: CanaryMemory, seconds: float, *, log: tuple[str, ...] = ()) -> Running:
    # Its time-outs are its own: a pause, or a person who takes an hour, is no delay.
    return Running(message, max(seconds, 0.0), memory.as_checkpoint(), log=log, has_deadline=False)
