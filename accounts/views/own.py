"""One's own account: profile, password, tokens."""

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import policies, selectors, services
from accounts.forms import PasswordChangeForm, TokenForm
from releasemgr.core.errors import Invalid, NotAllowed
from releasemgr.core.forms import posted
from releasemgr.core.htmx import go
from releasemgr.core.requests import Request


@login_required
@require_GET
def profile(request: Request) -> HttpResponse:
    return render(request, "accounts/profile_detail.html", {"person": selectors.profile(request.actor)})


@sensitive_post_parameters("current_password", "new_password", "repeated")
@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def password_change(request: Request) -> HttpResponse:
    form = PasswordChangeForm(posted(request))
    if request.method == "GET":
        return render(request, "accounts/password_change.html", {"form": form})
    if form.is_valid():
        try:
            user = services.change_password(
                actor=request.actor,
                current_password=form.cleaned_data["current_password"],
                new_password=form.cleaned_data["new_password"],
            )
        except Invalid as error:
            form.refuse(error)
        else:
            update_session_auth_hash(request, user)
            messages.success(request, "Your password is changed. You are logged out everywhere else.")
            return go(request, reverse("accounts:profile"))
    return render(request, "accounts/password_change.html", {"form": form}, status=422)


@login_required
@require_GET
def token_list(request: Request) -> HttpResponse:
    return _show_tokens(request, TokenForm(role=request.actor.role))


@never_cache
@login_required
@require_POST
def token_issue(request: Request) -> HttpResponse:
    form = TokenForm(request.POST, role=request.actor.role)
    if not form.is_valid():
        return _show_tokens(request, form, status=422)
    name, scopes = form.cleaned_data["name"], form.cleaned_data["scopes"]
    try:
        _, text = services.issue_token(actor=request.actor, name=name, scopes=scopes, expires_at=form.expires_at)
    except (Invalid, NotAllowed) as error:
        form.refuse(error)
        return _show_tokens(request, form, status=error.status)
    # Not redirected: the text exists in this answer only.
    return _show_tokens(request, TokenForm(role=request.actor.role), issued=text, issued_name=name)


@login_required
@require_POST
def token_revoke(request: Request, token: str) -> HttpResponse:
    found = selectors.token_by_id(request.actor, token)
    services.revoke_token(actor=request.actor, token=found)
    messages.success(request, f"The token “{found.name}” is revoked.")
    return go(request, reverse("accounts:tokens"))


def _show_tokens(
    request: Request, form: TokenForm, *, status: int = 200, issued: str = "", issued_name: str = ""
) -> HttpResponse:
    tokens = policies.visible_tokens(request.actor)
    context = {"form": form, "tokens": tokens, "issued": issued, "issued_name": issued_name}
    return render(request, "accounts/token_list.html", context, status=status)
