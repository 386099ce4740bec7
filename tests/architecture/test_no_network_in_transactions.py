"""Nothing talks to a cluster while a transaction is open: a slow cluster must not hold locks."""

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
import yaml
from django.db import connection
from rest_framework.test import APIClient

from accounts.models import Team, User
from deployments import services
from deployments.engine.runner import Outcome, tick
from deployments.models import Cluster, Deployment
from deployments.sandbox.server import SandboxServer
from deployments.services.waking import wake
from tests import factories
from tests.sandbox.fixtures import sandbox_cluster

__all__ = ["sandbox_cluster"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every HTTP request that leaves the process, noted; those inside a transaction fail the test at its end."""
    sent: list[str] = []
    guilty: list[str] = []
    urlopen = urllib3.HTTPConnectionPool.urlopen

    def noted(pool: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        sent.append(f"{method} {url}")
        if connection.in_atomic_block:
            guilty.append(f"{method} {url}")
        return urlopen(pool, method, url, *args, **kwargs)

    monkeypatch.setattr(urllib3.HTTPConnectionPool, "urlopen", noted)
    yield sent
    assert guilty == [], "these were sent while a transaction was open"


@pytest.fixture
def cluster(admin: User, sandbox_cluster: SandboxServer) -> Cluster:
    kubeconfig = yaml.safe_dump(sandbox_cluster.kubeconfig)
    return services.register_cluster(actor=factories.actor(admin), name="main", kubeconfig=kubeconfig)


def finish(deployment: Deployment) -> Deployment:
    for _ in range(2000):
        wake(deployment.pk)
        while tick(deployment.pk) is Outcome.AGAIN:
            pass
        deployment.refresh_from_db()
        if not deployment.is_open:
            return deployment
    raise AssertionError("it did not end")


def test_a_deployment_and_its_rollback_talk_outside_of_transactions(
    requests: list[str], cluster: Cluster, team: Team, deployer: User, approver: User
) -> None:
    target = factories.target(factories.application(team), factories.environment(), cluster)
    for version in ("1.0.0", "2.0.0"):
        release = factories.approved(deployer, approver, target.application, version)
        made = services.start_deployment(
            actor=factories.actor(deployer), release=release, environment=target.environment
        )
        assert finish(made).status == "succeeded"
    back = services.rollback_deployment(actor=factories.actor(deployer), deployment=made, reason="Carts are empty")
    assert finish(back).status == "succeeded"
    assert any(line.startswith("PATCH") for line in requests)


def test_the_diff_and_the_drift_ask_outside_of_transactions(
    requests: list[str], cluster: Cluster, team: Team, deployer: User, approver: User
) -> None:
    target = factories.target(factories.application(team), factories.environment(), cluster)
    release = factories.approved(deployer, approver, target.application)
    finish(services.start_deployment(actor=factories.actor(deployer), release=release, environment=target.environment))
    api = APIClient()
    api.force_login(deployer)
    requests.clear()

    assert api.get(f"/api/v1/releases/{release.pk}/diff?environment=staging").json()["objects"]
    assert api.get(f"/api/v1/targets/{target.pk}/drift").json()["since"]
    assert api.get(f"/deployments/start/{release.pk}/staging/diff").status_code == 200
    assert len([line for line in requests if line.startswith("PATCH")]) == 2


@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "a-key"}], ids=["plain", "idempotent"])
def test_registering_a_cluster_tries_it_outside_of_transactions(
    requests: list[str], admin: User, sandbox_cluster: SandboxServer, headers: dict[str, str]
) -> None:
    api = APIClient()
    api.force_login(admin)
    body = {"name": "main", "kubeconfig": yaml.safe_dump(sandbox_cluster.kubeconfig)}

    assert api.post("/api/v1/clusters", body, headers=headers).status_code == 201
    assert requests


@pytest.mark.parametrize("headers", [{}, {"if-match": "*"}], ids=["plain", "conditional"])
def test_new_credentials_are_tried_outside_of_transactions(
    cluster: Cluster, requests: list[str], admin: User, sandbox_cluster: SandboxServer, headers: dict[str, str]
) -> None:
    api = APIClient()
    api.force_login(admin)
    body = {"kubeconfig": yaml.safe_dump(sandbox_cluster.kubeconfig)}

    assert api.patch(f"/api/v1/clusters/{cluster.pk}", body, headers=headers).status_code == 200
    assert requests
