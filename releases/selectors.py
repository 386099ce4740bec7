"""Reads about applications and releases that join or shape."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery, prefetch_related_objects

from accounts.models import Membership
from releasemgr.core.actors import Actor
from releasemgr.core.errors import Invalid, NotFound
from releasemgr.core.lookups import by_name
from releasemgr.core.values import as_uuid
from releases.approvals import ANYONE, Progress, Requirement, Reviewer, weigh
from releases.models import Application, Approval, ApprovalRule, Comment, Decision, Release
from releases.policies import visible_applications, visible_approval_rules, visible_releases
from releases.versions import next_version

MAX_GUESSES = 10
COMMENTS_STEP = 50
MOST_COMMENTS = 1000


@dataclass(frozen=True, slots=True)
class Discussion:
    """`rows` oldest first, `size` how many may be shown, `more` how many to ask for to see earlier ones too, or 0."""

    rows: list[Comment]
    size: int
    more: int


def application_by_slug_or_id(actor: Actor, reference: str) -> Application:
    """Raises NotFound, also for what the actor may not see."""
    found = visible_applications(actor).filter(by_name("slug", reference)).first()
    if found is None:
        raise NotFound(f"There is no application “{reference[:80]}”, or you may not see it.")
    return found


def application_list(actor: Actor) -> QuerySet[Application]:
    """The visible applications, each with `last_release_id`, `last_version`, `last_status` and `last_at` (or None)."""
    newest = Release.objects.filter(application=OuterRef("pk")).order_by("-created_at", "-id")
    return (
        visible_applications(actor)
        .select_related("team")
        .annotate(
            last_release_id=Subquery(newest.values("pk")[:1]),
            last_version=Subquery(newest.values("version")[:1]),
            last_status=Subquery(newest.values("status")[:1]),
            last_at=Subquery(newest.values("created_at")[:1]),
        )
        .order_by("name", "id")
    )


def developed_applications(actor: Actor) -> QuerySet[Application]:
    """Where the actor may draft releases."""
    applications = visible_applications(actor)
    if actor.is_admin:
        return applications
    developed = actor.granted("develop_application") if actor.may_change("releases") else ()
    return applications.filter(pk__in=developed)


def only_application(actor: Actor) -> Application:
    """The application that need not be named, because it is the only one. Raises Invalid when it must be."""
    found = list(visible_applications(actor)[:2])
    if len(found) != 1:
        why = "You see several applications, so say which one." if found else "You see no application yet."
        raise Invalid(why, details={"application": [why]})
    return found[0]


def last_release(application: Application) -> Release | None:
    return application.releases.order_by("-created_at", "-id").first()


def suggested_version(last: Release | None) -> str:
    """What could follow `last` and is not taken; empty where nothing follows from it."""
    version = next_version(last.version) if last else ""
    for _ in range(MAX_GUESSES):
        if not last or not version or not last.application.releases.filter(version=version).exists():
            return version
        version = next_version(version)
    return ""


def release_list(actor: Actor) -> QuerySet[Release]:
    """For lists of people: without the long texts."""
    return (
        visible_releases(actor)
        .select_related("application", "created_by")
        .defer("artifacts", "description", "notes", "application__description")
    )


def release_details(actor: Actor) -> QuerySet[Release]:
    """Whole releases, with the decisions about them and the people behind them."""
    decisions = Approval.objects.select_related("user").order_by("created_at", "id")
    return (
        visible_releases(actor)
        .select_related("application__team", "created_by", "edited_by")
        .prefetch_related(Prefetch("approvals", decisions))
    )


def search_releases(queryset: QuerySet[Release], text: str) -> QuerySet[Release]:
    """Releases whose version, application, commit or description holds `text`."""
    words = text.strip()[:200]
    if not words:
        return queryset
    return queryset.filter(
        Q(version__icontains=words)
        | Q(application__name__icontains=words)
        | Q(application__slug__icontains=words)
        | Q(commit__istartswith=words)
        | Q(description__icontains=words)
    )


def get_release(actor: Actor, release_id: UUID | str) -> Release:
    """Raises NotFound, also for text that is no id."""
    identifier = as_uuid(str(release_id))
    release = release_details(actor).filter(pk=identifier).first() if identifier else None
    if release is None:
        raise NotFound("There is no such release, or you may not see it.")
    return release


def comments_of(release: Release) -> QuerySet[Comment]:
    return release.comments.select_related("user").order_by("created_at", "id")


def latest_comments(release: Release, asked: str = "") -> Discussion:
    """The newest ones, as many as `asked` for within bounds; text that is no number asks for the fewest."""
    wanted = int(asked) if asked.isdecimal() and len(asked) <= 6 else 0
    size = min(max(wanted, COMMENTS_STEP), MOST_COMMENTS)
    newest = list(comments_of(release).reverse()[: size + 1])
    more = len(newest) > size and size < MOST_COMMENTS
    return Discussion(newest[:size][::-1], size, size + COMMENTS_STEP if more else 0)


def approval_rules(actor: Actor) -> QuerySet[ApprovalRule]:
    return visible_approval_rules(actor).select_related("application", "environment", "team")


def get_approval_rule(actor: Actor, rule_id: UUID) -> ApprovalRule:
    rule = approval_rules(actor).filter(pk=rule_id).first()
    if rule is None:
        raise NotFound("There is no such approval rule, or you may not see it.")
    return rule


def rules_of(application: Application) -> QuerySet[ApprovalRule]:
    """Every rule that its releases and deployments meet, the general ones too."""
    here = Q(application=application) | Q(application__isnull=True)
    return ApprovalRule.objects.filter(here).select_related("application", "environment", "team")


def rules_for(application: Application, environment_id: UUID | None) -> QuerySet[ApprovalRule]:
    """Rules of the release itself (environment None), or of deployments to one environment."""
    here = Q(application=application) | Q(application__isnull=True)
    return ApprovalRule.objects.filter(here, environment=environment_id).select_related("team")


def requirements_of(rules: Iterable[ApprovalRule]) -> list[Requirement]:
    return [
        Requirement(
            label=rule.people,
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
    return progress_of_releases([release], now)[release.pk]


def progress_of_releases(releases: Sequence[Release], now: datetime) -> dict[UUID, list[Progress]]:
    """The same for a page of releases, in three queries however many they are (two with approvals prefetched)."""
    prefetch_related_objects(releases, Prefetch("approvals", Approval.objects.select_related("user")))
    applications = {release.application_id for release in releases}
    rules = ApprovalRule.objects.filter(
        Q(application__in=applications) | Q(application__isnull=True), environment__isnull=True
    ).select_related("team")
    known = list(rules)
    counted = [each for release in releases for each in release.approvals.all() if _counts(each, release)]
    reviewers = reviewers_of((each.user_id, each.user.role, each.created_at) for each in counted)
    given = list(zip(counted, reviewers, strict=True))
    return {
        release.pk: weigh(
            requirements_of(each for each in known if each.application_id in (None, release.application_id))
            or [ANYONE],
            [reviewer for approval, reviewer in given if approval.release_id == release.pk],
            now,
        )
        for release in releases
    }


def _counts(approval: Approval, release: Release) -> bool:
    return (
        approval.valid
        and approval.decision == Decision.APPROVED
        and approval.digest == release.digest
        and approval.user.is_active
    )
