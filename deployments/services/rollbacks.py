"""Taking a release back: a deployment that brings an earlier one."""

from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models.functions import Now

from audit.services import record
from deployments.models import Deployment
from deployments.selectors import last_good
from deployments.selectors.waves import touched_parts_of
from deployments.services.access import require_deploy
from deployments.services.control import ask_to_cancel
from deployments.services.planning import insert
from deployments.services.waves import lock_lead, require_lead
from deployments.statuses import ENDED, OPEN, DeploymentKind, DeploymentStatus
from deployments.transitions import facts, write_log
from releasemgr.core.actors import SYSTEM, Actor
from releasemgr.core.errors import Invalid, WrongState
from releases.models import Release


@transaction.atomic
def rollback_deployment(
    *, actor: Actor, deployment: Deployment, reason: str, to: Release | None = None, take_over: Sequence[str] = ()
) -> Deployment:
    """Bring back release `to`, or the last good one before. A deployment still in progress is cancelled first.

    `take_over` names the field managers whose fields may be taken, as for a deployment.
    """
    require_deploy(actor, deployment.target)
    require_lead(deployment)
    if not reason.strip():
        raise Invalid("Say why you roll back: it stays on record.", details={"reason": ["A reason is needed."]})
    deployment = Deployment.objects.select_for_update(of=("self",)).select_related(
        "target__application", "target__environment", "release__application", "environment", "application",
    ).defer("target__database_url").get(pk=deployment.pk)  # fmt: skip
    if deployment.status == DeploymentStatus.PENDING:
        raise WrongState("It has not started: cancel it instead.", details={"status": deployment.status})
    if deployment.rollbacks.filter(status__in=OPEN).exists():
        raise WrongState(
            f"{deployment.release} is already being rolled back. Wait for that rollback, or cancel it.",
            details={"status": deployment.status},
        )
    _refuse_if_replaced(deployment)
    source = _source(deployment, to)
    if deployment.status == DeploymentStatus.IN_PROGRESS:
        ask_to_cancel(actor, deployment)
    return request_rollback(
        deployment, source, actor=actor, reason=reason, automatic=False, take_over=sorted(set(take_over))
    )


def _refuse_if_replaced(deployment: Deployment) -> None:
    """What runs now is somebody else's: rolling this one back would say that it was taken back, and be wrong."""
    running = (DeploymentStatus.IN_PROGRESS, DeploymentStatus.SUCCEEDED)
    later = Deployment.objects.filter(target=deployment.target_id, sequence__gt=deployment.sequence, status__in=running)
    newest = later.select_related("release__application").order_by("-sequence").first()
    if newest is not None:
        raise WrongState(
            f"{newest.release} has replaced it in {deployment.environment}: roll that deployment back.",
            details={"status": deployment.status, "current": str(newest.part_of_id or newest.pk)},
        )


def _source(deployment: Deployment, to: Release | None) -> Deployment:
    if to is None:
        source = last_good(deployment.target, before=deployment)
        if source is None:
            raise WrongState(
                f"There is no earlier release of {deployment.application} in {deployment.environment} to go back to.",
                details={"status": deployment.status},
            )
        return source
    source = _ran_well(deployment, to)
    if source is None or to.pk == deployment.release_id:
        raise Invalid(
            f"{to} never ran well in {deployment.environment} before: choose a release that did.",
            details={"to": ["Not an earlier release that succeeded here."]},
        )
    return source


def _ran_well(deployment: Deployment, release: Release) -> Deployment | None:
    """The last time that `release` ran well in the deployment's target."""
    found = Deployment.objects.ran_well().filter(target=deployment.target_id, release=release)
    return found.select_related("release__application").order_by("-sequence").first()


