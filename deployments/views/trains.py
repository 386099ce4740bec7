"""Trains: many releases sent to one environment together."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from deployments import selectors
from deployments.forms.trains import TrainForm, TrainRollbackForm
from deployments.models import Environment, Train
from deployments.policies import can_deploy
from deployments.selectors.trains import (
    Departure,
    counts_of,
    departures,
    deployments_of,
    get_train,
    state_of,
)
from deployments.services import trains as services
from deployments.statuses import OPEN, DeploymentStatus
from releasemgr.core.actors import Actor
from releasemgr.core.errors import Invalid, WrongState
from releasemgr.core.htmx import add_toast, go, is_partial, render_page_or_partial, swap_behind_dialog
from releasemgr.core.requests import Request


@login_required
@require_http_methods(["GET", "POST"])
def train_start(request: Request, reference: str) -> HttpResponse:
    """GET lists what is newer than what runs there, POST sends what was chosen."""
    environment = selectors.get_environment(request.actor, reference)
    services.require_sending(request.actor)
    found = departures(request.actor, environment, now=timezone.now())
    if request.method == "GET":
        return _ask(request, environment, found, TrainForm(departures=found))
    form = TrainForm(request.POST, departures=found)
    if not form.is_valid():
        return _ask(request, environment, found, form, status=422)
    chosen = [UUID(each) for each in form.cleaned_data["releases"]]
    try:
        train = services.start_train(
            actor=request.actor, environment=environment, releases=chosen, reason=form.cleaned_data["reason"]
        )
    except Invalid as error:
        form.refuse(error)
        return _ask(request, environment, found, form, status=error.status)
    messages.success(request, f"{len(chosen)} release{'s' * (len(chosen) > 1)} on the way to {environment}.")
    return go(request, reverse("deployments:train-detail", args=[train.pk]))


def _ask(
    request: Request, environment: Environment, found: list[Departure], form: TrainForm, *, status: int = 200
) -> HttpResponse:
    context = {"environment": environment, "departures": found, "form": form}
    return render(request, "deployments/train_start.html", context, status=status)


@login_required
@require_GET
def train_detail(request: Request, pk: UUID) -> HttpResponse:
    train = get_train(request.actor, pk)
    return render_page_or_partial(
        request,
        page="deployments/train_detail.html",
        partial="deployments/partials/train.html",
        context=train_context(request.actor, train),
    )


def train_context(actor: Actor, train: Train) -> dict[str, Any]:
    """What `partials/train.html` needs."""
    counts = counts_of(train)
    total = sum(counts.values())
    found = deployments_of(actor, train)
    return {
        "train": train,
        "state": state_of(counts),
        "total": total,
        "done": total - sum(counts[status] for status in OPEN),
        "failed": sum(bool(each.error_message) for each in found),
        "deployments": found,
        "may_cancel": any(each.is_open and can_deploy(actor, each.target) for each in found),
        "may_roll_back": any(
            each.status == DeploymentStatus.SUCCEEDED and can_deploy(actor, each.target) for each in found
        ),
    }


@login_required
@require_POST
def train_cancel(request: Request, pk: UUID) -> HttpResponse:
    train = get_train(request.actor, pk)
    try:
        services.cancel_train(actor=request.actor, train=train)
    except WrongState as error:
        if not is_partial(request):
            raise
        response = _show(request, pk, status=error.status)
        add_toast(response, error.message, level="danger")
        return response
    if not is_partial(request):
        return go(request, reverse("deployments:train-detail", args=[pk]))
    response = _show(request, pk)
    add_toast(response, "What is still open stops at the next safe point.")
    return response


@login_required
@require_http_methods(["GET", "POST"])
def train_rollback(request: Request, pk: UUID) -> HttpResponse:
    """GET asks for the reason, POST takes back what succeeded."""
    train = get_train(request.actor, pk)
    services.require_sending(request.actor)
    if request.method == "GET":
        return _ask_to_roll_back(request, train, TrainRollbackForm())
    form = TrainRollbackForm(request.POST)
    if not form.is_valid():
        return _ask_to_roll_back(request, train, form, status=422)
    try:
        made = services.rollback_train(actor=request.actor, train=train, **form.cleaned_data)
    except (Invalid, WrongState) as error:
        form.refuse(error)
        return _ask_to_roll_back(request, train, form, status=error.status)
    done = f"{len(made)} rollback{'s' * (len(made) > 1)} on the way."
    if is_partial(request):
        return swap_behind_dialog(_show(request, pk), "#train", message=done, level="success")
    messages.success(request, done)
    return go(request, reverse("deployments:train-detail", args=[pk]))


def _ask_to_roll_back(request: Request, train: Train, form: TrainRollbackForm, *, status: int = 200) -> HttpResponse:
    context = {
        "title": f"Roll back the train to {train.environment}",
        "body": "deployments/partials/train_rollback_form.html",
        "back": reverse("deployments:train-detail", args=[train.pk]),
        "train": train,
        "succeeded": counts_of(train)[DeploymentStatus.SUCCEEDED],
        "form": form,
        "in_dialog": is_partial(request),
    }
    template = "deployments/partials/dialog.html" if is_partial(request) else "deployments/dialog.html"
    return render(request, template, context, status=status)


def _show(request: Request, pk: UUID, *, status: int = 200) -> HttpResponse:
    context = train_context(request.actor, get_train(request.actor, pk))
    return render(request, "deployments/partials/train.html", context, status=status)
