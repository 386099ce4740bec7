"""`manage.py seed_demo`: a small company to look around in, for an empty database in development."""

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.models import User
from deployments.demo.loading import load_company, load_history
from deployments.models import Cluster


class Command(BaseCommand):
    help = "Load the demo company into an empty database; with --cluster, also its targets and releases there."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--cluster", default="", help="name of a registered cluster to deploy the demo to")

    def handle(self, *_args: Any, cluster: str, **_options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("The demo has well-known passwords, so it is refused with ENVIRONMENT=production.")
        place = Cluster.objects.filter(name=cluster).first()
        if cluster and place is None:
            raise CommandError(f"There is no cluster “{cluster}”. Register it first: manage.py register_cluster.")
        with transaction.atomic():
            if User.objects.exists():
                self.stdout.write("There are people here already: nothing was loaded.")
                return
            load_company()
            if place is not None:
                load_history(place)
        self.stdout.write("Demo company loaded." if place else "Demo people, teams and applications loaded.")
