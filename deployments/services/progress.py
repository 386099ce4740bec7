"""What people do while a progressive deployment is on its way: hold it, let it go on, take it away."""

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from audit.services import record
from deployments.models import Deployment, Step
from deployments.services.access import require_deploy
from deployments.services.control import ask_to_cancel
from deployments.services.planning import TICK
from deployments.services.stages import awaits_promotion, pacing_step
from deployments.services.waves import require_lead
from deployments.statuses import StepStatus
from deployments.transitions import announce, facts, write_log
from releasemgr.core.actors import Actor
from releasemgr.core.errors import WrongState
from releasemgr.core.queue import enqueue


@transaction.atomic
def pause_deployment(*, actor: Actor, deployment: Deployment) -> Deployment:
    """Hold a canary at its weight, or a blue/green deployment before its switch; its clock stands still."""
    deployment, step = _lock(actor, deployment)
    if deployment.paused_at is not None:
        raise _wrong(deployment, "It is paused already.")
    Deployment.objects.filter(pk=deployment.pk).update(paused_at=Now())
    return _record("deployment.paused", actor, deployment, step, line=f"Paused by {actor.user}.")


@transaction.atomic
def resume_deployment(*, actor: Actor, deployment: Deployment) -> Deployment:
    deployment, step = _lock(actor, deployment)
    if deployment.paused_at is None:
        raise _wrong(deployment, "It is not paused.")
    Deployment.objects.filter(pk=deployment.pk).update(paused_at=None)
    return _record("deployment.resumed", actor, deployment, step, line=f"Resumed by {actor.user}.")


@transaction.atomic
def promote_deployment(*, actor: Actor, deployment: Deployment) -> Deployment:
    """End the pause that it is in: a canary goes on to its next weight, blue/green switches.

    Two who promote at once end one pause: the second is told so (WrongState).
    """
    deployment, step = _lock(actor, deployment)
    if deployment.paused_at is not None:
        raise _wrong(deployment, "It is paused: resume it first.")
    if not awaits_promotion(deployment, step):
        raise _wrong(deployment, "It does not wait for anybody now, or somebody else has just promoted it.")
    Deployment.objects.filter(pk=deployment.pk).update(promotions=F("promotions") + 1)
    return _record("deployment.promoted", actor, deployment, step, line=f"Promoted by {actor.user}.")


@transaction.atomic
def abort_deployment(*, actor: Actor, deployment: Deployment) -> Deployment:
    """Cancel it while it can still be taken away without a trace: what ran before keeps, or gets back, the traffic."""
    require_lead(deployment)
    deployment, _ = _lock(actor, deployment)
    ask_to_cancel(actor, deployment)
    return deployment


def _lock(actor: Actor, deployment: Deployment) -> tuple[Deployment, Step]:
    """The deployment and the step that people can pace. Raises WrongState when there is nothing to pace now."""
    require_deploy(actor, deployment.target)
    locked = Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
    for name in ("status", "cancel_requested_at", "paused_at", "promotions"):
        setattr(deployment, name, getattr(locked, name))
    if not deployment.is_open:
        raise _wrong(deployment, f"It has already ended ({deployment.get_status_display().lower()}).")
    if deployment.cancel_requested_at is not None:
        raise _wrong(deployment, "It is being cancelled.")
    # Read under the lock: the engine writes its steps while it holds it.
    step = pacing_step(locked)
    if step is None:
        raise _wrong(deployment, _why_nothing_to_pace(locked))
    return deployment, step


def _why_nothing_to_pace(deployment: Deployment) -> str:
    if deployment.is_rollback:
        return "A rollback takes the shortest way: it can only be cancelled."
    if deployment.sequence is None:
        return "It has not started yet."
    if not deployment.steps.filter(name__in=("canary", "switch"), status=StepStatus.SUCCEEDED).exists():
        return "It goes pod by pod: only a canary or blue/green deployment can be paced. Cancel it instead."
    return "It has passed the point up to which it can be paced. Cancel it, or roll it back."


def _record(event: str, actor: Actor, deployment: Deployment, step: Step, *, line: str) -> Deployment:
    Deployment.objects.filter(pk=deployment.pk).update(wake_at=Now())
    deployment.refresh_from_db(fields=["paused_at", "promotions"])
    where = {"step": step.name} | ({"stage": step.checkpoint["index"] + 1} if "index" in step.checkpoint else {})
    record(event, actor=actor, subject=deployment, data=facts(deployment) | where)
    write_log(deployment, line, step=step.name)
    enqueue(TICK, deployment.pk)
    announce(deployment)
    return deployment


def _wrong(deployment: Deployment, sentence: str) -> WrongState:
    return WrongState(sentence, details={"status": deployment.status})
