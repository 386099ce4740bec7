"""What the benchmarks of following stand on: rollouts in the database, the generated cluster, a real observer."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import yaml
from django.db import connection
from django.utils import timezone

from deployments.models import Cluster, Deployment, Step, Target, Workload
from deployments.statuses import DeploymentStatus, StepName, StepStatus
from tests import factories
from tests.bench.rollouts import deployment_of
from tests.stack import Broken, free_port, running

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
# What each row said when, by the database's clock at the commit: a deferred trigger runs right before it.
TELLTALE = """
    CREATE UNLOGGED TABLE IF NOT EXISTS bench_said (
        number int, phase text, wanted int, updated int, ready int, at double precision);
    CREATE OR REPLACE FUNCTION bench_say() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO bench_said VALUES (substr(NEW.name, 5)::int, NEW.phase, NEW.wanted, NEW.updated, NEW.ready,
                                       extract(epoch FROM clock_timestamp()));
        RETURN NULL; END $$;
    DROP TRIGGER IF EXISTS bench_says ON deployments_workload;
    CREATE CONSTRAINT TRIGGER bench_says AFTER UPDATE ON deployments_workload
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bench_say()"""

Note = tuple[float, int, str, int, int, int]


@dataclass(frozen=True, slots=True)
class Generated:
    """The generated cluster, through its own controls."""

    url: str

    def start(self, rate: float) -> None:
        self._ask(f"/bench/start?rate={rate}")

    def pause(self) -> None:
        self._ask("/bench/pause")

    def notes(self) -> dict[str, Any]:
        return self._ask("/bench/notes")

    def _ask(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            parsed: dict[str, Any] = json.loads(answer.read())
            return parsed


@contextmanager
def generated(folder: Path, count: int) -> Iterator[Generated]:
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.generator", str(port), str(count)]
    with running(command, log=folder / "generator.log", environment=os.environ):
        cluster = Generated(f"http://127.0.0.1:{port}")
        wait_until(lambda: _answers(cluster), 30, "The generated cluster did not come up.")
        yield cluster


def _answers(cluster: Generated) -> bool:
    try:
        cluster.pause()
    except OSError:
        return False
    return True


def in_flight(url: str, count: int) -> Cluster:
    """`count` deployments in progress, each in a place of its own, applied and followed."""
    Deployment.objects.all().delete()
    Target.objects.all().delete()
    name = f"watched-{time.monotonic_ns()}"
    user = {"name": "bench", "user": {"token": "bench"}}
    context = {"name": "bench", "context": {"cluster": "bench", "user": "bench"}}
    servers = [{"name": "bench", "cluster": {"server": url}}]
    document = {"current-context": "bench", "clusters": servers, "users": [user], "contexts": [context]}
    Cluster.objects.all().delete()
    cluster = factories.cluster(yaml.safe_dump(document), name=name[:60], server=url)
    team = factories.team(name[-30:], name)
    application = factories.application(team, name[-30:], name)
    environment = factories.environment(name[-30:])
    release = factories.draft(factories.user(name, teams=[team]), application)
    place: dict[str, Any] = {"application": application, "environment": environment}
    targets = Target.objects.bulk_create(
        Target(**place, cluster=cluster, namespace=f"n-{number}") for number in range(count)
    )
    common: dict[str, Any] = place | {"release": release, "release_digest": release.digest or "", "sequence": 1}
    common["status"] = DeploymentStatus.IN_PROGRESS
    Deployment.objects.bulk_create(
        Deployment(pk=UUID(deployment_of(number)), target=target, manifests=[rollout_object(number)], **common)
        for number, target in enumerate(targets)
    )
    Deployment.objects.update(started_at=timezone.now())
    Step.objects.bulk_create(
        Step(
            deployment_id=deployment_of(n),
            name=StepName.ROLLOUT,
            status=StepStatus.RUNNING,
            started_at=timezone.now(),
            position=2,
        )
        for n in range(count)
    )
    Workload.objects.bulk_create(
        Workload(
            deployment_id=deployment_of(n), cluster=cluster, namespace=f"n-{n}", kind="Deployment", name=f"web-{n}"
        )
        for n in range(count)
    )
    return cluster


def rollout_object(number: int) -> dict[str, Any]:
    meta = {"name": f"web-{number}", "namespace": f"n-{number}"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta}


def listen_in() -> None:
    """Have every row note what it says from now on (see `said`)."""
    with connection.cursor() as cursor:
        cursor.execute(TELLTALE)
        cursor.execute("TRUNCATE bench_said")
        cursor.execute("ANALYZE")


@dataclass
class Observing:
    """A real `manage.py observe`."""

    process: subprocess.Popen[bytes]
    began: float = field(default_factory=time.time)

    def processor_seconds(self) -> float:
        return processor_seconds(self.process.pid)

    def mebibytes(self) -> float:
        """The most it has had so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def processor_seconds(group: int) -> float:
    """What the processes of a group have used so far."""
    used = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            used += int(fields[11]) + int(fields[12])
    return used / CLOCK_TICKS


@contextmanager
def working(folder: Path) -> Iterator[int]:
    """A real `manage.py qcluster`; its process group."""
    command = [sys.executable, "manage.py", "qcluster"]
    with running(command, log=folder / "workers.log", environment=os.environ) as process:
        yield process.pid


@contextmanager
def observing(folder: Path, name: str = "observer") -> Iterator[Observing]:
    began = time.time()
    command = [sys.executable, "manage.py", "observe"]
    with running(command, log=folder / f"{name}.log", environment=os.environ) as process:
        yield Observing(process, began)


def followed_since(cluster: Cluster, moment: float) -> float | None:
    """When the observer first vouched for the cluster after `moment`, by the clock of the database."""
    at = Cluster.objects.values_list("followed_at", flat=True).get(pk=cluster.pk)
    return at.timestamp() if at and at.timestamp() > moment else None


@contextmanager
def taking_tasks() -> Iterator[None]:
    """Takes tasks off the queue as workers do, without doing them: nobody ticks these deployments."""
    stop = threading.Event()

    def take() -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as session:
            while not stop.wait(0.02):
                session.execute("DELETE FROM django_q_ormq")
                session.execute("UPDATE deployments_deployment SET wake_at = NULL WHERE wake_at <= now()")

    with ExitStack() as at_end:
        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        at_end.callback(thread.join)
        at_end.callback(stop.set)
        yield


def said() -> list[Note]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT at, number, phase, wanted, updated, ready FROM bench_said ORDER BY number, at")
        return [(float(at), *rest) for at, *rest in cursor.fetchall()]


def stale_rows(rows: Sequence[Sequence[Any]]) -> list[int]:
    """The numbers of the rollouts whose row does not say what the cluster shows."""
    found = Workload.objects.values_list("name", "phase", "wanted", "updated", "ready")
    by_number = {int(name[4:]): list(rest) for name, *rest in found}
    return [number for number, row in enumerate(rows) if by_number[number] != list(row)]


def wait_until(condition: Any, seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Broken(otherwise)
        time.sleep(0.02)