def request_rollback(
    deployment: Deployment,
    source: Deployment,
    *,
    actor: Actor,
    reason: str,
    automatic: bool,
    part_of: Deployment | None = None,
    take_over: Sequence[str] = (),
) -> Deployment:
    """The rollback row: the very objects of `source` come back, not the release's text rendered anew.

    With those of the further targets to which the deployment had gone on, all of them at the same time.
    """
    rollback = insert(
        Deployment(
            part_of=part_of,
            target=deployment.target,
            application=deployment.application,
            environment=deployment.environment,
            release=source.release,
            release_digest=source.release_digest,
            kind=DeploymentKind.ROLLBACK,
            automatic=automatic,
            deployed_by_id=part_of.deployed_by_id if part_of else actor.user_id,
            reason=reason,
            rolls_back=deployment,
            manifests=source.manifests,
            overrides=source.overrides,
            strategy=source.strategy,
            take_over=list(take_over),
            wake_at=Now(),
        )
    )
    record(
        "deployment.rollback_requested",
        actor=actor,
        subject=rollback,
        data=facts(rollback)
        | {"reason": reason, "rolls_back": str(deployment.pk), "automatic": automatic}
        | ({"take_over": rollback.take_over} if rollback.take_over else {}),
    )
    if part_of is None:
        _bring_back_parts(rollback, actor)
    return rollback


@transaction.atomic
def bring_back_parts(rollback: Deployment) -> None:
    """What was still being stopped when the rollback was asked for. Once for each target, however often it is asked."""
    if lock_lead(rollback):
        _bring_back_parts(rollback, SYSTEM)


def _bring_back_parts(rollback: Deployment, actor: Actor) -> None:
    undone = rollback.rolls_back
    if undone is None:
        return
    made = set(rollback.parts.values_list("target_id", flat=True))
    chosen = _chosen(rollback, undone)
    for part in touched_parts_of(undone):
        if part.target_id in made or not _may_go_back(part, rollback):
            continue
        source = (_ran_well(part, chosen) if chosen else None) or last_good(part.target, before=part)
        if source is not None:
            request_rollback(
                part,
                source,
                actor=actor,
                reason=rollback.reason,
                automatic=rollback.automatic,
                part_of=rollback,
                take_over=rollback.take_over,
            )


def _chosen(rollback: Deployment, undone: Deployment) -> Release | None:
    """The release that a person chose; None: every target goes back to its own last good one."""
    usual = last_good(rollback.target, before=undone)
    is_usual = usual is not None and usual.release_id == rollback.release_id
    return None if is_usual else rollback.release


def _may_go_back(part: Deployment, rollback: Deployment) -> bool:
    """It has come to rest, and nobody has brought it back or replaced it meanwhile."""
    if part.is_open or part.status == DeploymentStatus.ROLLED_BACK:
        return False
    busy = {*OPEN, DeploymentStatus.SUCCEEDED}
    others = part.rollbacks.all() if rollback.automatic else part.rollbacks.filter(status__in=busy)
    later = Deployment.objects.filter(target=part.target_id, sequence__gt=part.sequence)
    running = later.filter(status__in=(DeploymentStatus.IN_PROGRESS, DeploymentStatus.SUCCEEDED))
    return not others.exists() and not running.exists()


def roll_back_automatically(deployment: Deployment, *, why: str) -> Deployment | None:
    """The engine's answer to a failure. None when nothing good ran before. Never for a rollback (the caller asks)."""
    source = last_good(deployment.target, before=deployment)
    if source is None:
        record("deployment.rollback_not_possible", actor=SYSTEM, subject=deployment, data=facts(deployment))
        return None
    return request_rollback(deployment, source, actor=SYSTEM, reason=why, automatic=True)


def bring_back_alone(lead: Deployment, ends: Collection[str], *, why: str) -> None:
    """The targets whose parts ended in one of `ends` go back on their own: nothing leads them."""
    for part in touched_parts_of(lead).filter(status__in=ends):
        if not part.rollbacks.exists():
            roll_back_automatically(part, why=why)


def bring_back_last_good(deployment: Deployment, *, why: str) -> None:
    """`roll_back_automatically`, unless a person was faster; the deployment's log says what came of it."""
    if deployment.rollbacks.filter(status=DeploymentStatus.PENDING).exists():
        return
    rollback = roll_back_automatically(deployment, why=why)
    if rollback is None:
        bring_back_alone(deployment, ENDED, why=why)
        write_log(deployment, "Nothing ran well here before, so there is no release to go back to.", level="warning")
    else:
        write_log(deployment, f"Brings back {rollback.release.version}.", level="warning")
