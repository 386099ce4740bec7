"""Applications: who owns them, and their last releases."""

from collections.abc import Callable
from functools import partial

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from releasemgr.core.forms import posted, save_or_show
from releasemgr.core.htmx import go
from releasemgr.core.requests import Request
from releases import selectors, services
from releases.forms import ApplicationForm
from releases.models import Application
from releases.policies import can_develop, can_set_up
from releases.services.access import require_set_up

LAST_RELEASES = 10


@login_required
@require_GET
def application_list(request: Request) -> HttpResponse:
    context = {
        "applications": selectors.application_list(request.actor),
        "may_set_up": can_set_up(request.actor),
    }
    return render(request, "releases/application_list.html", context)


@login_required
@require_GET
def application_detail(request: Request, reference: str) -> HttpResponse:
    application = selectors.application_by_slug_or_id(request.actor, reference)
    context = {
        "application": application,
        "releases": selectors.release_list(request.actor).filter(application=application)[:LAST_RELEASES],
        "rules": selectors.rules_of(application),
        "may_set_up": can_set_up(request.actor),
        "may_develop": can_develop(request.actor, application),
    }
    return render(request, "releases/application_detail.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def application_create(request: Request) -> HttpResponse:
    require_set_up(request.actor)
    form = ApplicationForm(posted(request), actor=request.actor)
    if request.method == "GET":
        return _show(request, form)
    return _save(request, form, lambda: services.create_application(actor=request.actor, **form.cleaned_data))


@login_required
@require_http_methods(["GET", "POST"])
def application_edit(request: Request, reference: str) -> HttpResponse:
    application = selectors.application_by_slug_or_id(request.actor, reference)
    require_set_up(request.actor)
    initial = {name: getattr(application, name) for name in ("name", "team", "repository", "description")}
    form = ApplicationForm(posted(request), actor=request.actor, application=application, initial=initial)
    if request.method == "GET":
        return _show(request, form, application=application)
    return _save(
        request,
        form,
        lambda: services.update_application(actor=request.actor, application=application, changes=form.cleaned_data),
        application=application,
    )


def _save(
    request: Request, form: ApplicationForm, save: Callable[[], Application], *, application: Application | None = None
) -> HttpResponse:
    def done(saved: Application) -> HttpResponse:
        messages.success(request, f"{saved} is saved.")
        return go(request, reverse("releases:application-detail", args=[saved.slug]))

    return save_or_show(form, save, show=partial(_show, request, form, application=application), done=done)


def _show(
    request: Request, form: ApplicationForm, *, application: Application | None = None, status: int = 200
) -> HttpResponse:
    context = {"form": form, "application": application}
    return render(request, "releases/application_form.html", context, status=status)
