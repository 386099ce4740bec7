"""Reasons to wait before a deployment starts, each with a sentence for people.

Cheap and final gates first. Judged when it could start, not when it was asked for, and for every way in.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.timesince import timeuntil

from deployments.models import Deployment, Target
from deployments.selectors.deployments import LONG
from deployments.statuses import DeploymentKind, DeploymentStatus
from releases.approvals import weigh
from releases.models import Decision
from releases.selectors import requirements_of, reviewers_of, rules_for
from releases.statuses import DEPLOYABLE


@dataclass(frozen=True, slots=True)
class Gate:
    """`can_open` names the teams or people who can; `opens_at` is set when it opens by itself.

    `final` closes for good: the deployment ends with the sentence.
    """

    kind: str
    open: bool
    sentence: str
    opens_at: datetime | None = None
    can_open: list[str] = field(default_factory=list)
    final: bool = False

    def as_row(self) -> dict[str, Any]:
        """Plain JSON, as stored with the deployment and answered by the API."""
        return asdict(self) | {"opens_at": self.opens_at.isoformat() if self.opens_at else None}


Ask = Callable[[Deployment, datetime], Gate | None]


def ask_gates(deployment: Deployment, now: datetime) -> list[Gate]:
    """Every gate that has something to say. A rollback waits for nothing but its turn and its time."""
    asks: tuple[Ask, ...] = (content, schedule, promotion, approvals, turn)
    if deployment.is_rollback:
        asks = (schedule, turn)
    elif deployment.part_of_id is not None:
        # The rest was asked of the deployment that leads it.
        asks = (content, turn)
    return [gate for ask in asks if (gate := ask(deployment, now)) is not None]


def content(deployment: Deployment, now: datetime) -> Gate | None:
    release = deployment.release
    if release.digest != deployment.release_digest:
        why = (
            f"The content of {release} was changed after this deployment was asked for. Ask again with the new content."
        )
    elif release.status not in DEPLOYABLE:
        why = f"{release} is {release.get_status_display().lower()}; only an approved release goes out."
    else:
        return None
    return Gate("content", open=False, sentence=why, final=True)


def schedule(deployment: Deployment, now: datetime) -> Gate | None:
    if deployment.not_after and now > deployment.not_after:
        return Gate("schedule", open=False, sentence="Its start window has passed. Ask again.", final=True)
    if deployment.not_before and now < deployment.not_before:
        sentence = f"Starts at {deployment.not_before:%Y-%m-%d %H:%M} UTC, in {timeuntil(deployment.not_before, now)}."
        return Gate("schedule", open=False, sentence=sentence, opens_at=deployment.not_before)
    return None


def promotion(deployment: Deployment, now: datetime) -> Gate | None:
    """The environment before must have run this very content, for its soak time."""
    required = deployment.environment.requires
    if required is None:
        return None
    proofs = Deployment.objects.filter(
        application=deployment.application_id,
        environment=required,
        release_digest=deployment.release_digest,
        status=DeploymentStatus.SUCCEEDED,
        # Of several targets there one is not enough.
        part_of__isnull=True,
    )
    succeeded_at = proofs.order_by("completed_at").values_list("completed_at", flat=True).first()
    if succeeded_at is None:
        sentence = f"{deployment.release} must first succeed in {required}."
        return Gate("promotion", open=False, sentence=sentence, can_open=[deployment.application.team.name])
    soaked_at = succeeded_at + timedelta(minutes=deployment.environment.soak_minutes)
    if now < soaked_at:
        sentence = f"Soaks in {required} until {soaked_at:%Y-%m-%d %H:%M} UTC."
        return Gate("promotion", open=False, sentence=sentence, opens_at=soaked_at)
    return Gate("promotion", open=True, sentence=f"Succeeded in {required}.")


def approvals(deployment: Deployment, now: datetime) -> Gate | None:
    """The environment's own rules, each met by people who did not ask for the deployment."""
    requirements = requirements_of(rules_for(deployment.application, deployment.environment_id))
    if not requirements:
        return None
    given = deployment.approvals.filter(
        decision=Decision.APPROVED, digest=deployment.release_digest, user__is_active=True
    ).values_list("user_id", "user__role", "created_at")
    progress = weigh(requirements, reviewers_of(given), now)
    missing = [each for each in progress if not each.met]
    sentence = "; ".join(each.sentence for each in missing or progress)
    people = sorted({each.requirement.label for each in missing})
    return Gate("approval", open=not missing, sentence=f"{sentence}.", can_open=people)


def turn(deployment: Deployment, now: datetime) -> Gate | None:
    """One at a time in a target; rollbacks go first, then whoever asked first and waits for nothing else."""
    running = _rivals(deployment).filter(status=DeploymentStatus.IN_PROGRESS)
    # A page may ask in the very moment in which it starts: nobody waits for themselves.
    first = running.exclude(pk=deployment.pk).select_related("release__application").defer(*LONG).first()
    # A part stands behind nobody who has not started: those wait for the deployment that leads it.
    if first is None and not deployment.is_rollback and deployment.part_of_id is None:
        first = _ahead(deployment)
    if first is None:
        return None
    return Gate("turn", open=False, sentence=f"Waits for its turn: {first.release} goes first.")


def _rivals(deployment: Deployment) -> QuerySet[Deployment]:
    """Those that take turns with it: in its target, and the leading ones wherever they would lead.

    Two that lead from different targets (their order was changed meanwhile) would wait for each other's parts.
    """
    here = Q(target=deployment.target_id)
    if deployment.part_of_id is None and not _stands_alone(deployment):
        place = Target.objects.filter(application=deployment.application_id, environment=deployment.environment_id)
        here |= Q(target__in=place, part_of__isnull=True)
    return Deployment.objects.filter(here)


def _stands_alone(deployment: Deployment) -> bool:
    """It takes one target back while the others are still on their way."""
    undone = deployment.rolls_back
    return undone is not None and undone.part_of_id is not None


def _ahead(deployment: Deployment) -> Deployment | None:
    pending = _rivals(deployment).filter(status=DeploymentStatus.PENDING)
    earlier = Q(created_at__lt=deployment.created_at) | Q(created_at=deployment.created_at, pk__lt=deployment.pk)
    others = pending.filter(earlier | Q(kind=DeploymentKind.ROLLBACK)).exclude(pk=deployment.pk)
    # Woken, so what its gates said last may no longer hold: it looks first.
    woken = set(others.filter(wake_at__lte=Now()).values_list("pk", flat=True))
    for other in others.select_related("release__application").defer(*LONG).order_by("created_at", "id"):
        if other.pk in woken or _waits_for_its_turn_only(other):
            return other
    return None


def _waits_for_its_turn_only(deployment: Deployment) -> bool:
    return all(gate["open"] or gate["kind"] == "turn" for gate in deployment.gates)
