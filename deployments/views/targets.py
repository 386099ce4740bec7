"""Targets: where exactly an application runs in an environment. For administrators."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from deployments import selectors, services
from deployments.forms.places import TargetForm
from deployments.models import Target
from deployments.services.access import require_set_up
from releasemgr.core.forms import posted, save_or_show
from releasemgr.core.htmx import go
from releasemgr.core.requests import Request

FIELDS = ("cluster", "namespace", "kind", "timeout_seconds", "overrides", "strategy", "guardrails", "wave")


@sensitive_post_parameters("database_url")
@login_required
@require_http_methods(["GET", "POST"])
def target_create(request: Request) -> HttpResponse:
    """`?application=` (slug) and `?environment=` (name) choose them."""
    require_set_up(request.actor)
    asked = {name: request.GET.get(name, "") for name in ("application", "environment")}
    initial = asked | {"namespace": asked["application"]}
    form = TargetForm(posted(request), actor=request.actor, initial=initial)
    if request.method == "GET":
        return _show(request, form)
    return _save(request, form, lambda: services.create_target(actor=request.actor, **form.changes()))


@sensitive_post_parameters("database_url")
@login_required
@require_http_methods(["GET", "POST"])
def target_edit(request: Request, pk: UUID) -> HttpResponse:
    target = selectors.get_target(request.actor, pk)
    require_set_up(request.actor)
    initial = {name: getattr(target, name) for name in FIELDS}
    form = TargetForm(posted(request), actor=request.actor, target=target, initial=initial)
    if request.method == "GET":
        return _show(request, form, target=target)
    return _save(
        request,
        form,
        lambda: services.update_target(actor=request.actor, target=target, changes=form.changes()),
        target=target,
    )


@login_required
@require_POST
def target_delete(request: Request, pk: UUID) -> HttpResponse:
    target = selectors.get_target(request.actor, pk)
    back = reverse("releases:application-detail", args=[target.application.slug])
    services.delete_target(actor=request.actor, target=target)
    messages.success(request, f"{target} is no longer set up.")
    return go(request, back)


def _save(
    request: Request, form: TargetForm, save: Callable[[], Target], *, target: Target | None = None
) -> HttpResponse:
    def done(saved: Target) -> HttpResponse:
        messages.success(request, f"{saved} is saved.")
        return go(request, reverse("releases:application-detail", args=[saved.application.slug]))

    return save_or_show(form, save, show=partial(_show, request, form, target=target), done=done)


def _show(request: Request, form: TargetForm, *, target: Target | None = None, status: int = 200) -> HttpResponse:
    return render(request, "deployments/target_form.html", {"form": form, "target": target}, status=status)
