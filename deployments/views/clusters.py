"""Clusters, for administrators. Credentials go in here and never come out."""

from collections.abc import Callable
from functools import partial

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from deployments import selectors, services
from deployments.forms.places import ClusterForm
from deployments.models import Cluster
from deployments.services.access import require_set_up
from releasemgr.core.forms import posted, save_or_show
from releasemgr.core.htmx import go
from releasemgr.core.requests import Request
from releases.policies import can_set_up


@login_required
@require_GET
def cluster_list(request: Request) -> HttpResponse:
    context = {"clusters": selectors.cluster_list(request.actor), "may_set_up": can_set_up(request.actor)}
    return render(request, "deployments/cluster_list.html", context)


@sensitive_post_parameters("kubeconfig")
@login_required
@require_http_methods(["GET", "POST"])
def cluster_create(request: Request) -> HttpResponse:
    require_set_up(request.actor)
    form = ClusterForm(posted(request))
    if request.method == "GET":
        return _show(request, form)
    return _save(request, form, lambda: services.register_cluster(actor=request.actor, **form.cleaned_data))


@sensitive_post_parameters("kubeconfig")
@login_required
@require_http_methods(["GET", "POST"])
def cluster_edit(request: Request, reference: str) -> HttpResponse:
    cluster = selectors.get_cluster(request.actor, reference)
    require_set_up(request.actor)
    form = ClusterForm(posted(request), cluster=cluster, initial={"name": cluster.name})
    if request.method == "GET":
        return _show(request, form, name=cluster.name)
    return _save(
        request,
        form,
        lambda: services.update_cluster(actor=request.actor, cluster=cluster, **form.changes()),
        name=cluster.name,
    )


@login_required
@require_POST
def cluster_delete(request: Request, reference: str) -> HttpResponse:
    cluster = selectors.get_cluster(request.actor, reference)
    services.delete_cluster(actor=request.actor, cluster=cluster)
    messages.success(request, f"The cluster {cluster} is removed.")
    return go(request, reverse("deployments:clusters"))


def _save(request: Request, form: ClusterForm, save: Callable[[], Cluster], *, name: str = "") -> HttpResponse:
    def done(saved: Cluster) -> HttpResponse:
        messages.success(request, f"The cluster {saved} answers: Kubernetes {saved.version}.")
        return go(request, reverse("deployments:clusters"))

    return save_or_show(form, save, show=partial(_show, request, form, name=name), done=done)


def _show(request: Request, form: ClusterForm, *, name: str = "", status: int = 200) -> HttpResponse:
    """`name` is the stored name of the cluster that is changed, empty for a new one."""
    return render(request, "deployments/cluster_form.html", {"form": form, "name": name}, status=status)
