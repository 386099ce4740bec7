"""The workflow's buttons: submit, approve, reject, cancel."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from releasemgr.core.errors import Invalid, WrongState
from releasemgr.core.htmx import go, is_partial, swap_behind_dialog
from releasemgr.core.requests import Request
from releases import selectors, services
from releases.forms import DecisionForm, RejectionForm
from releases.models import Release
from releases.services.access import require_review
from releases.views.pages import release_context

Move = Callable[[], Release]


@login_required
@require_POST
def submit(request: Request, pk: UUID) -> HttpResponse:
    release = selectors.get_release(request.actor, pk)
    move = partial(services.submit_release, actor=request.actor, release=release)
    return _move(request, pk, move, done=f"{release} is in review.")


@login_required
@require_POST
def cancel(request: Request, pk: UUID) -> HttpResponse:
    release = selectors.get_release(request.actor, pk)
    move = partial(services.cancel_release, actor=request.actor, release=release)
    return _move(request, pk, move, done=f"{release} is cancelled.")


@login_required
@require_http_methods(["GET", "POST"])
def approve(request: Request, pk: UUID) -> HttpResponse:
    return _decide(request, pk, form_class=DecisionForm, service=services.approve_release, verb="approve")


@login_required
@require_http_methods(["GET", "POST"])
def reject(request: Request, pk: UUID) -> HttpResponse:
    return _decide(request, pk, form_class=RejectionForm, service=services.reject_release, verb="reject")


def _decide(
    request: Request, pk: UUID, *, form_class: type[DecisionForm], service: Callable[..., Release], verb: str
) -> HttpResponse:
    """GET shows the dialog (a page without htmx), POST decides about the content whose digest it carries."""
    release = selectors.get_release(request.actor, pk)
    if request.method == "GET":
        require_review(request.actor, release)
        return _ask(request, release, form_class(initial={"digest": release.digest}), verb)
    form = form_class(request.POST)
    if not form.is_valid():
        require_review(request.actor, release)
        return _ask(request, release, form, verb, status=422)
    move = partial(service, actor=request.actor, release=release, **form.cleaned_data)
    try:
        return _move(request, pk, move, done=f"You {verb.removesuffix('e')}ed {release}.")
    except Invalid as error:
        form.refuse(error)
        return _ask(request, release, form, verb, status=422)


def _ask(request: Request, release: Release, form: DecisionForm, verb: str, *, status: int = 200) -> HttpResponse:
    template = "releases/partials/decision_dialog.html" if is_partial(request) else "releases/release_decide.html"
    return render(request, template, {"release": release, "form": form, "verb": verb}, status=status)


def _move(request: Request, pk: UUID, move: Move, *, done: str) -> HttpResponse:
    """Make the move, then show the release as it is now; when somebody else was first, so too, with the reason."""
    if not is_partial(request):
        move()
        messages.success(request, done)
        return go(request, reverse("releases:detail", args=[pk]))
    try:
        move()
    except WrongState as error:
        return _show(request, pk, message=error.message, level="danger", status=error.status)
    return _show(request, pk, message=done, level="success")


def _show(request: Request, pk: UUID, *, message: str, level: str, status: int = 200) -> HttpResponse:
    release = selectors.get_release(request.actor, pk)
    context = release_context(request.actor, release)
    response = render(request, "releases/partials/release.html", context, status=status)
    return swap_behind_dialog(response, "#release", message=message, level=level)
