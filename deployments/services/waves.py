"""The parts of a deployment: one for each further target, made by the deployment that leads."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models.functions import Now

from audit.services import record
from deployments.models import Deployment, Target
from deployments.services.planning import insert, render_release
from deployments.services.pruning import to_prune
from deployments.statuses import DeploymentStatus
from deployments.transitions import announce, facts
from releasemgr.core.actors import SYSTEM
from releasemgr.core.errors import WrongState


def require_lead(deployment: Deployment) -> None:
    """Raises WrongState for a part: what happens to it is decided where it was asked for."""
    if deployment.part_of_id is None:
        return
    raise WrongState(
        "This is one target of a deployment to several: act on the deployment that leads it.",
        details={"status": deployment.status, "part_of": str(deployment.part_of_id)},
    )


@transaction.atomic
def make_parts(lead: Deployment, targets: Sequence[Target]) -> bool:
    """Send the lead's release on to `targets`, once however often it is asked.

    False when the lead has ended or is to stop: a worker that slept through that starts nothing any more. Raises
    Invalid when the content does not fit one of the targets; then none is made.
    """
    if not lock_lead(lead):
        return False
    made = set(Deployment.objects.filter(part_of=lead.pk).values_list("target_id", flat=True))
    for target in targets:
        if target.pk not in made:
            _make_part(lead, target)
    announce(lead)
    return True


def lock_lead(lead: Deployment) -> bool:
    """Hold the lead's row, in the caller's transaction. False when no part may be made any more."""
    rows = Deployment.objects.filter(pk=lead.pk, status=DeploymentStatus.IN_PROGRESS, cancel_requested_at__isnull=True)
    return bool(rows.select_for_update(of=("self",)).values_list("pk"))


def _make_part(lead: Deployment, target: Target) -> None:
    manifests = render_release(lead.release, target)
    part = insert(
        Deployment(
            part_of=lead,
            target=target,
            application=lead.application,
            environment=lead.environment,
            release=lead.release,
            release_digest=lead.release_digest,
            kind=lead.kind,
            deployed_by_id=lead.deployed_by_id,
            reason=lead.reason,
            manifests=manifests,
            overrides=target.overrides,
            strategy=target.strategy,
            take_over=lead.take_over,
            # What a person was shown for the first target: nothing else is removed from the others.
            prune=to_prune(target, manifests, lead.prune or False),
            wake_at=Now(),
        )
    )
    record("deployment.requested", actor=SYSTEM, subject=part, data=facts(part))
