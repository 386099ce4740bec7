"""Logging in and out of the browser."""

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts import services
from accounts.forms import LoginForm
from releasemgr.core.errors import DomainError, NotAllowed, TooManyAttempts
from releasemgr.core.forms import posted
from releasemgr.core.htmx import go
from releasemgr.core.requests import Request

BACKEND = "django.contrib.auth.backends.ModelBackend"


@sensitive_post_parameters("password")
@never_cache
@csrf_protect
@require_http_methods(["GET", "POST"])
def log_in(request: Request) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect(_next(request))
    form = LoginForm(posted(request))
    if request.method == "GET":
        return _show(request, form)
    if not form.is_valid():
        return _show(request, form, status=422)
    fields = form.cleaned_data
    try:
        user = services.check_credentials(login=fields["login"], password=fields["password"], request=request)
    except (services.WrongCredentials, TooManyAttempts) as error:
        return _refuse(request, form, error)
    login(request, user, backend=BACKEND)
    services.log_in(user=user)
    return redirect(_next(request))


def _refuse(request: Request, form: LoginForm, error: DomainError) -> HttpResponse:
    form.refuse(error)
    response = _show(request, form, status=error.status)
    if "retry_after_seconds" in error.details:
        response["Retry-After"] = str(error.details["retry_after_seconds"])
    return response


def _show(request: Request, form: LoginForm, *, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "next": request.POST.get("next", request.GET.get("next", "")),
        "shows_development_login": settings.ENVIRONMENT == "development",
    }
    return render(request, "accounts/login.html", context, status=status)


def _next(request: Request) -> str:
    """Where the person wanted to go; never to another site."""
    wanted = request.POST.get("next", request.GET.get("next", ""))
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    # `redirect` takes what is no path for the name of a page.
    return wanted if is_ours and wanted.startswith("/") else resolve_url(settings.LOGIN_REDIRECT_URL)


@require_POST
@login_required
def log_out(request: Request) -> HttpResponse:
    # Live pages look at their session when they hear of it: by then it must be gone.
    with transaction.atomic():
        services.log_out(actor=request.actor)
        logout(request)
    return go(request, resolve_url(settings.LOGOUT_REDIRECT_URL))


@never_cache
def admin_login(request: Request) -> HttpResponse:
    """The admin's login is ours, with its throttle and its record."""
    if request.user.is_authenticated and not request.user.is_staff:
        raise NotAllowed("The admin is for administrators only.", details={"permission": "admin"})
    return redirect(f"{resolve_url(settings.LOGIN_URL)}?{request.GET.urlencode()}")
