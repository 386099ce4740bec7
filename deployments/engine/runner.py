"""`tick`: one bounded pass over one deployment. Observe, then act; write, commit, then touch the outside.

A pass goes on from step to step while each succeeds at once, under one claim; it ends where there is something to
wait for, and then holds no worker.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from deployments.engine import claims, endings
from deployments.engine.claims import Claim, LostClaim, fenced
from deployments.engine.gates import Gate, ask_gates
from deployments.engine.recovery import is_overdue, pause_after
from deployments.engine.steps import collect_evidence, run_step
from deployments.engine.verification import looks_at_nothing
from deployments.models import Deployment, Step, Target
from deployments.services.planning import stamp
from deployments.services.waking import wake_those_behind
from deployments.statuses import STEPS_OPEN, DeploymentStatus, StepName, StepStatus
from deployments.targets.base import Errored, Failed, Running, StepResult, Succeeded
from deployments.transitions import announce, move_deployment, move_step, write_log
from releasemgr.core.errors import Invalid

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
AT_ONCE = timedelta(0)
# The start and each step of the plan: a pass is bounded whatever happens.
MOST_MOVES = 1 + len(StepName)
# Gates without a time of their own are asked again this often, should nobody wake the deployment.
GATE_PAUSE = timedelta(seconds=60)


class Outcome(Enum):
    """What the caller does next."""

    AGAIN = "there is more to do now"
    ASLEEP = "a timer or a cluster event will wake it"
    LEFT = "ended, not due, or another worker's"


def tick(deployment_id: UUID, *, clock: Clock = timezone.now) -> Outcome:
    """Move the deployment by one pass. Any number of workers may call it at any time; one at most gets through."""
    claim = claims.take(deployment_id)
    if claim is None:
        return Outcome.LEFT
    try:
        with claims.kept_alive(claim):
            sleep = _go_on(claim, clock)
    except LostClaim:
        logger.warning("Another worker took over", extra={"deployment": str(deployment_id)})
        return Outcome.LEFT
    except Exception:
        logger.exception("A tick broke; it is tried again", extra={"deployment": str(deployment_id)})
        sleep = timedelta(seconds=5)
    woken = claims.release(claim, sleep=sleep)
    return Outcome.AGAIN if woken else (Outcome.LEFT if sleep is None else Outcome.ASLEEP)


def _go_on(claim: Claim, clock: Clock) -> timedelta | None:
    """How long to sleep: AT_ONCE for not at all, None when the deployment has ended."""
    deployment = claims.load(claim)
    sleep: timedelta | None = AT_ONCE
    for _ in range(MOST_MOVES):
        if sleep != AT_ONCE:
            break
        sleep = _advance(claim, deployment, clock)
    return sleep


def _advance(claim: Claim, deployment: Deployment, clock: Clock) -> timedelta | None:
    """One move: start it, or run one step."""
    now = clock()
    with fenced(claim, deployment):
        if deployment.status == DeploymentStatus.PENDING:
            return _start_or_wait(deployment, now)
        step = _open_step(deployment)
        if step is None:
            endings.succeed(deployment, now=now)
            return None
        if deployment.cancel_requested_at is not None:
            endings.cancel(deployment, step, now=now)
            return None
        if step.status == StepStatus.PENDING:
            move_step(step, to=StepStatus.RUNNING, started_at=now, message="")
    result = _call(deployment, step, now)
    if isinstance(result, Running | Errored) and is_overdue(deployment, step, clock()):
        result = _given_up(deployment, result)
    with fenced(claim, deployment):
        return _save(deployment, step, result, clock())


def _open_step(deployment: Deployment) -> Step | None:
    step = deployment.steps.filter(status__in=STEPS_OPEN).order_by("position").first()
    if step is not None:
        step.deployment = deployment
    return step


def _start_or_wait(deployment: Deployment, now: datetime) -> timedelta | None:
    if deployment.cancel_requested_at is not None:
        endings.cancel(deployment, None, now=now)
        return None
    gates = ask_gates(deployment, now)
    closed = [gate for gate in gates if not gate.open]
    _remember_gates(deployment, gates)
    for gate in closed:
        if gate.final:
            endings.refuse(deployment, gate.sentence, now=now)
            return None
    try:
        if not closed and _start(deployment, now):
            return AT_ONCE
    except Invalid as error:
        endings.refuse(deployment, error.message, now=now)
        return None
    if any(gate.kind != "turn" for gate in closed):
        wake_those_behind(deployment)
    times = [gate.opens_at - now for gate in closed if gate.opens_at]
    return max(min([*times, GATE_PAUSE]), timedelta(milliseconds=200))


def _remember_gates(deployment: Deployment, gates: list[Gate]) -> None:
    rows = [gate.as_row() for gate in gates]
    if rows == deployment.gates:
        return
    deployment.gates = rows
    deployment.save(update_fields=["gates"])
    announce(deployment)


def _start(deployment: Deployment, now: datetime) -> bool:
    """False when another deployment of the target started in the same moment: the unique index decides.

    Raises Invalid when what was asked for no longer fits the target.
    """
    try:
        with transaction.atomic():
            deployment.sequence = _next_sequence(deployment.target)
            manifests = stamp(deployment)
            move_deployment(
                deployment,
                to=DeploymentStatus.IN_PROGRESS,
                started_at=now,
                sequence=deployment.sequence,
                manifests=manifests,
            )
    except IntegrityError:
        deployment.refresh_from_db(fields=["status", "sequence", "started_at", "manifests"])
        return False
    return True


def _next_sequence(target: Target) -> int:
    Target.objects.filter(pk=target.pk).update(deployment_sequence=F("deployment_sequence") + 1)
    return Target.objects.values_list("deployment_sequence", flat=True).get(pk=target.pk)


def _call(deployment: Deployment, step: Step, now: datetime) -> StepResult:
    """The step's answer; whatever it throws is a breakage, never a verdict."""
    try:
        return run_step(deployment, step, now=now)
    except ImproperlyConfigured as exc:
        logger.exception("A step broke", extra={"deployment": str(deployment.pk), "step": step.name})
        return Errored(str(exc))
    except Exception as exc:
        logger.exception("A step broke", extra={"deployment": str(deployment.pk), "step": step.name})
        return Errored(f"Release Manager could not run this step ({type(exc).__name__}). It tries again.")


