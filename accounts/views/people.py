"""People, as administrators manage them."""

from collections.abc import Callable
from functools import partial

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import policies, selectors, services
from accounts.forms import NewPersonForm, PasswordForm, PeopleFilterForm, PersonForm
from accounts.models import User
from accounts.services.access import require_administrator
from releasemgr.core.forms import RefusableForm, posted, save_or_show
from releasemgr.core.htmx import go, render_page_or_partial
from releasemgr.core.keyset import keyset_page
from releasemgr.core.requests import Request

EDITED = ("email", "username", "name", "role")


@login_required
@require_GET
def person_list(request: Request) -> HttpResponse:
    form = PeopleFilterForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    people = selectors.people(request.actor, text=wanted.get("q", ""), role=wanted.get("role", ""))
    context = {
        "form": form,
        "page": keyset_page(people, request.GET.get("cursor", "")),
        "may_administer": policies.can_administer(request.actor),
    }
    page, partial = "accounts/person_list.html", "accounts/partials/person_list.html"
    return render_page_or_partial(request, page=page, partial=partial, context=context)


@sensitive_post_parameters("password")
@login_required
@require_http_methods(["GET", "POST"])
def person_create(request: Request) -> HttpResponse:
    require_administrator(request.actor)
    form = NewPersonForm(posted(request))
    if request.method == "GET":
        return _show(request, form)
    return _save(request, form, lambda: services.create_user(actor=request.actor, **form.cleaned_data))


@login_required
@require_http_methods(["GET", "POST"])
def person_edit(request: Request, person: str) -> HttpResponse:
    user = selectors.person_by_id(request.actor, person)
    require_administrator(request.actor)
    form = PersonForm(posted(request), initial={name: getattr(user, name) for name in EDITED})
    if request.method == "GET":
        return _show(request, form, person=user)
    return _save(
        request,
        form,
        lambda: services.update_user(actor=request.actor, user=user, changes=form.cleaned_data),
        person=user,
    )


@sensitive_post_parameters("password")
@login_required
@require_http_methods(["GET", "POST"])
def person_password(request: Request, person: str) -> HttpResponse:
    user = selectors.person_by_id(request.actor, person)
    require_administrator(request.actor)
    form = PasswordForm(posted(request))
    if request.method == "GET":
        return _show(request, form, person=user)
    return _save(
        request,
        form,
        lambda: services.set_password(actor=request.actor, user=user, password=form.cleaned_data["password"]),
        person=user,
    )


@login_required
@require_POST
def person_deactivate(request: Request, person: str) -> HttpResponse:
    user = selectors.person_by_id(request.actor, person)
    services.deactivate_user(actor=request.actor, user=user)
    messages.success(request, f"{user} is deactivated: sessions and tokens have ended.")
    return go(request, reverse("accounts:people"))


@login_required
@require_POST
def person_activate(request: Request, person: str) -> HttpResponse:
    user = selectors.person_by_id(request.actor, person)
    services.update_user(actor=request.actor, user=user, changes={"is_active": True})
    messages.success(request, f"{user} may log in again.")
    return go(request, reverse("accounts:people"))


def _save(
    request: Request, form: RefusableForm, save: Callable[[], User], *, person: User | None = None
) -> HttpResponse:
    def done(saved: User) -> HttpResponse:
        messages.success(request, f"{saved} is saved.")
        return go(request, reverse("accounts:people"))

    return save_or_show(form, save, show=partial(_show, request, form, person=person), done=done)


def _show(request: Request, form: RefusableForm, *, person: User | None = None, status: int = 200) -> HttpResponse:
    context = {"form": form, "person": person, "is_password": isinstance(form, PasswordForm)}
    return render(request, "accounts/person_form.html", context, status=status)
