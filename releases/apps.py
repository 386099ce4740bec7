from django.apps import AppConfig

from audit import labels
from releases.events import LABELS


class ReleasesConfig(AppConfig):
    name = "releases"
    verbose_name = "Releases"

    def ready(self) -> None:
        labels.register(LABELS, pages={"application": "releases:application-detail", "release": "releases:detail"})
