from django.apps import AppConfig

from accounts.events import LABELS
from audit import labels


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "People and teams"

    def ready(self) -> None:
        labels.register(LABELS, pages={"team": "accounts:team-detail"})
