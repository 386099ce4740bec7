"""The lease: which worker may work on a deployment or a bake, until when. By the database's clock: ours may differ."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import DatabaseError, connection, transaction
from django.db.models import Case, F, QuerySet, When
from django.db.models.functions import Now
from django.utils import timezone

from deployments.models import Bake, Deployment

logger = logging.getLogger(__name__)

Leased = Deployment | Bake

# A dead worker's deployment waits this long for the next one; a living worker renews at a third of it.
LEASE = timedelta(seconds=8)


class LostClaim(Exception):
    """The lease ran out and another worker holds the row: leave quietly, write nothing."""


@dataclass(frozen=True)
class Claim:
    """`woken_at` is the timer's value when we claimed: another value later means that somebody woke us meanwhile.

    `taken_at` is the database's time then, `started` the clock of this process that never jumps.
    """

    pk: UUID
    model: type[Leased] = Deployment
    token: UUID = field(default_factory=uuid4)
    woken_at: datetime | None = None
    taken_at: datetime = field(default_factory=timezone.now)
    started: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        """The database's time: deadlines must not depend on which worker's clock is wrong."""
        return self.taken_at + timedelta(seconds=time.monotonic() - self.started)

    @property
    def rows(self) -> QuerySet[Any]:
        """The row while we hold it, nothing afterwards."""
        return self.model._default_manager.filter(pk=self.pk, claim_token=self.token)


def take(pk: UUID, model: type[Leased] = Deployment) -> Claim | None:
    """Claim a row that is open, due and unclaimed; None when it is not, or another worker was faster."""
    claim = Claim(pk, model)
    rows = model.objects.due().unclaimed().filter(pk=pk)
    if not rows.update(claim_token=claim.token, claimed_until=Now() + LEASE):
        return None
    woken_at, taken_at = model.objects.values_list("wake_at", Now()).get(pk=pk)
    return Claim(pk, model, claim.token, woken_at, taken_at)


def load(claim: Claim) -> Deployment:
    """The claimed deployment with what every tick reads, in one query. Raises LostClaim.

    Secrets come with the step that needs them: one that cannot be decrypted breaks that step, not the whole tick.
    """
    deployment = (
        # What only the first or the last tick asks for is fetched then: three more joins cost each tick 6 ms.
        Deployment.objects.select_related("target__cluster", "environment", "application", "release")
        .defer("target__database_url", "target__cluster__kubeconfig")
        .defer("release__artifacts", "release__description", "release__notes")
        .filter(pk=claim.pk, claim_token=claim.token)
        .first()
    )
    if deployment is None:
        raise LostClaim(claim.pk)
    target = deployment.target
    target.application = deployment.release.application = deployment.application
    target.environment = deployment.environment
    return deployment


# What others may change while we hold the claim.
VOLATILE: dict[type[Leased], tuple[str, ...]] = {
    Deployment: (
        *("status", "cancel_requested_at", "cancel_requested_by", "error_message", "gates"),
        *("paused_at", "promotions"),
    ),
    Bake: ("status", "until"),
}


@contextmanager
def fenced(claim: Claim, row: Leased) -> Iterator[None]:
    """A transaction that holds the row and the claim. Raises LostClaim: then nothing inside was written."""
    with transaction.atomic():
        try:
            row.refresh_from_db(fields=VOLATILE[claim.model], from_queryset=claim.rows.select_for_update())
        except claim.model.DoesNotExist:
            raise LostClaim(claim.pk) from None
        yield


def release(claim: Claim, *, sleep: timedelta | None) -> bool:
    """Let go, and set the timer to `sleep` from now (None: no timer, the work has ended).

    True when somebody woke it while we held it: then look again at once.
    """
    timer = None if sleep is None else Now() + sleep
    with transaction.atomic():
        claim.rows.update(
            claim_token=None,
            claimed_until=None,
            wake_at=Case(When(wake_at=claim.woken_at, then=timer), default=F("wake_at")),
        )
        return claim.model.objects.due().filter(pk=claim.pk).exists()


@contextmanager
def kept_alive(claim: Claim) -> Iterator[None]:
    """Renews the lease from a thread while a step talks to the outside."""
    done = threading.Event()
    thread = threading.Thread(target=_renew, args=(claim, done), name=f"lease-{claim.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _renew(claim: Claim, done: threading.Event) -> None:
    while not done.wait(LEASE.total_seconds() / 3):
        try:
            claim.rows.update(claimed_until=Now() + LEASE)
        except DatabaseError:
            # The fence decides what the missing renewal means; here it is only worth a line.
            logger.exception("Could not renew a lease", extra={"row": str(claim.pk)})
            # A lost connection does not come back by itself; the next round opens another.
            connection.close()
    connection.close()
