"""Sending a release out."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Now

from audit.services import record
from deployments.models import Deployment, Environment, Target, Train
from deployments.selectors import targets_for
from deployments.services.access import require_deploy
from deployments.services.planning import insert, render_release
from deployments.services.pruning import Prune, to_prune
from deployments.targets.base import Manifest
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
    prune: Prune = False,
) -> Deployment:
    """Ask for the release to go out. It starts when every gate is open.

    `take_over` names the field managers whose fields may be taken, `prune` removes what the release no longer contains,
    or of that only the objects that it lists.

    Raises WrongState for a release that is not approved, Invalid for content that does not fit the target.
    """
    target, *further = targets_for(release.application, environment)
    require_deploy(actor, target)
    if release.status not in DEPLOYABLE:
        raise WrongState(
            f"{release} is {release.get_status_display().lower()}; only an approved release goes out.",
            details={"status": release.status},
        )
    if not_before and not_after and not_after <= not_before:
        raise Invalid("The start window is empty.", details={"not_after": ["Must be later than not_before."]})
    manifests = render_release(release, target)
    for each in further:
        # Before anything is touched: what does not fit one of the targets goes to none.
        render_release(release, each)
    deployment = asked_for(actor, release, target, manifests, reason=reason)
    deployment.not_before, deployment.not_after = not_before, not_after
    deployment.take_over = sorted(set(take_over))
    deployment.prune = to_prune(target, manifests, prune)
    insert(deployment)
    choices = {"take_over": deployment.take_over, "prune": deployment.prune}
    record(
        "deployment.requested",
        actor=actor,
        subject=deployment,
        data=facts(deployment) | {"reason": reason} | {name: value for name, value in choices.items() if value},
    )
    return deployment


def asked_for(
    actor: Actor,
    release: Release,
    target: Target,
    manifests: list[Manifest],
    *,
    reason: str,
    train: Train | None = None,
) -> Deployment:
    """The row of a request, not yet written."""
    return Deployment(
        target=target,
        application=release.application,
        environment=target.environment,
        release=release,
        release_digest=release.digest,
        deployed_by=actor.user,
        reason=reason,
        manifests=manifests,
        overrides=target.overrides,
        strategy=target.strategy,
        train=train,
        wake_at=Now(),
    )
