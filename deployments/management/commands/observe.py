"""`manage.py observe`: follows the clusters, wakes deployments and seals the audit log, until it is told to stop."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from audit.seals import may_have_pending, seal_pending
from deployments.engine.observer import Observer
from deployments.services.bakes import wake_due_bakes
from releasemgr.core.checks import PRODUCTION


class Command(BaseCommand):
    help = "Follow the clusters and wake the deployments that have something to do."
    # The others import every page and serializer: a third of the start, and memory that nothing here needs.
    requires_system_checks = (PRODUCTION,)

    def handle(self, *_args: Any, **_options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("Observing.")
        Observer(stop, chores=(_seal, wake_due_bakes)).run()


def _seal() -> None:
    if may_have_pending():
        seal_pending(timezone.now())
