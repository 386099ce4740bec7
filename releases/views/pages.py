"""The list of releases, and one release with everything about it."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from releasemgr.core.actors import Actor
from releasemgr.core.htmx import is_partial, render_page_or_partial
from releasemgr.core.keyset import KeysetPage, keyset_page
from releasemgr.core.requests import Request
from releases import selectors, workflow
from releases.content import mutable_images
from releases.forms import CommentForm, ReleaseFilterForm
from releases.masking import chart_in_short, masked_values
from releases.models import Release
from releases.policies import can_comment, can_draft, visible_artifacts


@login_required
@require_GET
def release_list(request: Request) -> HttpResponse:
    form = ReleaseFilterForm(request.GET, actor=request.actor)
    valid = form.is_valid()
    page: KeysetPage[Release] = KeysetPage(rows=[])
    if valid:
        page = keyset_page(_filtered(request.actor, form.cleaned_data), request.GET.get("cursor", ""))
    context = {
        "form": form,
        "page": page,
        "is_filtered": any(request.GET.get(name) for name in form.fields),
        "may_draft": can_draft(request.actor),
    }
    return render_page_or_partial(
        request,
        page="releases/release_list.html",
        partial="releases/partials/release_list.html",
        context=context,
        status=200 if valid else 422,
    )


def _filtered(actor: Actor, wanted: dict[str, Any]) -> Any:
    found = selectors.search_releases(selectors.release_list(actor), wanted["q"])
    named = {name: wanted[name] for name in ("application", "status") if wanted[name]}
    return found.filter(**named)


@login_required
@require_GET
def release_detail(request: Request, pk: UUID) -> HttpResponse:
    """The page; asked by htmx, its live part: where the release stands and what it holds."""
    release = selectors.get_release(request.actor, pk)
    context = release_context(request.actor, release)
    if not is_partial(request):
        context |= {
            "comments": selectors.latest_comments(release, request.GET.get("comments", "")),
            "comment_form": CommentForm(),
            "may_comment": can_comment(request.actor, release),
        }
    return render_page_or_partial(
        request, page="releases/release_detail.html", partial="releases/partials/release.html", context=context
    )


def release_context(actor: Actor, release: Release) -> dict[str, Any]:
    """What `partials/release.html` needs."""
    decisions = list(release.approvals.all())
    shown = visible_artifacts(actor, release)
    manifests = shown.get("manifests")
    return {
        "release": release,
        "choices": workflow.choices(actor, release),
        "stages": workflow.stages(release),
        "progress": selectors.approval_progress(release, timezone.now()),
        "decisions": decisions,
        "sent_back": workflow.sent_back(release),
        "images": list(release.images.items()),
        "manifests": manifests,
        "hides_secrets": manifests != release.artifacts.get("manifests"),
        "mutable_images": mutable_images(release.artifacts),
        "extras": [
            (name, json.dumps(found, indent=2, ensure_ascii=False)) for name, found in _extras(shown).items() if found
        ],
    }


def _extras(artifacts: Mapping[str, Any]) -> dict[str, Any]:
    """Values are masked on pages for everybody: screens are shared."""
    return {
        "chart": chart_in_short(artifacts.get("chart") or {}),
        "values": masked_values(artifacts.get("values") or {}),
        "migrations": artifacts.get("migrations"),
    }
