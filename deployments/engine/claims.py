"""The lease: which worker may work on a deployment, until when. Times are the database's, so clocks may differ."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import DatabaseError, connection, transaction
from django.db.models import Case, F, When
from django.db.models.functions import Now

from deployments.models import Deployment

logger = logging.getLogger(__name__)

# A dead worker's deployment waits this long for the next one; a living worker renews at a third of it.
LEASE = timedelta(seconds=8)


class LostClaim(Exception):
    """The lease ran out and another worker holds the deployment: leave quietly, write nothing."""


@dataclass(frozen=True)
class Claim:
    """`woken_at` is the timer's value when we claimed: another value later means that somebody woke us meanwhile."""

    deployment_id: UUID
    token: UUID = field(default_factory=uuid4)
    woken_at: datetime | None = None


def take(deployment_id: UUID) -> Claim | None:
    """Claim a deployment that is open, due and unclaimed; None when it is not, or another worker was faster."""
    claim = Claim(deployment_id)
    rows = Deployment.objects.due().unclaimed().filter(pk=deployment_id)
    if not rows.update(claim_token=claim.token, claimed_until=Now() + LEASE):
        return None
    woken_at = Deployment.objects.values_list("wake_at", flat=True).get(pk=deployment_id)
    return Claim(deployment_id, claim.token, woken_at)


def load(claim: Claim) -> Deployment:
    """The claimed deployment with what every tick reads, in one query. Raises LostClaim.

    Secrets come with the step that needs them: one that cannot be decrypted breaks that step, not the whole tick.
    """
    deployment = (
        # What only the first or the last tick asks for is fetched then: three more joins cost each tick 6 ms.
        Deployment.objects.select_related("target__cluster", "environment", "application", "release")
        .defer("target__database_url", "target__cluster__kubeconfig")
        .defer("release__artifacts", "release__description", "release__notes")
        .filter(pk=claim.deployment_id, claim_token=claim.token)
        .first()
    )
    if deployment is None:
        raise LostClaim(claim.deployment_id)
    target = deployment.target
    target.application = deployment.release.application = deployment.application
    target.environment = deployment.environment
    return deployment


# What others may change while we hold the claim.
VOLATILE = ("status", "cancel_requested_at", "cancel_requested_by", "error_message", "gates")


@contextmanager
def fenced(claim: Claim, deployment: Deployment) -> Iterator[None]:
    """A transaction that holds the row and the claim. Raises LostClaim: then nothing inside was written."""
    mine = Deployment.objects.select_for_update().filter(claim_token=claim.token)
    with transaction.atomic():
        try:
            deployment.refresh_from_db(fields=VOLATILE, from_queryset=mine)
        except Deployment.DoesNotExist:
            raise LostClaim(claim.deployment_id) from None
        yield


def release(claim: Claim, *, sleep: timedelta | None) -> bool:
    """Let go, and set the timer to `sleep` from now (None: no timer, the work has ended).

    True when somebody woke the deployment while we held it: then look again at once.
    """
    timer = None if sleep is None else Now() + sleep
    rows = Deployment.objects.filter(pk=claim.deployment_id, claim_token=claim.token)
    with transaction.atomic():
        rows.update(
            claim_token=None,
            claimed_until=None,
            wake_at=Case(When(wake_at=claim.woken_at, then=timer), default=F("wake_at")),
        )
        return Deployment.objects.due().filter(pk=claim.deployment_id).exists()


@contextmanager
def kept_alive(claim: Claim) -> Iterator[None]:
    """Renews the lease from a thread while a step talks to the outside."""
    done = threading.Event()
    thread = threading.Thread(target=_renew, args=(claim, done), name=f"lease-{claim.deployment_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _renew(claim: Claim, done: threading.Event) -> None:
    while not done.wait(LEASE.total_seconds() / 3):
        try:
            rows = Deployment.objects.filter(pk=claim.deployment_id, claim_token=claim.token)
            rows.update(claimed_until=Now() + LEASE)
        except DatabaseError:
            # The fence decides what the missing renewal means; here it is only worth a line.
            logger.exception("Could not renew a lease", extra={"deployment": str(claim.deployment_id)})
            # A lost connection does not come back by itself; the next round opens another.
            connection.close()
    connection.close()
