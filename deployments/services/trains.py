"""Sending many releases to one environment with one click."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from accounts.policies import require
from audit.services import record, record_each
from deployments.models import Deployment, Environment, Target, Train
from deployments.policies import can_deploy, visible_deployments, why_not_deploy
from deployments.selectors.places import SECRETS_OF_TARGET
from deployments.services.control import ask_to_cancel
from deployments.services.deployments import asked_for
from deployments.services.planning import insert_all, plan_by, render_release, with_variants
from deployments.services.rollbacks import rollback_deployment
from deployments.statuses import DeploymentStatus
from deployments.targets.base import Manifest
from deployments.transitions import facts
from releasemgr.core.actors import Actor
from releasemgr.core.errors import DomainError, Invalid, WrongState
from releases.models import Release
from releases.policies import visible_releases
from releases.statuses import DEPLOYABLE

MOST_RELEASES = 200


@dataclass(frozen=True)
class Passenger:
    """A release that may leave, and where it goes: first to `target`."""

    release: Release
    target: Target
    manifests: list[Manifest]
    goes_further: bool


@transaction.atomic
def start_train(*, actor: Actor, environment: Environment, releases: Sequence[UUID], reason: str = "") -> Train:
    """Ask for all of them to go out, or for none. Each waits for its own gates, and one's failure stops no other.

    Raises Invalid: `details` maps the id of each release that cannot go to sentences.
    """
    require_sending(actor)
    passengers = _judge(actor, environment, releases)
    train = Train.objects.create(environment=environment, reason=reason, created_by=actor.user)
    variants = with_variants([each.target for each in passengers])
    plans = {}
    for each in passengers:
        deployment = asked_for(actor, each.release, each.target, each.manifests, reason=reason, train=train)
        plans[deployment] = plan_by(deployment, leads=each.goes_further, has_variants=each.target.pk in variants)
    insert_all(plans)
    record("train.started", actor=actor, subject=train, data=_about(train) | {"releases": len(plans)})
    record_each(
        "deployment.requested",
        actor=actor,
        subjects=plans,
        data=lambda deployment: facts(deployment) | {"reason": reason, "train": str(train.pk)},
    )
    return train


@transaction.atomic
def cancel_train(*, actor: Actor, train: Train) -> list[Deployment]:
    """Ask those that are still open to stop, as far as the actor may. Answers them."""
    require_sending(actor)
    seen = visible_deployments(actor).filter(train=train)
    rows = Deployment.objects.open().filter(pk__in=seen.values("pk")).select_for_update(of=("self",))
    found = list(rows.select_related("target__application", "environment", "release__application").order_by("id"))
    if not found:
        raise WrongState("Nothing of this train is under way any more.", details={"status": "ended"})
    mine = [each for each in found if can_deploy(actor, _at_home(each).target)]
    require(bool(mine), permission="deployments.deploy_environment", why="You may not deploy any of these.")
    record("train.cancel_requested", actor=actor, subject=train, data=_about(train) | {"deployments": len(mine)})
    for deployment in mine:
        ask_to_cancel(actor, deployment)
    return mine


@transaction.atomic
def rollback_train(*, actor: Actor, train: Train, reason: str) -> list[Deployment]:
    """Roll back what of it succeeded and still runs, as far as the actor may. Answers the rollbacks.

    Raises WrongState with every reason when there is nothing to take back.
    """
    require_sending(actor)
    rows = visible_deployments(actor).filter(train=train, status=DeploymentStatus.SUCCEEDED)
    made, refused = [], []
    for deployment in rows.select_related("target__application__team", "target__environment").order_by("id"):
        try:
            with transaction.atomic():
                made.append(rollback_deployment(actor=actor, deployment=deployment, reason=reason))
        except Invalid:
            raise
        except DomainError as error:
            refused.append(f"{deployment.application}: {error.message}")
    if not made:
        why = " ".join(refused[:3]) or "None of its deployments has succeeded."
        raise WrongState(f"Nothing can be rolled back. {why}", details={"status": "ended", "refused": refused})
    return made


def require_sending(actor: Actor) -> None:
    """Whoever deploys anything at all; each release is judged for itself."""
    require(
        actor.user_id is not None and actor.may_change("deployments"),
        permission="deployments.deploy_environment",
        why="You may not deploy.",
    )


def _about(train: Train) -> dict[str, object]:
    return {"environment": train.environment.name, "reason": train.reason}


def _at_home(deployment: Deployment) -> Deployment:
    deployment.target.environment = deployment.environment
    return deployment


def _judge(actor: Actor, environment: Environment, ids: Sequence[UUID]) -> list[Passenger]:
    """All of them, or Invalid with what is wrong with each."""
    if not 1 <= len(ids) <= MOST_RELEASES:
        sentence = f"A train takes 1 to {MOST_RELEASES} releases, not {len(ids)}."
        raise Invalid(sentence, details={"releases": [sentence]})
    releases = visible_releases(actor).select_related("application__team").in_bulk(list(ids))
    targets = _targets(environment, releases.values())
    seats = Counter(each.application_id for each in releases.values())
    problems: dict[str, list[str]] = {}
    found = []
    for pk in dict.fromkeys(ids):
        release = releases.get(pk)
        if release is None:
            problems[str(pk)] = ["There is no such release, or you may not see it."]
            continue
        places = targets[release.application_id]
        try:
            _check(actor, release, environment, places, seats[release.application_id])
            manifests, *_ = [render_release(release, target) for target in places]
        except Invalid as error:
            problems[str(pk)] = error.details.get("releases") or [error.message]
        else:
            found.append(Passenger(release, places[0], manifests, goes_further=len(places) > 1))
    if problems:
        raise _held_up(environment, problems, len(set(ids)))
    return found


def _held_up(environment: Environment, problems: Mapping[str, list[str]], total: int) -> Invalid:
    first = next(iter(problems.values()))[0]
    count = f"{len(problems)} of {total} releases cannot go" if total > 1 else "It cannot go"
    return Invalid(f"{count} to {environment}, so nothing was started. {first}", details=problems)


def _check(actor: Actor, release: Release, environment: Environment, places: Sequence[Target], seats: int) -> None:
    """Raises Invalid with each sentence."""
    found = [why_not_deploy(actor, places[0]) if places else f"{release.application} has no target in {environment}."]
    if release.status not in DEPLOYABLE:
        found.append(f"{release} is {release.get_status_display().lower()}; only an approved release goes out.")
    if seats > 1:
        found.append(f"{release.application} is on the train more than once: choose one release.")
    if sentences := [sentence for sentence in found if sentence]:
        raise Invalid(sentences[0], details={"releases": sentences})


def _targets(environment: Environment, releases: Iterable[Release]) -> Mapping[UUID, list[Target]]:
    """Application id → its targets there, in the order in which they are served."""
    applications = {each.application_id: each.application for each in releases}
    rows = Target.objects.filter(environment=environment, application__in=applications)
    found: dict[UUID, list[Target]] = defaultdict(list)
    for target in rows.defer(*SECRETS_OF_TARGET[:1]).order_by("wave", "created_at", "id"):
        target.application, target.environment = applications[target.application_id], environment
        found[target.application_id].append(target)
    return found
