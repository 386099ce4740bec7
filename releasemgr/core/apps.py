from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "releasemgr.core"
    label = "core"
