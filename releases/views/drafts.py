"""Writing releases: the form, its helping parts, deleting a draft."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.policies import require
from releasemgr.core.errors import Invalid, WrongState
from releasemgr.core.htmx import go, render_page_or_partial
from releasemgr.core.lookups import by_name
from releasemgr.core.requests import Request
from releases import selectors, services
from releases.forms import ReleaseForm, initial_of
from releases.models import Application, Release
from releases.policies import can_draft
from releases.services.access import require_develop


@login_required
@require_http_methods(["GET", "POST"])
def release_create(request: Request) -> HttpResponse:
    """`?application=` chooses where, `?from=<release id>` starts from that release's content."""
    require(
        can_draft(request.actor),
        permission="releases.develop_application",
        why="You may not draft releases of any application. Ask an administrator to add you to its team.",
    )
    source = _source(request)
    if request.method == "GET":
        application = source.application if source else _chosen(request, request.GET.get("application", ""))
        last = _last(application)
        suggested = selectors.suggested_version(last)
        initial = _initial(source) | {"application": application, "version": suggested}
        form = ReleaseForm(actor=request.actor, content=source, initial=initial)
        return _show(request, form, source=source, last=last, suggested=suggested)
    form = ReleaseForm(request.POST, request.FILES, actor=request.actor, content=source)
    if not form.is_valid():
        return _show(request, form, source=source, last=_last_typed(request), status=422)
    try:
        release = services.draft_release(
            actor=request.actor, application=form.cleaned_data["application"], **form.content_fields()
        )
    except (Invalid, WrongState) as error:
        form.refuse(error)
        return _show(request, form, source=source, last=_last_typed(request), status=error.status)
    messages.success(request, f"{release} is drafted. Submit it when it is ready for review.")
    return go(request, reverse("releases:detail", args=[release.pk]))


@login_required
@require_http_methods(["GET", "POST"])
def release_edit(request: Request, pk: UUID) -> HttpResponse:
    release = selectors.get_release(request.actor, pk)
    require_develop(request.actor, release.application)
    if request.method == "GET":
        return _show(request, ReleaseForm(actor=request.actor, release=release, initial=initial_of(release)))
    form = ReleaseForm(request.POST, request.FILES, actor=request.actor, release=release)
    if not form.is_valid():
        return _show(request, form, status=422)
    try:
        services.edit_release(actor=request.actor, release=release, changes=form.content_fields())
    except (Invalid, WrongState) as error:
        form.refuse(error)
        return _show(request, form, status=error.status)
    messages.success(request, f"{release} is saved.")
    return go(request, reverse("releases:detail", args=[release.pk]))


@login_required
@require_POST
def release_delete(request: Request, pk: UUID) -> HttpResponse:
    release = selectors.get_release(request.actor, pk)
    services.delete_release(actor=request.actor, release=release)
    messages.success(request, f"The draft {release} is deleted.")
    return go(request, reverse("releases:list"))


@login_required
@require_GET
def version_field(request: Request) -> HttpResponse:
    """The version field again, with what follows the last release of the application that was chosen."""
    last = _last(_chosen(request, request.GET.get("application", "")))
    suggested = selectors.suggested_version(last)
    typed = request.GET.get("version", "")
    kept = typed if typed != request.GET.get("suggested", "") else ""
    form = ReleaseForm(actor=request.actor, initial={"version": kept or suggested})
    return render(request, "releases/partials/version_field.html", {"form": form, "last": last, "suggested": suggested})


@login_required
@require_GET
def image_row(request: Request) -> HttpResponse:
    return render(request, "releases/partials/image_row.html", {"container": "", "reference": "", "is_new": True})


@login_required
@require_POST
def text_preview(request: Request) -> HttpResponse:
    """The description as it will look."""
    return render(
        request, "releases/partials/text_preview.html", {"text": request.POST.get("description", "")[:20_000]}
    )


def _source(request: Request) -> Release | None:
    """The release whose content is the starting point. Raises NotFound, or NotAllowed: its Secrets come along."""
    chosen = request.POST.get("from") or request.GET.get("from")
    if not chosen:
        return None
    source = selectors.get_release(request.actor, chosen)
    require_develop(request.actor, source.application)
    return source


def _chosen(request: Request, slug: str) -> Application | None:
    """The application asked for, or the only one there is."""
    developed = selectors.developed_applications(request.actor)
    if slug:
        return developed.filter(by_name("slug", slug)).first()
    found = list(developed[:2])
    return found[0] if len(found) == 1 else None


def _last(application: Application | None) -> Release | None:
    return selectors.last_release(application) if application else None


def _last_typed(request: Request) -> Release | None:
    return _last(_chosen(request, request.POST.get("application", "")))


def _initial(source: Release | None) -> dict[str, Any]:
    """The content of the starting point; what it was for and built from is another's."""
    return initial_of(source) | {"commit": "", "description": ""} if source else {}


def _show(
    request: Request,
    form: ReleaseForm,
    *,
    source: Release | None = None,
    last: Release | None = None,
    suggested: str = "",
    status: int = 200,
) -> HttpResponse:
    kept = form.content.artifacts if form.content else {}
    context = {
        "form": form,
        "release": form.release,
        "source": source,
        "last": last,
        "suggested": suggested,
        "packed_chart": _packed_chart(kept),
        "carried": [name for name in ("migrations",) if kept.get(name)],
    }
    return render_page_or_partial(
        request,
        page="releases/release_form.html",
        partial="releases/partials/release_form.html",
        context=context,
        status=status,
    )


def _packed_chart(artifacts: Mapping[str, Any]) -> str:
    """Name and version of the packaged chart that stays unless it is replaced; empty without one."""
    chart = artifacts.get("chart") or {}
    return f"{chart.get('name')} {chart.get('version')}" if chart.get("archive") else ""
