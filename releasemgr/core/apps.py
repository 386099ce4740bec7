from django.apps import AppConfig
from django.core.checks import Tags, register

from releasemgr.core import checks, task_pipe


class CoreConfig(AppConfig):
    name = "releasemgr.core"
    label = "core"

    def ready(self) -> None:
        task_pipe.install()
        register(checks.check_production_settings, checks.PRODUCTION)
        register(checks.check_default_password, Tags.database)
