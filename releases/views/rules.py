"""Approval rules, for administrators."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from releasemgr.core.forms import posted, save_or_show
from releasemgr.core.htmx import go
from releasemgr.core.requests import Request
from releases import selectors, services
from releases.forms import ApprovalRuleForm
from releases.models import ApprovalRule
from releases.policies import can_set_up
from releases.services.access import require_set_up

FIELDS = ("application", "environment", "team", "role", "count", "expires_after_hours")


@login_required
@require_GET
def rule_list(request: Request) -> HttpResponse:
    context = {"rules": selectors.approval_rules(request.actor), "may_set_up": can_set_up(request.actor)}
    return render(request, "releases/rule_list.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def rule_create(request: Request) -> HttpResponse:
    require_set_up(request.actor)
    form = ApprovalRuleForm(posted(request), actor=request.actor)
    if request.method == "GET":
        return _show(request, form)
    return _save(request, form, lambda: services.create_approval_rule(actor=request.actor, **form.cleaned_data))


@login_required
@require_http_methods(["GET", "POST"])
def rule_edit(request: Request, pk: UUID) -> HttpResponse:
    rule = selectors.get_approval_rule(request.actor, pk)
    require_set_up(request.actor)
    initial = {name: getattr(rule, name) for name in FIELDS}
    form = ApprovalRuleForm(posted(request), actor=request.actor, initial=initial)
    if request.method == "GET":
        return _show(request, form, rule=rule)
    return _save(
        request,
        form,
        lambda: services.update_approval_rule(actor=request.actor, rule=rule, changes=form.cleaned_data),
        rule=rule,
    )


@login_required
@require_POST
def rule_delete(request: Request, pk: UUID) -> HttpResponse:
    rule = selectors.get_approval_rule(request.actor, pk)
    services.delete_approval_rule(actor=request.actor, rule=rule)
    messages.success(request, "The approval rule is deleted.")
    return go(request, reverse("releases:approval-rules"))


def _save(
    request: Request, form: ApprovalRuleForm, save: Callable[[], ApprovalRule], *, rule: ApprovalRule | None = None
) -> HttpResponse:
    def done(saved: ApprovalRule) -> HttpResponse:
        messages.success(request, f"The rule “{saved}” is saved.")
        return go(request, reverse("releases:approval-rules"))

    return save_or_show(form, save, show=partial(_show, request, form, rule=rule), done=done)


def _show(
    request: Request, form: ApprovalRuleForm, *, rule: ApprovalRule | None = None, status: int = 200
) -> HttpResponse:
    return render(request, "releases/rule_form.html", {"form": form, "rule": rule}, status=status)
