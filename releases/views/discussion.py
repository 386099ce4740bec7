"""The discussion of a release."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from releasemgr.core.errors import Invalid
from releasemgr.core.htmx import go, is_partial
from releasemgr.core.requests import Request
from releases import selectors, services
from releases.forms import CommentForm
from releases.policies import can_comment


@login_required
@require_http_methods(["GET", "POST"])
def comments(request: Request, pk: UUID) -> HttpResponse:
    """GET: the comments as they are now (the page refetches them). POST: one more, and an empty form for the next."""
    release = selectors.get_release(request.actor, pk)
    if request.method == "GET":
        latest = selectors.latest_comments(release, request.GET.get("comments", ""))
        comments_now = {"release": release, "comments": latest}
        return render(request, "releases/partials/comments.html", comments_now)
    form = CommentForm(request.POST)
    if form.is_valid():
        try:
            services.comment_on_release(actor=request.actor, release=release, body=form.cleaned_data["body"])
        except Invalid as error:
            form.refuse(error)
    status = 422 if form.errors else 200
    if status == 200 and not is_partial(request):
        return go(request, reverse("releases:detail", args=[pk]) + "#discussion")
    context: dict[str, Any] = {
        "release": release,
        "comments": selectors.latest_comments(release),
        "comment_form": form if form.errors else CommentForm(),
        "may_comment": can_comment(request.actor, release),
    }
    template = "releases/partials/discussion.html" if is_partial(request) else "releases/release_comment.html"
    return render(request, template, context, status=status)
