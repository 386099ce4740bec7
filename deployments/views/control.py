"""The buttons of a deployment: start, cancel, retry, roll back, approve, reject."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from deployments import selectors, services
from deployments.forms.deployments import DecisionForm, RejectionForm, RollbackForm, StartForm
from deployments.models import Deployment, Environment
from deployments.preview import preview
from deployments.services.access import require_deploy, require_review
from deployments.views.comparing import Choice
from deployments.views.deployments import deployment_context
from releasemgr.core.errors import Invalid, WrongState
from releasemgr.core.htmx import go, is_partial, swap_behind_dialog
from releasemgr.core.requests import Request
from releases.models import Release
from releases.selectors import get_release

Move = Callable[[], Deployment]


@login_required
@require_http_methods(["GET", "POST"])
def start(request: Request, release_id: UUID, environment: str) -> HttpResponse:
    """GET shows what would change and what would hold it (a page without htmx), POST asks for the deployment."""
    release = get_release(request.actor, release_id)
    place = selectors.get_environment(request.actor, environment)
    require_deploy(request.actor, selectors.target_of(release.application, place))
    if request.method == "GET":
        return _ask_to_start(request, release, place, StartForm())
    form = StartForm(request.POST)
    if not form.is_valid():
        return _ask_to_start(request, release, place, form, status=422)
    try:
        deployment = services.start_deployment(
            actor=request.actor, release=release, environment=place, **form.cleaned_data
        )
    except (Invalid, WrongState) as error:
        form.refuse(error)
        return _ask_to_start(request, release, place, form, status=error.status)
    messages.success(request, f"{release} is on its way to {place}.")
    return go(request, reverse("deployments:detail", args=[deployment.pk]))


def _ask_to_start(
    request: Request, release: Release, environment: Environment, form: StartForm, *, status: int = 200
) -> HttpResponse:
    context = {
        "title": f"Deploy {release} to {environment}",
        "body": "deployments/partials/start_form.html",
        "back": reverse("releases:detail", args=[release.pk]),
        "form": form,
        "release": release,
        "environment": environment,
        "preview": preview(request.actor, release, environment, now=timezone.now()),
        "choice": Choice.of(request, release),
    }
    return _ask(request, context, status)


@login_required
@require_http_methods(["GET", "POST"])
def rollback(request: Request, pk: UUID) -> HttpResponse:
    """GET shows the earlier releases to choose from (`?to=` chooses one), POST asks for the rollback."""
    deployment = selectors.get_deployment(request.actor, pk)
    require_deploy(request.actor, deployment.target)
    earlier = selectors.rollback_choices(deployment)
    if request.method == "GET":
        chosen = request.GET.get("to") or (str(earlier[0].release_id) if earlier else "")
        return _ask_to_roll_back(request, deployment, RollbackForm(earlier=earlier, initial={"to": chosen}))
    form = RollbackForm(request.POST, earlier=earlier)
    if not form.is_valid():
        return _ask_to_roll_back(request, deployment, form, status=422)
    try:
        made = services.rollback_deployment(actor=request.actor, deployment=deployment, **form.cleaned_data)
    except WrongState as error:
        return _wrong_state(request, pk, error)
    except Invalid as error:
        form.refuse(error)
        return _ask_to_roll_back(request, deployment, form, status=error.status)
    messages.success(request, f"{made.release.version} is on its way back to {made.environment}.")
    return go(request, reverse("deployments:detail", args=[made.pk]))


def _ask_to_roll_back(
    request: Request, deployment: Deployment, form: RollbackForm, *, status: int = 200
) -> HttpResponse:
    context = {
        "title": f"Roll back {deployment.application} in {deployment.environment}",
        "body": "deployments/partials/rollback_form.html",
        "back": reverse("deployments:detail", args=[deployment.pk]),
        "form": form,
        "deployment": deployment,
        "has_choice": bool(form.fields["to"].choices),  # type: ignore[attr-defined]
        "choice": Choice.of_rollback(request, deployment),
    }
    return _ask(request, context, status)


@login_required
@require_http_methods(["GET", "POST"])
def approve(request: Request, pk: UUID) -> HttpResponse:
    return _decide(request, pk, form_class=DecisionForm, service=services.approve_deployment, verb="approve")


@login_required
@require_http_methods(["GET", "POST"])
def reject(request: Request, pk: UUID) -> HttpResponse:
    return _decide(request, pk, form_class=RejectionForm, service=services.reject_deployment, verb="reject")


def _decide(
    request: Request, pk: UUID, *, form_class: type[DecisionForm], service: Callable[..., Deployment], verb: str
) -> HttpResponse:
    deployment = selectors.get_deployment(request.actor, pk)
    require_review(request.actor, deployment)
    if request.method == "GET":
        return _ask_to_decide(request, deployment, form_class(initial={"digest": deployment.release_digest}), verb)
    form = form_class(request.POST)
    if not form.is_valid():
        return _ask_to_decide(request, deployment, form, verb, status=422)
    move = partial(service, actor=request.actor, deployment=deployment, **form.cleaned_data)
    try:
        return make_move(request, pk, move, done=f"You {verb.removesuffix('e')}ed {deployment}.")
    except Invalid as error:
        form.refuse(error)
        return _ask_to_decide(request, deployment, form, verb, status=error.status)


def _ask_to_decide(
    request: Request, deployment: Deployment, form: DecisionForm, verb: str, *, status: int = 200
) -> HttpResponse:
    context = {
        "title": f"{verb.capitalize()} {deployment}",
        "body": "deployments/partials/decision_form.html",
        "back": reverse("deployments:detail", args=[deployment.pk]),
        "form": form,
        "deployment": deployment,
        "verb": verb,
    }
    return _ask(request, context, status)


@login_required
@require_POST
def cancel(request: Request, pk: UUID) -> HttpResponse:
    deployment = selectors.get_deployment(request.actor, pk)
    move = partial(services.cancel_deployment, actor=request.actor, deployment=deployment)
    return make_move(request, pk, move, done="It stops at the next safe point.")


@login_required
@require_POST
def retry(request: Request, pk: UUID) -> HttpResponse:
    deployment = selectors.get_deployment(request.actor, pk)
    try:
        made = services.retry_deployment(actor=request.actor, deployment=deployment)
    except WrongState as error:
        return _wrong_state(request, pk, error)
    messages.success(request, f"{made.release} is tried again in {made.environment}.")
    return go(request, reverse("deployments:detail", args=[made.pk]))


def _ask(request: Request, context: dict[str, Any], status: int) -> HttpResponse:
    """A dialog, or the same as a page for who has no script."""
    template = "deployments/partials/dialog.html" if is_partial(request) else "deployments/dialog.html"
    return render(request, template, context | {"in_dialog": is_partial(request)}, status=status)


def make_move(request: Request, pk: UUID, move: Move, *, done: str) -> HttpResponse:
    """Make the move, then show the deployment as it is now; when somebody else was first, so too, with the reason."""
    try:
        move()
    except WrongState as error:
        return _wrong_state(request, pk, error)
    if not is_partial(request):
        messages.success(request, done)
        return go(request, reverse("deployments:detail", args=[pk]))
    return _show(request, pk, message=done, level="success")


def _wrong_state(request: Request, pk: UUID, error: WrongState) -> HttpResponse:
    if not is_partial(request):
        raise error
    return _show(request, pk, message=error.message, level="danger", status=error.status)


def _show(request: Request, pk: UUID, *, message: str, level: str, status: int = 200) -> HttpResponse:
    context = deployment_context(request.actor, selectors.get_deployment(request.actor, pk))
    response = render(request, "deployments/partials/deployment.html", context, status=status)
    return swap_behind_dialog(response, "#deployment", message=message, level=level)
