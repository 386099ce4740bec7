"""Environments: the stages on the way to production."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from deployments import selectors, services
from deployments.forms.places import EnvironmentForm
from deployments.models import Environment
from deployments.selectors.trains import counts_of, state_of, train_list
from deployments.services.access import require_set_up
from releasemgr.core.forms import posted, save_or_show
from releasemgr.core.htmx import go
from releasemgr.core.requests import Request
from releases.policies import can_set_up

FIELDS = (
    "name", "position", "requires", "soak_minutes", "verify_seconds", "bake_seconds", "wave_pause_seconds",
    "auto_rollback", "bring_back_waves", "protected",
)  # fmt: skip

# The newest; the API lists them all.
TRAINS_SHOWN = 10


@login_required
@require_GET
def environment_list(request: Request) -> HttpResponse:
    context = {
        "environments": selectors.environment_list(request.actor),
        "may_set_up": can_set_up(request.actor),
    }
    return render(request, "deployments/environment_list.html", context)


@login_required
@require_GET
def environment_detail(request: Request, reference: str) -> HttpResponse:
    environment = selectors.get_environment(request.actor, reference)
    targets = list(selectors.target_list(request.actor).filter(environment=environment))
    running = selectors.running_now(targets)
    context = {
        "environment": environment,
        "places": [(target, running.get(target.pk)) for target in targets],
        "may_set_up": can_set_up(request.actor),
        "may_send": request.actor.may_change("deployments"),
        "trains": [
            (train, state_of(counts_of(train)))
            for train in train_list(request.actor).filter(environment=environment)[:TRAINS_SHOWN]
        ],
    }
    return render(request, "deployments/environment_detail.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def environment_create(request: Request) -> HttpResponse:
    require_set_up(request.actor)
    form = EnvironmentForm(posted(request), actor=request.actor)
    if request.method == "GET":
        return _show(request, form)
    return _save(request, form, lambda: services.create_environment(actor=request.actor, **form.cleaned_data))


@login_required
@require_http_methods(["GET", "POST"])
def environment_edit(request: Request, reference: str) -> HttpResponse:
    environment = selectors.get_environment(request.actor, reference)
    require_set_up(request.actor)
    initial = {name: getattr(environment, name) for name in FIELDS}
    form = EnvironmentForm(
        posted(request),
        actor=request.actor,
        environment=environment,
        initial=initial,
    )
    if request.method == "GET":
        return _show(request, form, environment=environment)
    return _save(
        request,
        form,
        lambda: services.update_environment(actor=request.actor, environment=environment, changes=form.cleaned_data),
        environment=environment,
    )


@login_required
@require_POST
def environment_delete(request: Request, reference: str) -> HttpResponse:
    environment = selectors.get_environment(request.actor, reference)
    services.delete_environment(actor=request.actor, environment=environment)
    messages.success(request, f"The environment {environment} is deleted.")
    return go(request, reverse("deployments:environments"))


def _save(
    request: Request,
    form: EnvironmentForm,
    save: Callable[[], Environment],
    *,
    environment: Environment | None = None,
) -> HttpResponse:
    # `save` puts what was typed on the object: the page goes on calling it by its stored name.
    name = environment.name if environment else ""

    def show(*, status: int) -> HttpResponse:
        if environment is not None:
            environment.name = name
        return _show(request, form, environment=environment, status=status)

    def done(saved: Environment) -> HttpResponse:
        messages.success(request, f"The environment {saved} is saved.")
        return go(request, reverse("deployments:environment-detail", args=[saved.name]))

    return save_or_show(form, save, show=show, done=done)


def _show(
    request: Request, form: EnvironmentForm, *, environment: Environment | None = None, status: int = 200
) -> HttpResponse:
    context = {"form": form, "environment": environment}
    return render(request, "deployments/environment_form.html", context, status=status)
