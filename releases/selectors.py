"""Reads about applications and releases that join or shape."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import Membership
from releasemgr.core.actors import Actor
from releasemgr.core.errors import NotFound
from releases.approvals import ANYONE, Progress, Requirement, Reviewer, weigh
from releases.models import Application, Approval, ApprovalRule, Decision, Release
from releases.policies import visible_applications, visible_releases


def application_by_slug_or_id(actor: Actor, reference: str) -> Application:
    """Raises NotFound, also for what the actor may not see."""
    found = visible_applications(actor).filter(by_name("slug", reference)).first()
    if found is None:
        raise NotFound(f"There is no application “{reference[:80]}”, or you may not see it.")
    return found


def by_name(field: str, reference: str) -> Q:
    """Matches an id, or the natural name in `field`."""
    try:
        return Q(pk=UUID(str(reference)))
    except ValueError:
        return Q(**{field: str(reference)})


def release_list(actor: Actor) -> QuerySet[Release]:
    return visible_releases(actor).select_related("application", "created_by")


def get_release(actor: Actor, release_id: UUID) -> Release:
    release = (
        visible_releases(actor).select_related("application__team", "created_by", "edited_by").filter(pk=release_id)
    ).first()
    if release is None:
        raise NotFound("There is no such release, or you may not see it.")
    return release


def rules_for(application: Application, environment_id: UUID | None) -> QuerySet[ApprovalRule]:
    """Rules of the release itself (environment None), or of deployments to one environment."""
    here = Q(application=application) | Q(application__isnull=True)
    return ApprovalRule.objects.filter(here, environment_id=environment_id).select_related("team")


def requirements_of(rules: Iterable[ApprovalRule]) -> list[Requirement]:
    return [
        Requirement(
            label=rule.team.name if rule.team else (rule.get_role_display() if rule.role else ANYONE.label),
            count=rule.count,
            team_id=rule.team_id,
            role=rule.role,
            valid_for=timedelta(hours=rule.expires_after_hours) if rule.expires_after_hours else None,
        )
        for rule in rules
    ]


def reviewers_of(decisions: Iterable[tuple[UUID, str, datetime]]) -> list[Reviewer]:
    """`decisions` are (user id, role, time) of approvals; one query adds the teams."""
    rows = list(decisions)
    teams: defaultdict[UUID, set[UUID]] = defaultdict(set)
    pairs = Membership.objects.filter(user__in=[user_id for user_id, _, _ in rows]).values_list("user_id", "team_id")
    for user_id, team_id in pairs:
        teams[user_id].add(team_id)
    return [Reviewer(user_id, role, frozenset(teams[user_id]), at) for user_id, role, at in rows]


def approval_progress(release: Release, now: datetime) -> list[Progress]:
    """How far the release's own rules are met; one approval is always needed."""
    requirements = requirements_of(rules_for(release.application, None)) or [ANYONE]
    given = Approval.objects.filter(
        release=release, voided_at__isnull=True, decision=Decision.APPROVED, digest=release.digest, user__is_active=True
    ).values_list("user_id", "user__role", "created_at")
    return weigh(requirements, reviewers_of(given), now)
