"""The buttons that pace a progressive deployment: pause, resume, promote, abort."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from deployments import selectors, services
from deployments.models import Deployment
from deployments.views.control import make_move
from releasemgr.core.requests import Request


@login_required
@require_POST
def pause(request: Request, pk: UUID) -> HttpResponse:
    return _pace(request, pk, services.pause_deployment, done="It stays where it is.")


@login_required
@require_POST
def resume(request: Request, pk: UUID) -> HttpResponse:
    return _pace(request, pk, services.resume_deployment, done="It goes on.")


@login_required
@require_POST
def promote(request: Request, pk: UUID) -> HttpResponse:
    return _pace(request, pk, services.promote_deployment, done="It goes on to the next step.")


@login_required
@require_POST
def abort(request: Request, pk: UUID) -> HttpResponse:
    return _pace(request, pk, services.abort_deployment, done="It is being aborted.")


def _pace(request: Request, pk: UUID, service: Callable[..., Deployment], *, done: str) -> HttpResponse:
    deployment = selectors.get_deployment(request.actor, pk)
    return make_move(request, pk, partial(service, actor=request.actor, deployment=deployment), done=done)
