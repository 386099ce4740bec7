"""Teams and their members, as administrators and maintainers manage them."""

from collections.abc import Callable
from functools import partial

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import policies, selectors, services
from accounts.forms import MemberForm, TeamForm
from accounts.models import Team, TeamRole
from accounts.services.access import require_administrator, require_team_management
from releasemgr.core.errors import Invalid, WrongState
from releasemgr.core.forms import posted, save_or_show
from releasemgr.core.htmx import go
from releasemgr.core.requests import Request


@login_required
@require_GET
def team_list(request: Request) -> HttpResponse:
    context = {"teams": selectors.teams(request.actor), "may_administer": policies.can_administer(request.actor)}
    return render(request, "accounts/team_list.html", context)


@login_required
@require_GET
def team_detail(request: Request, team: str) -> HttpResponse:
    return _show(request, selectors.team_by_slug_or_id(request.actor, team), MemberForm())


@login_required
@require_http_methods(["GET", "POST"])
def team_create(request: Request) -> HttpResponse:
    require_administrator(request.actor)
    form = TeamForm(posted(request))
    if request.method == "GET":
        return _show_form(request, form)
    return _save(request, form, lambda: services.create_team(actor=request.actor, **form.cleaned_data))


@login_required
@require_http_methods(["GET", "POST"])
def team_edit(request: Request, team: str) -> HttpResponse:
    found = selectors.team_by_slug_or_id(request.actor, team)
    require_team_management(request.actor, found)
    form = TeamForm(posted(request), initial={"slug": found.slug, "name": found.name})
    if request.method == "GET":
        return _show_form(request, form, team=found)
    return _save(
        request,
        form,
        lambda: services.update_team(actor=request.actor, team=found, changes=form.cleaned_data),
        team=found,
    )


@login_required
@require_POST
def member_add(request: Request, team: str) -> HttpResponse:
    found = selectors.team_by_slug_or_id(request.actor, team)
    require_team_management(request.actor, found)
    form = MemberForm(request.POST)
    if not form.is_valid():
        return _show(request, found, form, status=422)
    try:
        user = selectors.user_by_reference(form.cleaned_data["user"])
        services.add_member(actor=request.actor, team=found, user=user, role=form.cleaned_data["role"])
    except (Invalid, WrongState) as error:
        form.refuse(error)
        return _show(request, found, form, status=error.status)
    messages.success(request, f"{user} is in {found} now.")
    return _back(request, found)


@login_required
@require_POST
def member_role(request: Request, team: str, person: str) -> HttpResponse:
    found = selectors.team_by_slug_or_id(request.actor, team)
    user = selectors.member_by_id(found, person)
    role = request.POST.get("role", "")
    services.set_member_role(actor=request.actor, team=found, user=user, role=role)
    messages.success(request, f"{user} is {TeamRole(role).label.lower()} now.")
    return _back(request, found)


@login_required
@require_POST
def member_remove(request: Request, team: str, person: str) -> HttpResponse:
    found = selectors.team_by_slug_or_id(request.actor, team)
    user = selectors.member_by_id(found, person)
    services.remove_member(actor=request.actor, team=found, user=user)
    messages.success(request, f"{user} is no longer in {found}.")
    return _back(request, found)


def _save(request: Request, form: TeamForm, save: Callable[[], Team], *, team: Team | None = None) -> HttpResponse:
    def done(saved: Team) -> HttpResponse:
        messages.success(request, f"{saved} is saved.")
        return _back(request, saved)

    return save_or_show(form, save, show=partial(_show_form, request, form, team=team), done=done)


def _back(request: Request, team: Team) -> HttpResponse:
    return go(request, reverse("accounts:team-detail", args=[team.slug]))


def _show_form(request: Request, form: TeamForm, *, team: Team | None = None, status: int = 200) -> HttpResponse:
    return render(request, "accounts/team_form.html", {"form": form, "team": team}, status=status)


def _show(request: Request, team: Team, form: MemberForm, *, status: int = 200) -> HttpResponse:
    context = {
        "team": team,
        "members": selectors.members(team),
        "may_manage": policies.can_manage_team(request.actor, team),
        "form": form,
    }
    return render(request, "accounts/team_detail.html", context, status=status)