def _save(deployment: Deployment, step: Step, result: StepResult, now: datetime) -> timedelta | None:
    write_log(deployment, *result.log, step=step.name)
    if isinstance(result, Succeeded):
        if result.objects is not None:
            deployment.manifests = [dict(item) for item in result.objects]
            deployment.save(update_fields=["manifests"])
        move_step(
            step,
            to=StepStatus.SUCCEEDED,
            message=result.message,
            checkpoint=dict(result.checkpoint),
            completed_at=now,
        )
        write_log(deployment, result.message, step=step.name)
        return _after_success(deployment, now)
    if isinstance(result, Failed):
        endings.fail(deployment, step, result.message, now=now, evidence=result.evidence)
        return None
    return _wait(deployment, step, result)


def _after_success(deployment: Deployment, now: datetime) -> timedelta | None:
    step = _open_step(deployment)
    if step is None:
        endings.succeed(deployment, now=now)
        return None
    if deployment.cancel_requested_at is None and step.name == StepName.VERIFY and looks_at_nothing(deployment):
        # A tick of its own would only cost time.
        move_step(step, to=StepStatus.RUNNING, started_at=now, message="")
        return _save(deployment, step, run_step(deployment, step, now=now), now)
    return AT_ONCE


def _given_up(deployment: Deployment, result: Running | Errored) -> Failed:
    """Time is up: with what the cluster tells about it, before anything is rolled back."""
    if isinstance(result, Errored):
        return Failed(result.message, log=result.log)
    try:
        evidence = collect_evidence(deployment)
    except Exception:
        logger.exception("The evidence could not be collected", extra={"deployment": str(deployment.pk)})
        evidence = {}
    seconds = deployment.target.timeout_seconds
    message = f"{result.message} (gave up after {seconds} s, the target's time-out)"
    return Failed(message, evidence=evidence, log=result.log)


def _wait(deployment: Deployment, step: Step, result: Running | Errored) -> timedelta:
    if isinstance(result, Errored):
        attempts = step.attempts + 1
        pause = pause_after(attempts, result.retry_after_seconds)
        message = f"{result.message} Tries again in {int(pause.total_seconds())} s."
        fields: dict[str, object] = {"attempts": attempts, "message": message}
    else:
        pause = timedelta(seconds=result.retry_after_seconds)
        message = result.message
        fields = {"attempts": 0, "message": message, "checkpoint": dict(result.checkpoint)}
    if message != step.message:
        write_log(deployment, message, step=step.name, level="warning" if isinstance(result, Errored) else "info")
        announce(deployment)
    Step.objects.filter(pk=step.pk, status=StepStatus.RUNNING).update(**fields)
    return pause
