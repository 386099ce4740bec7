"""A target behind the fault proxy, and a worker that ignores timers."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml
from django.utils import timezone

from accounts.models import Team, User
from deployments import services
from deployments.engine.runner import Outcome, tick
from deployments.models import Deployment, LogLine, Target
from deployments.sandbox.server import SandboxServer
from deployments.services.waking import wake
from deployments.targets.base import Connection
from deployments.targets.kubernetes.wire import connections
from deployments.targets.kubernetes.wire.cluster import Cluster
from tests import factories
from tests.engine import fault_proxy
from tests.engine.fault_proxy import FaultProxy
from tests.factories import actor

SPEED = 50.0
SECONDS = 20.0
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(speed=SPEED) as server:
        yield server


@dataclass
class Site:
    """A target whose cluster is reached through the proxy, and a worker that ignores timers."""

    target: Target
    proxy: FaultProxy
    sandbox: SandboxServer
    people: tuple[User, User]
    # How much faster than real the worker's clock goes.
    pace: float = 1.0

    def deploy(self, version: str, tag: str = "", target: Target | None = None) -> Deployment:
        place = target or self.target
        artifacts = factories.artifacts(tag or version)
        release = factories.approved(*self.people, place.application, version, artifacts=artifacts)
        return services.start_deployment(actor=actor(self.people[0]), release=release, environment=place.environment)

    def finish(self, *deployments: Deployment) -> None:
        began, deadline = timezone.now(), time.monotonic() + SECONDS
        while open_ones := list(Deployment.objects.open().order_by("created_at").values_list("pk", flat=True)):
            assert time.monotonic() < deadline, str(list(LogLine.objects.values_list("step", "message")))[-3000:]
            wake(*open_ones)
            for pk in open_ones:
                while tick(pk, clock=lambda: began + self.pace * (timezone.now() - began)) is Outcome.AGAIN:
                    pass
        for deployment in deployments:
            deployment.refresh_from_db()

    def rollouts(self, target: Target | None = None) -> tuple[int, int]:
        """How often the workload's spec was changed, and how many ReplicaSets that has made."""
        namespace = (target or self.target).namespace
        cluster = past_the_proxy(self.sandbox)
        workload = cluster.get("apps/v1", "Deployment", namespace, "web")
        assert workload is not None
        return workload["metadata"]["generation"], len(cluster.list("apps/v1", "ReplicaSet", namespace))


@pytest.fixture
def site(
    db: None, team: Team, deployer: User, approver: User, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    monkeypatch.setattr(connections, "READ_TIMEOUT_SECONDS", 0.3)
    with fault_proxy.in_front_of(sandbox.url) as proxy:
        kubeconfig = yaml.safe_dump(sandbox.kubeconfig).replace(sandbox.url, proxy.url)
        cluster = factories.cluster(kubeconfig, server=proxy.url)
        application = factories.application(team)
        target = factories.target(application, factories.environment(), cluster, namespace=namespace_in(sandbox))
        yield Site(target, proxy, sandbox, (deployer, approver))


def namespace_in(sandbox: SandboxServer) -> str:
    name = f"shop-{next(numbers)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    past_the_proxy(sandbox)._request("make a namespace", "POST", "/api/v1/namespaces", body=body)
    return name


def past_the_proxy(sandbox: SandboxServer) -> Cluster:
    return Cluster(Connection(key=f"{sandbox.url} past the proxy", kubeconfig=sandbox.kubeconfig))
