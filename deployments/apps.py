import sys
from importlib import import_module

from django.apps import AppConfig

from audit import labels
from deployments.events import LABELS


class DeploymentsConfig(AppConfig):
    name = "deployments"
    verbose_name = "Deployments"

    def ready(self) -> None:
        pages = {"deployment": "deployments:detail", "environment": "deployments:environment-detail"}
        labels.register(LABELS, pages=pages)
        if "qcluster" in sys.argv:
            # Workers are forked from this process, and anew after some hundred tasks: each has at once what is loaded
            # here, instead of a first deployment that waits a second for the Kubernetes client.
            import_module("deployments.engine.steps").load_adapters()
