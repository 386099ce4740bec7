"""`python -m tests.e2e.furnish KUBECONFIG`: tables, cluster and demo company in one start of Django."""

import os
import sys
from pathlib import Path

import django
from django.core.management import call_command


def main(kubeconfig: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "releasemgr.settings")
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("register_cluster", name="sandbox", kubeconfig=Path(kubeconfig))
    call_command("seed_demo", cluster="sandbox")


if __name__ == "__main__":
    main(sys.argv[1])
