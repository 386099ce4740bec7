"""Kind of check → its adapter. They load on first use: the Job's brings the Kubernetes client."""

from functools import cache
from importlib import import_module

from deployments.health.base import HealthCheck

ADAPTERS = {
    "http": "deployments.health.http:HttpCheck",
    "prometheus": "deployments.health.prometheus:PrometheusCheck",
    "job": "deployments.health.job:JobCheck",
}


@cache
def get_health_check(kind: str) -> HealthCheck:
    """Adapters hold no state, so one instance serves everybody. Raises KeyError for an unknown kind."""
    module_name, class_name = ADAPTERS[kind].split(":")
    check: HealthCheck = getattr(import_module(module_name), class_name)()
    return check
