"""Reads about trains: many releases sent to one environment together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Min, Q, QuerySet

from deployments.models import Deployment, Environment, Target, Train
from deployments.policies import visible_deployments, visible_targets, visible_trains, why_not_deploy
from deployments.selectors.deployments import running_now
from deployments.statuses import OPEN, DeploymentStatus
from releasemgr.core.actors import Actor
from releasemgr.core.errors import NotFound
from releases.models import Release
from releases.policies import visible_releases
from releases.statuses import DEPLOYABLE

# What a train has become; `in_progress` while anything moves.
PARTLY_FAILED = "partly_failed"
SHOWN = (
    "kind", "status", "error_message", "started_at", "completed_at", "train_id", "application__name",
    "application__slug", "application__team_id", "release__version", "release__application_id",
    "target__application_id", "target__environment_id", "environment_id",
)  # fmt: skip


@dataclass(frozen=True)
class Departure:
    """An application whose newest approved release is not what runs in an environment.

    `blocked` says why it cannot go there now, `doubt` why one may not want it to; both are sentences or empty.
    """

    release: Release
    running: Deployment | None
    blocked: str
    doubt: str


def train_list(actor: Actor) -> QuerySet[Train]:
    """Newest first, each with how many of its visible deployments are in which status: `<status>_count`."""
    seen = Q(deployments__in=visible_deployments(actor))
    counts = {
        f"{status}_count": Count("deployments", filter=seen & Q(deployments__status=status))
        for status in DeploymentStatus
    }
    return (
        visible_trains(actor)
        .select_related("environment", "created_by")
        .annotate(**counts)
        .order_by("-created_at", "-id")
    )


def get_train(actor: Actor, train_id: UUID) -> Train:
    found = train_list(actor).filter(pk=train_id).first()
    if found is None:
        raise NotFound("There is no such train, or you may not see it.")
    return found


def deployments_of(actor: Actor, train: Train) -> list[Deployment]:
    """Those that the actor sees, by application. Narrow rows: a train may have hundreds."""
    rows = visible_deployments(actor).filter(train=train.pk).select_related("application", "release", "target")
    found = list(rows.only(*SHOWN).order_by("application__name", "id"))
    for deployment in found:
        deployment.environment = deployment.target.environment = train.environment
        deployment.target.application = deployment.release.application = deployment.application
    return found


def counts_of(train: Train) -> dict[str, int]:
    """Status → how many, of a train from `train_list`."""
    return {status.value: getattr(train, f"{status}_count") for status in DeploymentStatus}


def state_of(counts: Mapping[str, int]) -> str:
    """The train's status, which is its deployments': nothing else remembers it."""
    total = sum(counts.values())
    if any(counts[status] for status in OPEN):
        return DeploymentStatus.IN_PROGRESS
    for status in (DeploymentStatus.SUCCEEDED, DeploymentStatus.CANCELLED, DeploymentStatus.ROLLED_BACK):
        if counts[status] == total:
            return status
    return PARTLY_FAILED if counts[DeploymentStatus.SUCCEEDED] else DeploymentStatus.FAILED


def departures(actor: Actor, environment: Environment, *, now: datetime) -> list[Departure]:
    """What could go there now, by application. Six queries, however many applications there are."""
    targets = _first_targets(actor, environment)
    releases = _newest_releases(actor, targets)
    running = running_now(targets.values())
    tried = _newest_tries(targets.values(), releases)
    proofs = _proofs(environment, releases)
    found = []
    for release in releases:
        target, last = targets[release.application_id], tried.get(release.pk)
        there = running.get(target.pk)
        if there is not None and there.release_id == release.pk:
            continue
        blocked = (
            why_not_deploy(actor, target)
            or ("It is on its way there already." if last and last.is_open else "")
            or _why_not_promoted(environment, proofs.get(release.digest), now)
        )
        doubt = f"Its last deployment there {_ENDS[last.status]}." if last and last.status in _ENDS else ""
        found.append(Departure(release, there, blocked, doubt))
    return sorted(found, key=lambda each: each.release.application.name.lower())


def _newest_releases(actor: Actor, applications: Iterable[UUID]) -> list[Release]:
    """The newest of each that may go out."""
    return list(
        visible_releases(actor)
        .filter(application__in=list(applications), status__in=DEPLOYABLE)
        .select_related("application")
        .defer("artifacts", "description", "notes", "application__description")
        .order_by("application_id", "-created_at", "-id")
        .distinct("application_id")
    )


_ENDS: Mapping[str, str] = {
    DeploymentStatus.FAILED: "failed",
    DeploymentStatus.CANCELLED: "was cancelled",
    DeploymentStatus.ROLLED_BACK: "was rolled back",
}


def _first_targets(actor: Actor, environment: Environment) -> dict[UUID, Target]:
    """Application id → where it goes first."""
    rows = (
        visible_targets(actor)
        .filter(environment=environment)
        .select_related("application__team")
        .defer("database_url")
        .order_by("-wave", "-created_at", "-id")
    )
    found = {target.application_id: target for target in rows}
    for target in found.values():
        target.environment = environment
    return found


def _newest_tries(targets: Iterable[Target], releases: Iterable[Release]) -> dict[UUID, Deployment]:
    """Release id → its newest deployment."""
    rows = (
        Deployment.objects.filter(target__in=list(targets), release__in=list(releases))
        .only("release_id", "status")
        .order_by("release_id", "-created_at", "-id")
        .distinct("release_id")
    )
    return {row.release_id: row for row in rows}


def _proofs(environment: Environment, releases: Iterable[Release]) -> dict[str, datetime]:
    """Digest → when that content first succeeded in the environment before."""
    rows = (
        Deployment.objects.filter(
            environment=environment.requires_id,
            part_of__isnull=True,
            status=DeploymentStatus.SUCCEEDED,
            release_digest__in=[release.digest for release in releases],
        )
        .order_by()
        .values_list("release_digest")
        .annotate(first=Min("completed_at"))
    )
    return dict(rows) if environment.requires_id else {}


def _why_not_promoted(environment: Environment, succeeded_at: datetime | None, now: datetime) -> str:
    if environment.requires is None:
        return ""
    if succeeded_at is None:
        return f"It must first succeed in {environment.requires}."
    soaked_at = succeeded_at + timedelta(minutes=environment.soak_minutes)
    return f"Soaks in {environment.requires} until {soaked_at:%Y-%m-%d %H:%M} UTC." if now < soaked_at else ""
