"""The home page."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.views.decorators.http import require_GET

from deployments import selectors
from deployments.forms.deployments import BoardFilterForm
from releasemgr.core.htmx import render_page_or_partial
from releasemgr.core.requests import Request
from releases.policies import can_set_up


@login_required
@require_GET
def board(request: Request) -> HttpResponse:
    """What runs where, what moves now, what waits for the person who looks."""
    form = BoardFilterForm(request.GET)
    valid = form.is_valid()
    wanted = form.cleaned_data if valid else {}
    found = selectors.board(request.actor, text=wanted.get("q", ""), team=wanted.get("team", ""))
    form.offer(list(found.teams))
    context = {
        "form": form,
        "board": found,
        "is_filtered": any(request.GET.get(name) for name in form.fields),
        "may_set_up": can_set_up(request.actor),
    }
    return render_page_or_partial(
        request,
        page="board.html",
        partial="deployments/partials/board.html",
        context=context,
        status=200 if valid else 422,
    )
