"""Parts of pages that ask a cluster: what a release would change there, and what others have changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from deployments import selectors
from deployments.models import Deployment
from deployments.policies import visible_deployments
from deployments.preview import stored_changes
from deployments.services.comparing import Diff, compare_release, drift_of
from deployments.statuses import DeploymentStatus
from releasemgr.core.errors import TooManyAttempts
from releasemgr.core.htmx import is_partial, render_page_or_partial
from releasemgr.core.requests import Request
from releasemgr.core.values import as_uuid
from releases.models import Release
from releases.selectors import get_release


@login_required
@require_GET
def start_diff(request: Request, release_id: UUID, environment: str) -> HttpResponse:
    """The comparison for the start form; `?take_over=` and `?prune=` are what was chosen there already."""
    release = get_release(request.actor, release_id)
    place = selectors.get_environment(request.actor, environment)
    target = selectors.get_target(request.actor, selectors.target_of(release.application, place).pk)
    try:
        diff = compare_release(actor=request.actor, release=release, environment=place)
    except TooManyAttempts as busy:
        diff = Diff(release, target, problems=[busy.message])
    context = {
        "release": release,
        "environment": place,
        "diff": diff,
        # What the cluster could not tell is told from what we remember.
        "stored": None if diff.objects else stored_changes(release, target),
        "choice": Choice.of(request, release),
    }
    return render_page_or_partial(
        request, page="deployments/diff.html", partial="deployments/partials/diff.html", context=context
    )


@login_required
@require_GET
def target_drift(request: Request, pk: UUID) -> HttpResponse:
    """What others have changed since our last apply, as a dialog (a page without htmx)."""
    target = selectors.get_target(request.actor, pk)
    context = {
        "title": f"Drift of {target}",
        "body": "deployments/partials/drift.html",
        "back": reverse("releases:application-detail", args=[target.application.slug]),
        "drifted": drift_of(actor=request.actor, target=target),
        "in_dialog": is_partial(request),
    }
    template = "deployments/partials/dialog.html" if is_partial(request) else "deployments/dialog.html"
    return render(request, template, context)


@dataclass(frozen=True)
class Choice:
    """What is ticked in a start form, and what a person should know for it.

    `after` is the deployment that is tried again, if one is; `conflicts` is what its preflight met: field manager →
    what it holds. Nothing is ticked because of them: that is for the person to do.
    """

    take_over: list[str]
    prune: bool
    after: str
    conflicts: dict[str, list[str]]

    @classmethod
    def of(cls, request: Request, release: Release) -> "Choice":
        data = request.POST if request.method == "POST" else request.GET
        after = as_uuid(data.get("after", ""))
        tried = visible_deployments(request.actor).filter(pk=after, release=release).first() if after else None
        return cls(
            take_over=data.getlist("take_over"),
            prune=bool(data.get("prune")),
            after=str(tried.pk) if tried else "",
            conflicts=_conflicts_of(tried.evidence) if tried else {},
        )

    @classmethod
    def of_rollback(cls, request: Request, deployment: Deployment) -> "Choice":
        """What the last rollback of `deployment` met, if it failed for that."""
        tried = deployment.rollbacks.filter(status=DeploymentStatus.FAILED).order_by("-created_at").first()
        return cls(
            take_over=request.POST.getlist("take_over"),
            prune=False,
            after="",
            conflicts=_conflicts_of(tried.evidence) if tried else {},
        )


def _conflicts_of(evidence: Mapping[str, Any]) -> dict[str, list[str]]:
    """From what a preflight has left: {"conflicts": [{object, manager, fields}]}."""
    held: dict[str, list[str]] = {}
    for each in evidence.get("conflicts") or []:
        fields = ", ".join(map(str, each.get("fields") or []))
        held.setdefault(str(each.get("manager")), []).append(f"{each.get('object')}: {fields}")
    return held
