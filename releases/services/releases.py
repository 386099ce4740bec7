"""What authors do with releases."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.policies import require
from audit.services import record
from releasemgr.core import live
from releasemgr.core.actors import SYSTEM, Actor
from releasemgr.core.changes import assign, validate
from releasemgr.core.errors import NotAllowed, WrongState
from releases import policies
from releases.content import clean_artifacts, content_digest
from releases.masking import artifacts_without_secrets
from releases.models import Application, Comment, Release
from releases.services.access import require_develop
from releases.statuses import EDITABLE, ReleaseStatus
from releases.transitions import move_release

EDITABLE_FIELDS = frozenset({"version", "commit", "artifacts", "description", "notes"})


@transaction.atomic
def draft_release(
    *,
    actor: Actor,
    application: Application,
    version: str,
    artifacts: Any,
    description: str = "",
    commit: str = "",
    notes: str = "",
) -> Release:
    """Raises Invalid for content that can't go out, WrongState when the version is taken."""
    require_develop(actor, application)
    if actor.user is None:
        raise NotAllowed("A release needs a person as its author.", details={"permission": "user"})
    release = Release(
        application=application,
        version=version,
        description=description,
        commit=commit,
        notes=notes,
        artifacts=clean_artifacts(artifacts),
        created_by=actor.user,
        edited_by=actor.user,
    )
    release.digest = digest_of(release)
    _insert(release)
    record("release.created", actor=actor, subject=release, data={"digest": release.digest})
    live.changed("releases")
    return release


def digest_of(release: Release) -> str:
    return content_digest(
        application=release.application.slug,
        version=release.version,
        commit=release.commit,
        artifacts=release.artifacts,
    )


def _insert(release: Release) -> None:
    validate(release, unique=False)
    try:
        with transaction.atomic():
            release.save(force_insert=True)
    except IntegrityError:
        raise version_taken(release) from None


def version_taken(release: Release) -> WrongState:
    return WrongState(
        f"{release.application} already has a release {release.version}. Choose another version.",
        details={"version": [f"{release.version} is taken."], "status": "duplicate"},
    )


@transaction.atomic
def edit_release(*, actor: Actor, release: Release, changes: Mapping[str, Any]) -> Release:
    """Change texts or content. New content voids the approvals, and approved content goes back into review."""
    require_develop(actor, release.application)
    release = lock(release)
    if release.status not in EDITABLE:
        raise WrongState(
            f"{release} is {release.get_status_display().lower()}: it stays as it is. Draft a new version instead.",
            details={"status": release.status},
        )
    wanted = {name: value for name, value in changes.items() if name in EDITABLE_FIELDS}
    if "artifacts" in wanted:
        wanted["artifacts"] = clean_artifacts(wanted["artifacts"])
    differences = assign(release, wanted)
    new_digest = digest_of(release)
    if new_digest != release.digest:
        _void_approvals(actor, release, new_digest=new_digest)
    _save_edit(release, [*wanted, "updated_at"], new_digest=new_digest, actor=actor)
    if differences:
        _record_edit(actor, release, differences)
    live.changed(f"release.{release.pk}")
    return release


def _record_edit(actor: Actor, release: Release, differences: dict[str, tuple[Any, Any]]) -> None:
    if "artifacts" in differences:
        before, after = (artifacts_without_secrets(each) for each in differences["artifacts"])
        differences = {**differences, "artifacts": (before, after)}
    record("release.updated", actor=actor, subject=release, changes=differences, data={"digest": release.digest})


def _void_approvals(actor: Actor, release: Release, *, new_digest: str) -> None:
    now = timezone.now()
    voided = release.approvals.filter(voided_at__isnull=True).update(voided_at=now)
    if release.status == ReleaseStatus.APPROVED:
        move_release(
            release,
            to=ReleaseStatus.IN_REVIEW,
            actor=actor,
            reason="The content was edited.",
            event="release.returned",
            approved_at=None,
        )
    if voided:
        record(
            "release.approvals_voided",
            actor=actor,
            subject=release,
            changes={"digest": (release.digest, new_digest)},
            data={"approvals": voided},
        )


def _save_edit(release: Release, fields: list[str], *, new_digest: str, actor: Actor) -> None:
    if new_digest != release.digest:
        release.digest = new_digest
        release.edited_by = actor.user
        fields += ["digest", "edited_by"]
    validate(release, unique=False)
    try:
        with transaction.atomic():
            release.save(update_fields=fields)
    except IntegrityError:
        raise version_taken(release) from None


def lock(release: Release) -> Release:
    """The row as it is now, held until the transaction ends."""
    return Release.objects.select_for_update(of=("self",)).select_related("application__team").get(pk=release.pk)


@transaction.atomic
def delete_release(*, actor: Actor, release: Release) -> None:
    require_develop(actor, release.application)
    release = lock(release)
    if release.status != ReleaseStatus.DRAFT:
        raise WrongState(
            f"Only a draft can be deleted; {release} is {release.get_status_display().lower()}. Cancel it instead.",
            details={"status": release.status},
        )
    record("release.deleted", actor=actor, subject=release, data={"digest": release.digest})
    live.changed("releases")
    release.delete()


@transaction.atomic
def submit_release(*, actor: Actor, release: Release) -> Release:
    require_develop(actor, release.application)
    move_release(release, to=ReleaseStatus.IN_REVIEW, actor=actor, submitted_at=timezone.now())
    live.changed("releases")
    return release


@transaction.atomic
def cancel_release(*, actor: Actor, release: Release, reason: str = "") -> Release:
    require_develop(actor, release.application)
    move_release(release, to=ReleaseStatus.CANCELLED, actor=actor, reason=reason, cancelled_at=timezone.now())
    live.changed("releases")
    return release


@transaction.atomic
def mark_released(*, release: Release, now: datetime) -> None:
    """The engine reports that the release went live where it counts. A second time changes nothing."""
    if release.status == ReleaseStatus.APPROVED:
        move_release(release, to=ReleaseStatus.RELEASED, actor=SYSTEM, released_at=now)


@transaction.atomic
def comment_on_release(*, actor: Actor, release: Release, body: str) -> Comment:
    require(
        policies.can_comment(actor, release),
        permission="releases.develop_application",
        why=f"You may read this discussion, but only engineers of {release.application.team} take part.",
    )
    comment = Comment(release=release, user=actor.user, body=body.strip())
    validate(comment)
    comment.save(force_insert=True)
    record("release.commented", actor=actor, subject=release, data={"comment": str(comment.pk)})
    live.changed(f"release.{release.pk}")
    return comment
