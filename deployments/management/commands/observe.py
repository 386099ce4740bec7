"""`manage.py observe`: follows the clusters and wakes deployments, until it is told to stop."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from deployments.engine.observer import Observer


class Command(BaseCommand):
    help = "Follow the clusters and wake the deployments that have something to do."

    def handle(self, *_args: Any, **_options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        self.stdout.write("Observing.")
        Observer(stop).run()
