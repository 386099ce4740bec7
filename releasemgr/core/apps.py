from django.apps import AppConfig

from releasemgr.core import task_pipe


class CoreConfig(AppConfig):
    name = "releasemgr.core"
    label = "core"

    def ready(self) -> None:
        task_pipe.install()
