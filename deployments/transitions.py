"""The only code that writes the status of a deployment, a step or a bake: guarded UPDATE, audit event, live hint."""

from typing import Any

from audit.services import record
from deployments.models import Bake, Deployment, LogLine, Step
from deployments.statuses import BAKE_MOVES, DEPLOYMENT_MOVES, STEP_MOVES, BakeStatus, DeploymentStatus, StepStatus
from releasemgr.core import live
from releasemgr.core.actors import SYSTEM, Actor
from releasemgr.core.statuses import compare_and_set

DEPLOYMENT_EVENTS = {
    DeploymentStatus.IN_PROGRESS: "deployment.started",
    DeploymentStatus.SUCCEEDED: "deployment.succeeded",
    DeploymentStatus.FAILED: "deployment.failed",
    DeploymentStatus.ROLLED_BACK: "deployment.rolled_back",
    DeploymentStatus.CANCELLED: "deployment.cancelled",
}
STEP_EVENTS = {
    StepStatus.RUNNING: "deployment.step_started",
    StepStatus.SUCCEEDED: "deployment.step_succeeded",
    StepStatus.FAILED: "deployment.step_failed",
    StepStatus.SKIPPED: "deployment.step_skipped",
    StepStatus.CANCELLED: "deployment.step_cancelled",
}
BAKE_EVENTS = {
    BakeStatus.PASSED: "deployment.bake_passed",
    BakeStatus.FAILED: "deployment.bake_failed",
    BakeStatus.ENDED: "deployment.bake_ended",
}


def move_deployment(
    deployment: Deployment, *, to: DeploymentStatus, actor: Actor = SYSTEM, reason: str = "", **fields: Any
) -> None:
    """Call inside a transaction. `fields` are written in the same statement. Raises WrongState if somebody else won."""
    old = compare_and_set(deployment, table=DEPLOYMENT_MOVES, to=to, **fields)
    message = fields.get("error_message", "")
    record(
        DEPLOYMENT_EVENTS[to],
        actor=actor,
        subject=deployment,
        changes={"status": (old, to.value)},
        data=facts(deployment)
        | ({"reason": reason} if reason else {})
        | ({"error_message": message} if message else {}),
    )
    announce(deployment)


def facts(deployment: Deployment) -> dict[str, Any]:
    """What every event of a deployment carries, for those who read the stream later."""
    return {
        "release": str(deployment.release_id),
        "environment": deployment.environment.name,
        "kind": deployment.kind,
        "digest": deployment.release_digest,
    } | ({"part_of": str(deployment.part_of_id)} if deployment.part_of_id else {})


def move_step(step: Step, *, to: StepStatus, **fields: Any) -> None:
    """Call inside a transaction, with `step.deployment` loaded."""
    old = compare_and_set(step, table=STEP_MOVES, to=to, **fields)
    record(
        STEP_EVENTS[to],
        actor=SYSTEM,
        subject=step.deployment,
        changes={f"step.{step.name}": (old, to.value)},
        data={"step": step.name, "message": step.message},
    )
    announce(step.deployment)


def move_bake(bake: Bake, *, to: BakeStatus, message: str, **fields: Any) -> None:
    """Call inside a transaction, with `bake.deployment` loaded."""
    old = compare_and_set(bake, table=BAKE_MOVES, to=to, message=message, **fields)
    record(
        BAKE_EVENTS[to],
        actor=SYSTEM,
        subject=bake.deployment,
        changes={"bake": (old, to.value)},
        data=facts(bake.deployment) | {"message": message},
    )
    announce(bake.deployment)


def announce(deployment: Deployment) -> None:
    """Tell open pages, once the transaction commits."""
    topics = ["board", "deployments", f"deployment.{deployment.pk}"]
    if deployment.part_of_id is not None:
        topics.append(f"deployment.{deployment.part_of_id}")
    if deployment.train_id is not None:
        topics.append(f"train.{deployment.train_id}")
    live.changed_all(topics)


def write_log(deployment: Deployment, *lines: str, step: str = "", level: str = "info") -> None:
    """Lines of the deployment's log. Their text may come from a cluster: it was cleaned and bounded there."""
    LogLine.objects.bulk_create(
        LogLine(deployment=deployment, step=step, level=level, message=line[:4000]) for line in lines if line
    )
