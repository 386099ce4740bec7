"""`manage.py register_cluster`: the first cluster, without a browser. Run again, it brings new credentials."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from deployments import services
from deployments.management.flatten import read_kubeconfig_file
from deployments.models import Cluster
from releasemgr.core.actors import SYSTEM
from releasemgr.core.errors import DomainError


class Command(BaseCommand):
    help = "Register a cluster from a kubeconfig file, or update the credentials of the one with that name."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--name", required=True)
        parser.add_argument("--kubeconfig", required=True, type=Path)

    def handle(self, *_args: Any, name: str, kubeconfig: Path, **_options: Any) -> None:
        try:
            said = self._register(name, read_kubeconfig_file(kubeconfig))
        except DomainError as exc:
            raise CommandError(f"The cluster “{name}” could not be registered: {exc.message}") from None
        self.stdout.write(said)

    def _register(self, name: str, text: str) -> str:
        cluster = Cluster.objects.filter(name=name).first()
        if cluster is None:
            cluster = services.register_cluster(actor=SYSTEM, name=name, kubeconfig=text)
            return f"Cluster {name} registered ({cluster.server}, {cluster.version})."
        if cluster.kubeconfig == text:
            return f"Cluster {name} is as it was ({cluster.server})."
        cluster = services.update_cluster(actor=SYSTEM, cluster=cluster, kubeconfig=text)
        return f"Cluster {name} has new credentials ({cluster.server}, {cluster.version})."
