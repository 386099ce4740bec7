"""Sending a release out."""

from datetime import datetime

from django.db import transaction
from django.db.models.functions import Now

from audit.services import record
from deployments.models import Deployment, Environment
from deployments.selectors import target_of
from deployments.services.access import require_deploy
from deployments.services.planning import insert, render_release
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
) -> Deployment:
    """Ask for the release to go out. It starts when every gate is open.

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
            manifests=render_release(release, target),
            wake_at=Now(),
        )
    )
    record("deployment.requested", actor=actor, subject=deployment, data=facts(deployment) | {"reason": reason})
    return deployment
