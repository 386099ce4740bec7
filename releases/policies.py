"""Who may see and change applications and releases."""

from typing import Any

from django.db.models import QuerySet

from accounts.policies import can_administer
from releasemgr.core.actors import Actor
from releases.masking import artifacts_without_secrets
from releases.models import Application, Approval, ApprovalRule, Release


def visible_applications(actor: Actor) -> QuerySet[Application]:
    if not actor.is_authenticated or not actor.has_scope("releases:read"):
        return Application.objects.none()
    if actor.is_admin:
        return Application.objects.all()
    return Application.objects.filter(pk__in=actor.granted("view_application"))


def visible_releases(actor: Actor) -> QuerySet[Release]:
    if not actor.is_authenticated or not actor.has_scope("releases:read"):
        return Release.objects.none()
    if actor.is_admin:
        return Release.objects.all()
    return Release.objects.filter(application_id__in=actor.granted("view_application"))


def visible_approval_rules(actor: Actor) -> QuerySet[ApprovalRule]:
    """The rules are no secret: whoever waits for an approval may read which one is asked for."""
    if not actor.is_authenticated:
        return ApprovalRule.objects.none()
    if actor.is_admin:
        return ApprovalRule.objects.all()
    visible = ApprovalRule.objects.filter(application_id__in=actor.granted("view_application"))
    return visible | ApprovalRule.objects.filter(application__isnull=True)


def can_set_up(actor: Actor) -> bool:
    """Applications, approval rules and everything else that is set-up: an operator's business."""
    return can_administer(actor)


def can_develop(actor: Actor, application: Application) -> bool:
    """Draft, edit, submit and cancel the application's releases."""
    return actor.may_change("releases") and actor.holds("develop_application", application.pk)


def visible_artifacts(actor: Actor, release: Release) -> dict[str, Any]:
    """The content as the actor may see it: what Secrets hold is only for those who may write it."""
    if can_develop(actor, release.application):
        return dict(release.artifacts)
    return artifacts_without_secrets(release.artifacts)


def can_draft(actor: Actor) -> bool:
    """Whether there is any application whose releases the actor may write."""
    return actor.may_change("releases") and (actor.is_admin or bool(actor.granted("develop_application")))


def is_author(actor: Actor, release: Release) -> bool:
    return actor.user_id in (release.created_by_id, release.edited_by_id)


def can_judge(actor: Actor, application: Application) -> bool:
    """Decide about its releases; about no content of one's own (`is_author`), not even as an administrator."""
    return (
        actor.user_id is not None
        and actor.may_change("releases")
        and actor.holds("approve_application", application.pk)
    )


def can_comment(actor: Actor, release: Release) -> bool:
    return actor.user_id is not None and can_develop(actor, release.application)


def has_decided(actor: Actor, release: Release) -> bool:
    return Approval.objects.filter(release=release, user=actor.user_id, voided_at__isnull=True).exists()
