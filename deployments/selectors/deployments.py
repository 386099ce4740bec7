"""Reads about deployments that join or shape."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery

from deployments.models import Deployment, LogLine, Step, Target
from deployments.policies import visible_deployments
from deployments.statuses import DeploymentStatus
from releasemgr.core.actors import Actor
from releasemgr.core.errors import NotFound
from releases.models import Release

# A deployment that succeeded and was taken back later did once run well.
BROUGHT_UP = (DeploymentStatus.SUCCEEDED, DeploymentStatus.ROLLED_BACK)
# Long columns that lists of people have no use for.
LONG = ("manifests", "evidence", "release__artifacts", "release__description", "release__notes",
        "application__description", "release__application__description")  # fmt: skip
# Neither what is long nor what is secret: the one is loaded when asked for, the other never.
UNSEEN = ("manifests", "rolls_back__manifests", "rolls_back__evidence", "target__database_url",
          "target__cluster__kubeconfig")  # fmt: skip
LOG_PAGE = 200


def deployment_list(actor: Actor) -> QuerySet[Deployment]:
    """For lists: without the rendered objects, the evidence and the release's long texts."""
    return (
        visible_deployments(actor)
        .select_related("release__application", "application", "environment", "deployed_by")
        .defer(*LONG)
    )


def deployment_rows(actor: Actor) -> QuerySet[Deployment]:
    """For lists of programs: with `rolled_back_by_id` and the steps too."""
    taken_back_by = Deployment.objects.filter(rolls_back=OuterRef("pk"), status__in=BROUGHT_UP).order_by("sequence")
    return (
        deployment_list(actor)
        .annotate(rolled_back_by_id=Subquery(taken_back_by.values("pk")[:1]))
        .prefetch_related(Prefetch("steps", Step.objects.order_by("position")))
    )


def deployment_details(actor: Actor) -> QuerySet[Deployment]:
    """With all that says where it goes, and the whole release; still without the rendered objects."""
    return (
        deployment_rows(actor)
        .select_related("target__cluster", "application__team", "environment__requires", "cancel_requested_by")
        .select_related("rolls_back__release__application", "bake")
        .defer(None)
        .defer(*UNSEEN)
    )


def get_deployment(actor: Actor, deployment_id: UUID) -> Deployment:
    found = deployment_details(actor).filter(pk=deployment_id).first()
    if found is None:
        raise NotFound("There is no such deployment, or you may not see it.")
    return found


def search_deployments(queryset: QuerySet[Deployment], text: str) -> QuerySet[Deployment]:
    """Deployments whose version, application, reason or error holds `text`."""
    words = text.strip()[:200]
    if not words:
        return queryset
    return queryset.filter(
        Q(release__version__icontains=words)
        | Q(application__name__icontains=words)
        | Q(application__slug__icontains=words)
        | Q(reason__icontains=words)
        | Q(error_message__icontains=words)
    )


def log_lines(deployment: Deployment, *, after: int = 0) -> QuerySet[LogLine]:
    """Oldest first, those after the line with the id `after`."""
    return LogLine.objects.filter(deployment=deployment.pk, pk__gt=after).order_by("id")


def log_page(deployment: Deployment, *, before: int | None = None, size: int = LOG_PAGE) -> tuple[list[LogLine], bool]:
    """The newest lines (before the line with the id `before`), oldest first, and whether there are earlier ones."""
    lines = LogLine.objects.filter(deployment=deployment.pk)
    if before is not None:
        lines = lines.filter(pk__lt=before)
    newest = list(lines.order_by("-id")[: size + 1])
    return newest[:size][::-1], len(newest) > size


def last_good(target: Target, *, before: Deployment) -> Deployment | None:
    """The latest deployment before `before` that brought another release up here for good."""
    good = (
        Deployment.objects.stands()
        .filter(target=target)
        .select_related("release")
        .exclude(pk=before.pk)
        .exclude(release_id=before.release_id)
    )
    if before.sequence is not None:
        good = good.filter(sequence__lt=before.sequence)
    return good.order_by("-sequence").first()


def newest_after(deployment: Deployment) -> Deployment | None:
    """The last deployment that touched, or touches, the same target after this one; None for one that never started."""
    if deployment.sequence is None:
        return None
    later = Deployment.objects.filter(target=deployment.target_id, sequence__gt=deployment.sequence)
    return later.select_related("release__application").defer(*LONG).order_by("-sequence").first()


def rollback_choices(deployment: Deployment, limit: int = 20) -> list[Deployment]:
    """Earlier deployments to which one may go back, newest first, each release once."""
    good = (
        Deployment.objects.ran_well()
        .filter(target=deployment.target_id)
        .exclude(release_id=deployment.release_id)
        .select_related("release__application")
        .defer(*LONG)
        .order_by("-sequence")[: limit * 3]
    )
    newest: dict[UUID, Deployment] = {}
    for each in good:
        newest.setdefault(each.release_id, each)
    return list(newest.values())[:limit]


def running_now(targets: Iterable[Target]) -> dict[UUID, Deployment]:
    """Target id → the deployment whose release runs there, as far as we brought it."""
    rows = (
        Deployment.objects.stands()
        .filter(target__in=list(targets))
        .order_by("target_id", "-sequence")
        .distinct("target_id")
        .select_related("release__application", "deployed_by")
        .defer(*LONG)
    )
    return {row.target_id: row for row in rows}


def latest_of_release(release: Release) -> dict[UUID, Deployment]:
    """Target id → the release's newest deployment there."""
    rows: Any = (
        Deployment.objects.filter(release=release)
        .order_by("target_id", "-created_at", "-id")
        .distinct("target_id")
        .select_related("release__application", "deployed_by")
        .defer(*LONG)
    )
    return {row.target_id: row for row in rows}
