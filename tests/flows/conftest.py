"""A real cluster API, and a worker that ticks what is due, as the task cluster and the observer do."""

import time
from collections.abc import Callable

import pytest
import yaml

from accounts.models import Team, User
from deployments import services
from deployments.engine.runner import Outcome, tick
from deployments.models import Cluster, Deployment, Environment, Target
from deployments.sandbox.server import SandboxServer
from deployments.services.waking import wake
from tests import factories
from tests.factories import actor
from tests.sandbox.fixtures import sandbox_cluster, sandbox_kubeconfig

__all__ = ["sandbox_cluster", "sandbox_kubeconfig"]

PATIENCE_SECONDS = 20.0


@pytest.fixture
def cluster(admin: User, sandbox_cluster: SandboxServer) -> Cluster:
    kubeconfig = yaml.safe_dump(sandbox_cluster.kubeconfig)
    return services.register_cluster(actor=actor(admin), name="main", kubeconfig=kubeconfig)


@pytest.fixture
def staging(db: None) -> Environment:
    return factories.environment("staging", position=1)


@pytest.fixture
def checkout(team: Team, staging: Environment, cluster: Cluster) -> Target:
    return factories.target(factories.application(team), staging, cluster)


class Worker:
    """Ticks open deployments until a condition holds. The cluster moves by itself meanwhile."""

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"still waiting: {list(Deployment.objects.values('status', 'error_message'))}")
            self.run_once()
            time.sleep(0.02)

    def run_once(self) -> None:
        """The observer would wake a deployment at each change in the cluster; here all are woken each time."""
        open_ones = list(Deployment.objects.open().order_by("created_at").values_list("pk", flat=True))
        wake(*open_ones)
        for deployment_id in open_ones:
            while tick(deployment_id) is Outcome.AGAIN:
                pass

    def finish(self, deployment: Deployment) -> Deployment:
        """Until the deployment has ended, and whatever followed from it as well."""
        self.until(lambda: not Deployment.objects.open().exists())
        deployment.refresh_from_db()
        return deployment


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def deploy(deployer: User, approver: User, checkout: Target) -> Callable[..., Deployment]:
    """Approve a release of `checkout` with the image tag `tag`, and ask for it to go to staging."""

    def start(version: str, tag: str = "") -> Deployment:
        release = factories.approved(
            deployer, approver, checkout.application, version, artifacts=factories.artifacts(tag or version)
        )
        return services.start_deployment(actor=actor(deployer), release=release, environment=checkout.environment)

    return start
