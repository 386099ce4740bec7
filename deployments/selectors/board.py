"""The home board: what runs where, what moves, what waits. Six queries, however many applications there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet, Subquery, Value, prefetch_related_objects
from django.db.models.functions import Coalesce

from deployments.models import Deployment, DeploymentApproval, Environment, Step, Target
from deployments.policies import can_review, visible_deployments, visible_environments, visible_targets
from deployments.selectors.cells import Cell, asked_at, cells_of
from deployments.statuses import OPEN, DeploymentStatus, StepStatus
from releasemgr.core.actors import Actor
from releases.models import Application, Approval, Release
from releases.policies import visible_applications, visible_releases
from releases.statuses import ReleaseStatus

MOST_WAITING = 20
SHOWN = (
    "target_id", "application_id", "environment_id", "kind", "status", "sequence", "deployed_by_id", "gates",
    "created_at", "started_at", "completed_at", "error_message", "cancel_requested_at", "part_of_id",
    "release__version", "release__application_id",
)  # fmt: skip


@dataclass
class Row:
    application: Application
    cells: list[Cell]


@dataclass
class Board:
    """`moving` and `to_review` (deployments), `to_approve` (releases) are about all that the actor sees, unfiltered."""

    environments: Sequence[Environment]
    rows: Sequence[Row]
    teams: Sequence[tuple[str, str]]
    total: int
    moving: Sequence[Deployment]
    to_review: Sequence[Deployment]
    to_approve: Sequence[Release]


def board(actor: Actor, *, text: str = "", team: str = "") -> Board:
    """Rows are filtered by `text` (name, slug, team) and `team` (slug)."""
    environments = list(visible_environments(actor).order_by("position", "name"))
    applications = list(visible_applications(actor).select_related("team").defer("description").order_by("name", "id"))
    targets = list(_targets(actor))
    deployments = _at_home(_deployments(actor, targets), applications, environments)
    cells = cells_of(environments, targets, deployments)
    open_ones = sorted((each for each in deployments if each.is_open), key=asked_at)
    return Board(
        environments=environments,
        rows=[
            Row(each, [cells.get((each.pk, environment.pk)) or Cell(environment) for environment in environments])
            for each in applications
            if _matches(each, text, team)
        ],
        teams=sorted({(each.team.slug, each.team.name) for each in applications}, key=lambda pair: pair[1].lower()),
        total=len(applications),
        moving=_moving(open_ones),
        to_review=[each for each in open_ones if _waits_for(actor, each)][:MOST_WAITING],
        to_approve=list(_releases_to_approve(actor)),
    )


def _targets(actor: Actor) -> QuerySet[Target]:
    """Each with the ids of its current and latest deployment: a step into an index, not a scan of history."""
    started = Deployment.objects.filter(target=OuterRef("pk"), sequence__isnull=False).order_by("-sequence")
    current = started.stands()
    return (
        visible_targets(actor)
        .select_related("cluster")
        .only("id", "application_id", "environment_id", "wave", "namespace", "cluster__name")
        .annotate(current_id=Subquery(current.values("pk")[:1]), latest_id=Subquery(started.values("pk")[:1]))
        .order_by("wave", "created_at", "id")
    )


def _deployments(actor: Actor, targets: Iterable[Target]) -> QuerySet[Deployment]:
    """Narrow rows: for hundreds of applications, making objects costs more than asking for them."""
    rows: list[Any] = list(targets)
    ids = {each.current_id for each in rows} | {each.latest_id for each in rows}
    decided = DeploymentApproval.objects.filter(deployment=OuterRef("pk"), user=actor.user_id)
    return (
        visible_deployments(actor)
        .filter(Q(pk__in=ids - {None}) | Q(status__in=OPEN))
        .select_related("release")
        .only(*SHOWN)
        .annotate(
            is_decided=Exists(decided),
            person=Coalesce("deployed_by__name", Value("")),
            taken_back_version=F("rolls_back__release__version"),
        )
        .order_by()
    )


def _at_home(
    deployments: Iterable[Deployment], applications: Iterable[Application], environments: Iterable[Environment]
) -> list[Deployment]:
    """The deployments with their application and environment, which are loaded already, and with `running_steps`."""
    by_application = {each.pk: each for each in applications}
    by_environment = {each.pk: each for each in environments}
    # What was set up since the first query is on the next board.
    found = [
        each for each in deployments if each.application_id in by_application and each.environment_id in by_environment
    ]
    for each in found:
        each.application = each.release.application = by_application[each.application_id]
        each.environment = by_environment[each.environment_id]
    steps = Step.objects.filter(status=StepStatus.RUNNING).only("deployment_id", "name", "status", "message")
    in_progress = [each for each in found if each.status == DeploymentStatus.IN_PROGRESS]
    prefetch_related_objects(in_progress, Prefetch("steps", steps, to_attr="running_steps"))
    return found


def _moving(open_ones: Sequence[Deployment]) -> list[Deployment]:
    """Under way, without the parts of which a leading one tells."""
    leading = {each.pk for each in open_ones}
    moving = [each for each in open_ones if each.status == DeploymentStatus.IN_PROGRESS]
    return [each for each in moving if each.part_of_id not in leading]


def _matches(application: Application, text: str, team: str) -> bool:
    words = text.strip().lower()
    named = f"{application.name} {application.slug} {application.team.name}".lower()
    return words in named and team in ("", application.team.slug)


def _waits_for(actor: Actor, deployment: Any) -> bool:
    """The approval gate is closed, and the actor may open it and has not decided yet."""
    closed = any(gate["kind"] == "approval" and not gate["open"] for gate in deployment.gates)
    waits = closed and deployment.status == DeploymentStatus.PENDING and not deployment.is_decided
    return waits and deployment.cancel_requested_at is None and can_review(actor, deployment)


def _releases_to_approve(actor: Actor) -> QuerySet[Release]:
    decided = Approval.objects.filter(release=OuterRef("pk"), user=actor.user_id, voided_at__isnull=True)
    judged = Q() if actor.is_admin else Q(application_id__in=actor.granted("approve_application"))
    rows = visible_releases(actor) if actor.may_change("releases") and actor.user_id else Release.objects.none()
    return (
        rows.filter(judged, ~Exists(decided), status=ReleaseStatus.IN_REVIEW)
        .exclude(created_by=actor.user_id)
        .exclude(edited_by=actor.user_id)
        .select_related("application", "created_by")
        .defer("artifacts", "description", "notes", "application__description")
        .order_by("submitted_at", "id")[:MOST_WAITING]
    )
