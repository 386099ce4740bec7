"""Health checks: on the page of their application, for administrators to change; and what they measured."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from deployments import selectors
from deployments.forms.checks import CheckForm
from deployments.models import Check
from deployments.selectors.checks import check_list, get_check, measurements_of
from deployments.services import checks as services
from deployments.services.access import require_set_up
from releasemgr.core.forms import posted, save_or_show
from releasemgr.core.htmx import go, is_partial
from releasemgr.core.requests import Request
from releases.policies import can_set_up
from releases.selectors import application_by_slug_or_id

FIELDS = (
    "name", "kind", "url", "query", "manifest", "expect", "interval_seconds", "window_seconds", "failure_limit",
    "on_no_data",
)  # fmt: skip
MOST_MEASUREMENTS = 50


@login_required
@require_GET
def for_application(request: Request, application_id: UUID) -> HttpResponse:
    """The checks of one application, by environment."""
    application = application_by_slug_or_id(request.actor, str(application_id))
    rows = check_list(request.actor).filter(application=application)
    context = {
        "application": application,
        "checks": list(rows.order_by("environment__position", "environment__name", "name")),
        "may_set_up": can_set_up(request.actor),
    }
    return render(request, "deployments/partials/checks.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def check_create(request: Request) -> HttpResponse:
    """`?application=` (slug) and `?environment=` (name) choose them."""
    require_set_up(request.actor)
    initial = {name: request.GET.get(name, "") for name in ("application", "environment")}
    form = CheckForm(posted(request), actor=request.actor, initial=initial)
    if request.method == "GET":
        return _show(request, form)
    return _save(request, form, lambda: services.create_check(actor=request.actor, **form.changes()))


@login_required
@require_http_methods(["GET", "POST"])
def check_edit(request: Request, pk: UUID) -> HttpResponse:
    check = get_check(request.actor, pk)
    require_set_up(request.actor)
    initial = {name: getattr(check, name) for name in FIELDS}
    form = CheckForm(posted(request), actor=request.actor, check=check, initial=initial)
    if request.method == "GET":
        return _show(request, form, check=check)
    save = partial(services.update_check, actor=request.actor, check=check)
    return _save(request, form, lambda: save(changes=form.changes()), check=check)


@login_required
@require_POST
def check_delete(request: Request, pk: UUID) -> HttpResponse:
    check = get_check(request.actor, pk)
    services.delete_check(actor=request.actor, check=check)
    messages.success(request, f"The check {check} is deleted.")
    return go(request, reverse("releases:application-detail", args=[check.application.slug]))


@login_required
@require_POST
def check_try(request: Request, pk: UUID) -> HttpResponse:
    """Ask it once now, and show what it answers."""
    check = get_check(request.actor, pk)
    reading = services.try_check(actor=request.actor, check=check)
    context = {"check": check, "reading": reading}
    if is_partial(request):
        return render(request, "deployments/partials/reading.html", context)
    return render(request, "deployments/check_reading.html", context)


@login_required
@require_GET
def measurements(request: Request, pk: UUID) -> HttpResponse:
    """What the checks answered about one deployment, newest first."""
    deployment = selectors.get_deployment(request.actor, pk)
    rows = list(measurements_of(deployment)[: MOST_MEASUREMENTS + 1])
    context = {
        "deployment": deployment,
        "measurements": rows[:MOST_MEASUREMENTS],
        "has_more": len(rows) > MOST_MEASUREMENTS,
    }
    return render(request, "deployments/partials/measurements.html", context)


def _save(request: Request, form: CheckForm, save: Callable[[], Check], *, check: Check | None = None) -> HttpResponse:
    def vetted() -> Check:
        if url := form.cleaned_data["url"]:
            services.vet_url(url)
        return save()

    def done(saved: Check) -> HttpResponse:
        messages.success(request, f"The check {saved} is saved.")
        return go(request, reverse("deployments:check-edit", args=[saved.pk]))

    return save_or_show(form, vetted, show=partial(_show, request, form, check=check), done=done)


def _show(request: Request, form: CheckForm, *, check: Check | None = None, status: int = 200) -> HttpResponse:
    return render(request, "deployments/check_form.html", {"form": form, "check": check}, status=status)
