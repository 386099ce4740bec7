"""What reviewers do with releases."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from audit.services import record
from releasemgr.core import live
from releasemgr.core.actors import Actor
from releasemgr.core.errors import Invalid, WrongState
from releases import policies
from releases.models import Approval, Decision, Release
from releases.selectors import approval_progress, progress_of_releases
from releases.services.access import require_review
from releases.services.releases import lock
from releases.statuses import ReleaseStatus
from releases.transitions import move_release


@transaction.atomic
def approve_release(
    *, actor: Actor, release: Release, comment: str = "", digest: str = "", now: datetime | None = None
) -> Release:
    """Raises WrongState when `digest` (what the person read) is no longer the content's."""
    release = _decide(actor, release, decision=Decision.APPROVED, comment=comment, digest=digest)
    now = now or timezone.now()
    record(
        "release.approval_given",
        actor=actor,
        subject=release,
        data={"digest": release.digest, "comment": comment},
    )
    if all(progress.met for progress in approval_progress(release, now)):
        move_release(release, to=ReleaseStatus.APPROVED, actor=actor, approved_at=now)
    live.changed(f"release.{release.pk}")
    return release


@transaction.atomic
def reject_release(*, actor: Actor, release: Release, comment: str, digest: str = "") -> Release:
    """A rejection needs its reason, and sends the release back to draft."""
    require_review(actor, release)
    if not comment.strip():
        raise Invalid("Say why, so that the author knows what to change.", details={"comment": ["A reason is needed."]})
    release = _decide(actor, release, decision=Decision.REJECTED, comment=comment, digest=digest)
    move_release(
        release, to=ReleaseStatus.DRAFT, actor=actor, reason=comment, event="release.rejected", submitted_at=None
    )
    release.approvals.filter(voided_at__isnull=True).update(voided_at=timezone.now())
    return release


def approve_what_suffices(actor: Actor, *, why: str) -> None:
    """After rules were changed, in the caller's transaction: nobody else would weigh those approvals again."""
    now = timezone.now()
    # Locked, so that an approval given at this moment under the old rules is counted, or counts the new ones itself.
    waiting = list(
        Release.objects.select_for_update(of=("self",))
        .select_related("application")
        .defer("artifacts", "description", "notes")
        .filter(status=ReleaseStatus.IN_REVIEW)
        .order_by("pk")
    )
    progress = progress_of_releases(waiting, now)
    for release in waiting:
        if all(each.met for each in progress[release.pk]):
            move_release(release, to=ReleaseStatus.APPROVED, actor=actor, reason=why, approved_at=now)


def _decide(actor: Actor, release: Release, *, decision: Decision, comment: str, digest: str) -> Release:
    release = lock(release)
    require_review(actor, release)
    if release.status != ReleaseStatus.IN_REVIEW:
        raise WrongState(
            f"{release} is {release.get_status_display().lower()}, not in review.", details={"status": release.status}
        )
    if digest and digest != release.digest:
        raise WrongState(
            "The content changed since you read it. Reload, read it again, then decide.",
            details={"status": release.status, "digest": release.digest},
        )
    if policies.has_decided(actor, release):
        raise WrongState("You have already decided about this content.", details={"status": release.status})
    Approval.objects.create(release=release, user=actor.user, decision=decision, comment=comment, digest=release.digest)
    return release
