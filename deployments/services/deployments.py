"""Sending a release out."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Now

from audit.services import record
from deployments.models import Deployment, Environment, Train
from deployments.selectors import target_of
from deployments.services.access import require_deploy
from deployments.services.planning import insert, render_release
from deployments.services.pruning import left_behind
from deployments.transitions import facts
from releasemgr.core.actors import Actor
from releasemgr.core.errors import Invalid, WrongState
from releases.models import Release
from releases.statuses import DEPLOYABLE


@transaction.atomic
def start_deployment(
    *,
    actor: Actor,
    release: Release,
    environment: Environment,
    reason: str = "",
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    take_over: Sequence[str] = (),
    prune: bool = False,
    train: Train | None = None,
) -> Deployment:
    """Ask for the release to go out. It starts when every gate is open.

    `take_over` names the field managers whose fields may be taken, `prune` removes what the release no longer contains.

    Raises WrongState for a release that is not approved, Invalid for content that does not fit the target.
    """
    target = target_of(release.application, environment)
    require_deploy(actor, target)
    if release.status not in DEPLOYABLE:
        raise WrongState(
            f"{release} is {release.get_status_display().lower()}; only an approved release goes out.",
            details={"status": release.status},
        )
    if not_before and not_after and not_after <= not_before:
        raise Invalid("The start window is empty.", details={"not_after": ["Must be later than not_before."]})
    manifests = render_release(release, target)
    deployment = insert(
        Deployment(
            target=target,
            application=release.application,
            environment=environment,
            release=release,
            release_digest=release.digest,
            deployed_by=actor.user,
            reason=reason,
            not_before=not_before,
            not_after=not_after,
            manifests=manifests,
            overrides=target.overrides,
            strategy=target.strategy,
            take_over=sorted(set(take_over)),
            prune=left_behind(target, manifests) if prune else [],
            train=train,
            wake_at=Now(),
        )
    )
    choices = {"take_over": deployment.take_over, "prune": deployment.prune}
    record(
        "deployment.requested",
        actor=actor,
        subject=deployment,
        data=facts(deployment) | {"reason": reason} | {name: value for name, value in choices.items() if value},
    )
    return deployment
