from django.apps import AppConfig

from audit import labels
from deployments.events import LABELS


class DeploymentsConfig(AppConfig):
    name = "deployments"
    verbose_name = "Deployments"

    def ready(self) -> None:
        pages = {"deployment": "deployments:detail", "environment": "deployments:environment-detail"}
        labels.register(LABELS, pages=pages)
