"""`tick`: one bounded pass over one deployment. Observe, then act; write, commit, then touch the outside.

A pass goes on from step to step while each succeeds at once, under one claim; it ends where there is something to
wait for, and then holds no worker.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.db.models import F

from deployments.engine import claims, endings, outages
from deployments.engine.canary import canary_objects, must_withdraw
from deployments.engine.claims import Claim, fenced
from deployments.engine.following.reliance import relying
from deployments.engine.following.rows import begin_to_follow
from deployments.engine.gates import Gate, ask_gates
from deployments.engine.passes import Outcome, run_pass
from deployments.engine.recovery import is_overdue, observed, pause_after, pause_of
from deployments.engine.steps import collect_evidence, run_step
from deployments.models import Deployment, Step, Target
from deployments.selectors.waves import has_open_parts
from deployments.services.bakes import end_bakes_before, must_step_back
from deployments.services.measurements import write_measurements
from deployments.services.planning import stamp
from deployments.services.waking import wake_those_behind
from deployments.statuses import STEPS_OPEN, DeploymentStatus, StepName, StepStatus
from deployments.targets.base import Errored, Failed, Running, StepResult, Succeeded
from deployments.transitions import announce, move_deployment, move_step, write_log
from releasemgr.core.errors import Invalid

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
AT_ONCE = timedelta(0)
# The step to do now, how long to sleep, or None: the deployment has ended.
Move = Step | timedelta | None
# A pass is bounded whatever happens.
MOST_STEPS = len(StepName)
# Gates without a time of their own are asked again this often, should nobody wake the deployment.
GATE_PAUSE = timedelta(seconds=60)


def tick(deployment_id: UUID, *, clock: Clock | None = None) -> Outcome:
    """Move the deployment by one pass. Any number of workers may call it at any time; one at most gets through.

    `clock` takes the place of the database's time.
    """
    return run_pass(claims.take(deployment_id), lambda claim: _go_on(claim, clock or claim.now))


def _go_on(claim: Claim, clock: Clock) -> timedelta | None:
    """How long to sleep; None when the deployment has ended."""
    deployment = claims.load(claim)
    with fenced(claim, deployment):
        move = _begin(deployment, clock())
    for _ in range(MOST_STEPS):
        if not isinstance(move, Step):
            return move
        move = _do(claim, deployment, move, clock)
    return AT_ONCE if isinstance(move, Step) else move


def _begin(deployment: Deployment, now: datetime) -> Move:
    return (_start_or_wait if deployment.status == DeploymentStatus.PENDING else _take_next)(deployment, now)


def _take_next(deployment: Deployment, now: datetime) -> Move:
    """The open step, written down as started; or the end."""
    step = _open_step(deployment)
    if step is None:
        endings.succeed(deployment, now=now)
        return None
    if deployment.cancel_requested_at is not None and not (has_open_parts(deployment) or must_withdraw(step)):
        endings.cancel(deployment, step, now=now)
        return None
    if step.status == StepStatus.PENDING:
        move_step(step, to=StepStatus.RUNNING, started_at=now, observed_at=now, message="")
        if step.name == StepName.CANARY:
            begin_to_follow(deployment, canary_objects(deployment))
    return step


def _do(claim: Claim, deployment: Deployment, step: Step, clock: Clock) -> Move:
    """Touch the outside with no transaction open, then write down what came of it, and what comes next."""
    answer = result = _call(deployment, step, clock())
    if isinstance(answer, Running | Errored) and is_overdue(deployment, step, answer, clock()):
        result = _given_up(deployment, step, answer, clock())
    with fenced(claim, deployment):
        if not isinstance(answer, Errored):
            write_log(deployment, outages.over(step, clock()), step=step.name)
        return _save(deployment, step, result, clock())


def _open_step(deployment: Deployment) -> Step | None:
    step = deployment.steps.filter(status__in=STEPS_OPEN).order_by("position").first()
    if step is not None:
        step.deployment = deployment
    return step


def _start_or_wait(deployment: Deployment, now: datetime) -> Move:
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
            return _take_next(deployment, now)
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
            if must_step_back(deployment):
                raise IntegrityError
            manifests = stamp(deployment)
            move_deployment(
                deployment,
                to=DeploymentStatus.IN_PROGRESS,
                started_at=now,
                sequence=deployment.sequence,
                manifests=manifests,
            )
            end_bakes_before(deployment, now=now)
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


def _save(deployment: Deployment, step: Step, result: StepResult, now: datetime) -> Move:
    if not isinstance(result, Errored):
        write_measurements(deployment, result.measured)
    said = result.message if isinstance(result, Succeeded) else ""
    write_log(deployment, *result.log, said, step=step.name)
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
        if step.name == StepName.APPLY:
            begin_to_follow(deployment, deployment.manifests)
        return _take_next(deployment, now)
    if isinstance(result, Failed):
        endings.fail(deployment, step, result, now=now)
        return None
    return _wait(deployment, step, result, now)


def _given_up(deployment: Deployment, step: Step, result: Running | Errored, now: datetime) -> Failed:
    """Time is up: with what the cluster tells about it, before anything is rolled back."""
    if isinstance(result, Errored):
        return Failed(outages.given_up(step, result, now), log=result.log)
    try:
        evidence = collect_evidence(deployment)
    except Exception:
        logger.exception("The evidence could not be collected", extra={"deployment": str(deployment.pk)})
        evidence = {}
    seconds = deployment.target.timeout_seconds
    message = f"{result.message} (gave up after {seconds} s, the target's time-out)"
    return Failed(message, evidence=evidence, log=result.log, measured=result.measured)


def _wait(deployment: Deployment, step: Step, result: Running | Errored, now: datetime) -> timedelta:
    fields: dict[str, object] = {"observed_seconds": observed(step, now).total_seconds()}
    if isinstance(result, Errored):
        since, attempts = step.away_since or now, step.attempts + 1
        pause = pause_after(attempts, result.retry_after_seconds)
        message = outages.waiting(result, since=since, now=now, pause=pause)
        news = "" if outages.is_told(step, result) else outages.cause(result)
        fields |= {"attempts": attempts, "away_since": since, "observed_at": None}
    else:
        pause, message = relying(deployment, step, pause_of(result), now), result.message
        news = "" if message == step.message else message
        fields |= {"attempts": 0, "away_since": None, "observed_at": now, "checkpoint": dict(result.checkpoint)}
    write_log(deployment, news, step=step.name, level="warning" if isinstance(result, Errored) else "info")
    if message != step.message:
        announce(deployment)
    Step.objects.filter(pk=step.pk, status=StepStatus.RUNNING).update(message=message, **fields)
    return pause
