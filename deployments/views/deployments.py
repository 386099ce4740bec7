"""The list of deployments, and one deployment with everything about it."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from deployments import selectors
from deployments.forms.deployments import DeploymentFilterForm
from deployments.masking import as_yaml, masked
from deployments.models import Deployment, Workload
from deployments.preview import gates_of
from deployments.selectors.waves import legs_of
from deployments.services.comparing import compare_with_former
from deployments.services.stages import progress_of
from deployments.statuses import DeploymentStatus, StepStatus
from deployments.workflow import choices
from releasemgr.core.actors import Actor
from releasemgr.core.bodies import BIGINT
from releasemgr.core.htmx import render_page_or_partial
from releasemgr.core.keyset import KeysetPage, keyset_page
from releasemgr.core.requests import Request


@login_required
@require_GET
def deployment_list(request: Request) -> HttpResponse:
    form = DeploymentFilterForm(request.GET, actor=request.actor)
    valid = form.is_valid()
    page: KeysetPage[Deployment] = KeysetPage(rows=[])
    if valid:
        page = keyset_page(_filtered(request.actor, form.cleaned_data), request.GET.get("cursor", ""))
    context = {
        "form": form,
        "page": page,
        "is_filtered": any(request.GET.get(name) for name in form.fields),
    }
    return render_page_or_partial(
        request,
        page="deployments/deployment_list.html",
        partial="deployments/partials/deployment_list.html",
        context=context,
        status=200 if valid else 422,
    )


def _filtered(actor: Actor, wanted: dict[str, Any]) -> QuerySet[Deployment]:
    # The parts of a deployment to several targets stand on its own page.
    rows = selectors.deployment_list(actor).filter(part_of__isnull=True)
    found = selectors.search_deployments(rows, wanted["q"])
    named = {name: wanted[name] for name in ("application", "environment", "status", "kind") if wanted[name]}
    return found.filter(**named)


@login_required
@require_GET
def deployment_detail(request: Request, pk: UUID) -> HttpResponse:
    """The page; asked by htmx, its live part: where the deployment stands."""
    deployment = selectors.get_deployment(request.actor, pk)
    context = deployment_context(request.actor, deployment)
    if not request.htmx:
        context |= _log_context(deployment)
    return render_page_or_partial(
        request,
        page="deployments/deployment_detail.html",
        partial="deployments/partials/deployment.html",
        context=context,
    )


def deployment_context(actor: Actor, deployment: Deployment) -> dict[str, Any]:
    """What `partials/deployment.html` needs."""
    gates = gates_of(deployment, timezone.now())
    steps = list(deployment.steps.all())
    newer = selectors.newest_after(deployment)
    return {
        "deployment": deployment,
        "steps": steps,
        "steps_done": sum(step.status == StepStatus.SUCCEEDED for step in steps),
        "gates": gates,
        "closed_gates": [gate for gate in gates if not gate.open],
        "choices": choices(
            actor, deployment, newer=newer, is_reviewed=any(g.kind == "approval" and not g.open for g in gates)
        ),
        "progress": progress_of(deployment),
        "newer": newer,
        "decisions": list(deployment.approvals.select_related("user")),
        "images": list(deployment.release.images.items()),
        "legs": legs_of(deployment),
        "workloads": _workloads(deployment),
    }


@login_required
@require_GET
def deployment_workloads(request: Request, pk: UUID) -> HttpResponse:
    """How far the cluster is: a part of its own, because it changes far more often than the rest."""
    deployment = selectors.get_deployment(request.actor, pk)
    context = {"deployment": deployment, "workloads": _workloads(deployment)}
    return render(request, "deployments/partials/workloads.html", context)


def _workloads(deployment: Deployment) -> list[Workload]:
    """Only while it goes on: afterwards nobody follows them."""
    return list(deployment.workloads.all()) if deployment.status == DeploymentStatus.IN_PROGRESS else []


@login_required
@require_GET
def deployment_log(request: Request, pk: UUID) -> HttpResponse:
    """The newest lines; with `?before=<line id>` earlier ones, which stay still."""
    deployment = selectors.get_deployment(request.actor, pk)
    context = _log_context(deployment, before=_line_id(request.GET.get("before", "")))
    return render_page_or_partial(
        request, page="deployments/deployment_log.html", partial="deployments/partials/log.html", context=context
    )


def _log_context(deployment: Deployment, *, before: int | None = None) -> dict[str, Any]:
    lines, has_earlier = selectors.log_page(deployment, before=before)
    return {"deployment": deployment, "lines": lines, "has_earlier": has_earlier, "is_newest": before is None}


def _line_id(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None
    return number if number is not None and number < BIGINT else None


@login_required
@require_GET
def deployment_manifests(request: Request, pk: UUID) -> HttpResponse:
    """The rendered objects, and what changed since the deployment before; loaded on their own because they are long."""
    deployment = selectors.get_deployment(request.actor, pk)
    former, compared = compare_with_former(deployment)
    context = {
        "deployment": deployment,
        "former": former,
        "compared": compared,
        "text": as_yaml(masked(deployment.manifests)) if deployment.manifests else "",
    }
    return render(request, "deployments/partials/manifests.html", context)
