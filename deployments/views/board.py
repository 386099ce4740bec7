"""Parts of other pages: what runs where, seen from a release or from an application."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from deployments import selectors
from deployments.models import Deployment, Environment, Target
from deployments.policies import why_not_deploy
from releasemgr.core.actors import Actor
from releasemgr.core.requests import Request
from releases.models import Release
from releases.policies import can_set_up
from releases.selectors import application_by_slug_or_id, get_release
from releases.statuses import DEPLOYABLE


@dataclass(frozen=True)
class Place:
    """One environment, seen from a release. `why_not` says why it cannot be deployed there, empty when it can.

    Of several targets it is the first one's; `elsewhere` are the other versions that run in the others.
    """

    environment: Environment
    target: Target | None
    current: Deployment | None
    latest: Deployment | None
    elsewhere: list[str]
    why_not: str

    @property
    def runs_here(self) -> bool:
        return (
            self.current is not None and self.latest is not None and self.current.release_id == self.latest.release_id
        )

    @property
    def is_under_way(self) -> bool:
        return self.latest is not None and self.latest.is_open


@login_required
@require_GET
def for_release(request: Request, release_id: UUID) -> HttpResponse:
    """Environments in order: what runs there, and how far this release has come."""
    release = get_release(request.actor, release_id)
    context = {"release": release, "places": places_of(request.actor, release)}
    return render(request, "deployments/partials/for_release.html", context)


def places_of(actor: Actor, release: Release) -> list[Place]:
    rows = list(selectors.target_list(actor).filter(application=release.application_id))
    # Of several targets in an environment the first one leads.
    targets = {each.environment_id: each for each in reversed(rows)}
    current = selectors.running_now(rows)
    latest = selectors.latest_of_release(release)
    places = []
    for environment in selectors.environment_list(actor):
        target = targets.get(environment.pk)
        places.append(
            Place(
                environment=environment,
                target=target,
                current=current.get(target.pk) if target else None,
                latest=latest.get(target.pk) if target else None,
                elsewhere=_elsewhere(environment, target, rows, current),
                why_not=_why_not(actor, release, environment, target),
            )
        )
    return places


def _elsewhere(
    environment: Environment, first: Target | None, targets: Iterable[Target], current: Mapping[UUID, Deployment]
) -> list[str]:
    running = [current[each.pk] for each in targets if each.environment_id == environment.pk and each.pk in current]
    here = current.get(first.pk) if first else None
    return sorted({each.release.version for each in running} - {here.release.version if here else ""})


def _why_not(actor: Actor, release: Release, environment: Environment, target: Target | None) -> str:
    if target is None:
        return f"{release.application} is not set up in {environment}."
    if why_not := why_not_deploy(actor, target):
        return why_not
    if release.status not in DEPLOYABLE:
        return f"It is {release.get_status_display().lower()}; only an approved release goes out."
    return ""


@login_required
@require_GET
def for_application(request: Request, application_id: UUID) -> HttpResponse:
    """The targets of one application, and what runs in each."""
    application = application_by_slug_or_id(request.actor, str(application_id))
    targets = list(selectors.target_list(request.actor).filter(application=application))
    running = selectors.running_now(targets)
    context = {
        "application": application,
        "places": [(target, running.get(target.pk)) for target in targets],
        "may_set_up": can_set_up(request.actor),
    }
    return render(request, "deployments/partials/for_application.html", context)
