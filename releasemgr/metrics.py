"""What Prometheus scrapes: asked of the database at each scrape, so every process tells the same."""

import hmac
import ipaddress
from collections.abc import Iterator

from django.conf import settings
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from accounts.models import FailedLogin, User
from audit.models import Event
from deployments.models import Deployment
from deployments.statuses import DeploymentStatus
from releasemgr.core import queue
from releasemgr.core.api import error_body
from releasemgr.core.context import current_request_context
from releases.models import Release
from releases.statuses import ReleaseStatus


class DatabaseCollector(Collector):
    """Counts that are true for the whole installation, not for one process."""

    def collect(self) -> Iterator[Metric]:
        yield _by_status("releases", "Releases by status.", Release, ReleaseStatus.values)
        yield _by_status("deployments", "Deployments by status.", Deployment, DeploymentStatus.values)
        newest = Event.objects.aggregate(newest=Max("sequence"))["newest"]
        yield CounterMetricFamily("releasemgr_events", "Facts written to the audit log.", value=newest or 0)
        yield _gauge("queue_waiting", "Tasks that are due and not yet taken by a worker.", queue.waiting_tasks())
        yield _gauge("users_active", "People who can log in.", User.objects.filter(is_active=True).count())
        yield _gauge("throttled_logins", "Accounts and addresses with failed logins.", FailedLogin.objects.count())


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"releasemgr_{name}", words, value=value)


def _by_status(
    name: str, words: str, model: type[Release] | type[Deployment], statuses: list[str]
) -> GaugeMetricFamily:
    rows = model._default_manager.order_by().values_list("status").annotate(count=Count("pk"))
    counts = dict.fromkeys(statuses, 0) | dict(rows)
    family = GaugeMetricFamily(f"releasemgr_{name}", words, labels=["status"])
    for status, count in counts.items():
        family.add_metric([status], count)
    return family


REGISTRY = CollectorRegistry(auto_describe=False)
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)
REGISTRY.register(DatabaseCollector())


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text, to a trusted network (METRICS_NETWORKS) or the holder of METRICS_TOKEN."""
    if not (_holds_token(request) or _is_trusted_network()):
        message = "Metrics are open to the networks in METRICS_NETWORKS, or with `Authorization: Bearer METRICS_TOKEN`."
        return JsonResponse(error_body("forbidden", message, {"permission": "metrics"}), status=403)
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def _holds_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    wanted = settings.METRICS_TOKEN.encode()
    return bool(wanted) and scheme.lower() in ("bearer", "token") and hmac.compare_digest(token.encode(), wanted)


def _is_trusted_network() -> bool:
    ip = current_request_context().ip
    if ip is None:
        return False
    address = ipaddress.ip_address(ip)
    return any(address in ipaddress.ip_network(network, strict=False) for network in settings.METRICS_NETWORKS)
